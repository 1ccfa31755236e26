//! The errant record reporter (KIP-610): failures that a sink task finds in `put`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use milena_api::{ConnectError, ErrantRecordReporter, ReportTicket};
use milena_core::failure::Stage;
use milena_data::SinkRecord;
use milena_kafka::ports::InRecord;

use super::{
    dead_letters::{DeadLetters, Original},
    decode::describe,
};
use crate::task::failing::{ErrorPolicy, StageFailure};

pub(super) const SINK_TASK: &str = "org.apache.kafka.connect.sink.SinkTask";

/// The consumed records of the batch in hand, by topic, partition and offset: a report names the original
/// bytes, whatever transforms made of them.
#[derive(Default)]
pub(super) struct Originals(Mutex<BTreeMap<(String, i32, i64), InRecord>>);

impl Originals {
    pub(super) fn keep(&self, topic: &str, partition: i32, record: &InRecord) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert((topic.to_owned(), partition, record.offset), record.clone());
    }

    pub(super) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn get(&self, topic: &str, partition: i32, offset: i64) -> Option<InRecord> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(topic.to_owned(), partition, offset)).cloned()
    }
}

/// The reporter of one task.
pub(super) struct Reporter {
    pub(super) policy: Arc<ErrorPolicy>,
    pub(super) dead_letters: Option<Arc<DeadLetters>>,
    pub(super) originals: Arc<Originals>,
    /// An error that was beyond tolerance: it fails the task even when the task swallowed it.
    pub(super) exceeded: Arc<Mutex<Option<ConnectError>>>,
}

struct Durable(Option<Arc<DeadLetters>>);

#[async_trait]
impl ReportTicket for Durable {
    async fn done(self: Box<Self>) -> Result<(), ConnectError> {
        match &self.0 {
            Some(dead_letters) => dead_letters.flush().await,
            None => Ok(()),
        }
    }
}

#[async_trait]
impl ErrantRecordReporter for Reporter {
    async fn report(
        &self,
        record: SinkRecord,
        error: ConnectError,
    ) -> Result<Box<dyn ReportTicket>, ConnectError> {
        let failure = StageFailure {
            stage: Stage::TaskPut,
            class: SINK_TASK.to_owned(),
            error,
        };
        let origin = record.origin.as_ref();
        let original = origin.and_then(|at| self.originals.get(&at.topic, at.partition, at.offset));
        let mut described = String::new();
        if let (Some(at), Some(original)) = (origin, &original) {
            described = describe(&at.topic, at.partition, original);
            if let Some(dead_letters) = &self.dead_letters {
                let original = Original {
                    topic: &at.topic,
                    partition: at.partition,
                    record: original,
                };
                dead_letters.send(&original, &failure).await?;
            }
        } else if self.dead_letters.is_some() {
            return Err(ConnectError::connect(
                "only records of the batch in hand can be reported to the dead letter queue",
            ));
        }
        if let Err(error) = self.policy.judge(&failure, || described) {
            *self.exceeded.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
            return Err(error);
        }
        Ok(Box::new(Durable(self.dead_letters.clone())))
    }
}

#[cfg(test)]
#[path = "reporter_tests.rs"]
mod tests;
