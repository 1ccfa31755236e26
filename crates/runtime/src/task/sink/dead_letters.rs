//! The dead letter queue of a sink task (KIP-298; spec `data.md` 5.4): the original bytes, with context
//! headers, durable before the record's offset may be committed (`DeadLetterFirst`).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use milena_api::ConnectError;
use milena_config::Props;
use milena_core::{
    TaskId,
    failure::{ConsumedRecord, FailureContext, FailureError, context_headers},
};
use milena_kafka::ports::{
    Ack, Admin, CreateOutcome, Header, InRecord, KafkaError, KafkaErrorKind, NewTopic, OutRecord,
    Producer,
};
use tracing::error;

use crate::task::{
    TaskWorld,
    clients::{admin, dead_letter_producer},
    failing::StageFailure,
    metrics::TaskMetrics,
};

const TOPIC: &str = "errors.deadletterqueue.topic.name";
const REPLICATION: &str = "errors.deadletterqueue.topic.replication.factor";
const HEADERS: &str = "errors.deadletterqueue.context.headers.enable";

/// How long a dead letter may take before it is looked whether its topic is there at all.
const LOOK_AFTER: Duration = Duration::from_secs(3);
/// How long what is on its way when the task ends may take.
const CLOSE: Duration = Duration::from_secs(5);

const EXECUTION: &str = "java.util.concurrent.ExecutionException";

/// Why a topic was not made, when it was not: Java's class and the broker's words.
fn refused(outcome: Option<CreateOutcome>) -> Option<(&'static str, String)> {
    Some(match outcome {
        Some(CreateOutcome::Created | CreateOutcome::Exists) => return None,
        Some(CreateOutcome::Unauthorized(message)) => (
            "org.apache.kafka.common.errors.TopicAuthorizationException",
            message,
        ),
        Some(CreateOutcome::InvalidReplicationFactor(message)) => (
            "org.apache.kafka.common.errors.InvalidReplicationFactorException",
            message,
        ),
        Some(CreateOutcome::TimedOut(message)) => {
            ("org.apache.kafka.common.errors.TimeoutException", message)
        }
        Some(CreateOutcome::InvalidConfig(message)) => (
            "org.apache.kafka.common.errors.InvalidConfigurationException",
            message,
        ),
        Some(CreateOutcome::Failed(message)) => ("org.apache.kafka.common.KafkaException", message),
        None => (
            "org.apache.kafka.common.KafkaException",
            "the broker gave no answer".to_owned(),
        ),
    })
}

/// A consumed record as it stood in Kafka, for a report.
pub(super) struct Original<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
    pub(super) record: &'a InRecord,
}

/// The queue of one task.
pub(super) struct DeadLetters {
    topic: Arc<str>,
    with_context: bool,
    id: TaskId,
    producer: Box<dyn Producer>,
    /// Says whether the topic is there; a test has none.
    admin: Option<Arc<dyn Admin>>,
    failed: Arc<Mutex<Option<KafkaError>>>,
    metrics: Arc<TaskMetrics>,
}

impl DeadLetters {
    /// The queue, when one is configured; creates its topic when it is missing.
    pub(super) async fn open(
        world: &TaskWorld,
        id: &TaskId,
        config: &Props,
        metrics: &Arc<TaskMetrics>,
    ) -> Result<Option<Self>, ConnectError> {
        let topic = config
            .get(TOPIC)
            .map(|name| name.trim())
            .unwrap_or_default();
        if topic.is_empty() {
            return Ok(None);
        }
        let initialize = |class: &'static str, message: String| {
            let cause = ConnectError::of(class, message);
            // Java's admin client answers by a future, which wraps what went wrong.
            let wrapped = ConnectError::of(EXECUTION, cause.to_java_string()).caused_by(cause);
            ConnectError::connect(format!(
                "Could not initialize dead letter queue with topic={topic}"
            ))
            .caused_by(wrapped)
        };
        let broken = |error: KafkaError| initialize(error.class, error.message);
        let admin = world.clients.admin(&admin(world, id, config)).await;
        let admin = admin.map_err(broken)?;
        let known = admin.describe_topics(&[topic.to_owned()]).await;
        if known.map_err(broken)?.is_empty() {
            let wanted = NewTopic {
                name: topic.to_owned(),
                partitions: 1,
                replication_factor: config
                    .get(REPLICATION)
                    .and_then(|t| t.trim().parse().ok())
                    .unwrap_or(3),
                configs: std::collections::BTreeMap::new(),
            };
            let outcomes = admin.create_topics(vec![wanted]).await;
            if let Some((class, message)) = refused(outcomes.map_err(broken)?.pop()) {
                // Java's words do not name the topic once more.
                let own = message.strip_prefix(&format!("topic {topic}: "));
                return Err(initialize(class, own.unwrap_or(&message).to_owned()));
            }
        }
        let failed: Arc<Mutex<Option<KafkaError>>> = Arc::default();
        let (noted, name) = (Arc::clone(&failed), topic.to_owned());
        let counted = Arc::clone(metrics);
        let sink = Arc::new(move |acks: Vec<Ack>| {
            for ack in acks {
                if let Err(failure) = ack.outcome {
                    counted.dead_letter_failed();
                    error!(error = %failure, "Could not produce message to dead letter queue. topic={name}");
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                }
            }
        });
        let producer = world
            .clients
            .producer(&dead_letter_producer(world, id, config), sink)
            .await;
        Ok(Some(Self {
            topic: topic.into(),
            with_context: config
                .get(HEADERS)
                .is_some_and(|text| text.eq_ignore_ascii_case("true")),
            id: id.clone(),
            producer: producer.map_err(broken)?,
            admin: Some(admin),
            failed,
            metrics: Arc::clone(metrics),
        }))
    }

    /// A queue on a producer of a test, with context headers.
    #[cfg(test)]
    pub(super) fn on(id: &TaskId, producer: Box<dyn Producer>, metrics: &Arc<TaskMetrics>) -> Self {
        Self {
            topic: "dead".into(),
            with_context: true,
            id: id.clone(),
            producer,
            admin: None,
            failed: Arc::default(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Sends a record with its failure; it is durable after the next [`Self::flush`].
    pub(super) async fn send(
        &self,
        original: &Original<'_>,
        failure: &StageFailure,
    ) -> Result<(), ConnectError> {
        let mut headers = original.record.headers.clone();
        if self.with_context {
            let at = ConsumedRecord {
                topic: original.topic,
                partition: original.partition,
                offset: original.record.offset,
            };
            let trace = failure.error.trace();
            let context = FailureContext {
                connector: self.id.connector.as_str(),
                task: self.id.task,
                stage: failure.stage,
                executing_class: &failure.class,
                error: Some(FailureError {
                    class: &failure.error.class,
                    message: failure.error.message.as_deref(),
                    trace: &trace,
                }),
            };
            headers.extend(
                context_headers(&at, &context)
                    .into_iter()
                    .map(|(key, value)| Header {
                        key: key.into(),
                        value: value.map(Bytes::from),
                    }),
            );
        }
        let record = OutRecord {
            topic: Arc::clone(&self.topic),
            timestamp: (original.record.timestamp >= 0).then_some(original.record.timestamp),
            key: original.record.key.clone(),
            value: original.record.value.clone(),
            headers,
            ..OutRecord::default()
        };
        self.metrics.dead_letter();
        let sent = self.producer.send(vec![record]);
        self.unless_gone(async {
            sent.await.map_err(|(_, error)| {
                self.metrics.dead_letter_failed();
                self.lost(&error)
            })
        })
        .await
    }

    /// Waits until every record that was sent is durable. An error: an offset must not pass it.
    pub(super) async fn flush(&self) -> Result<(), ConnectError> {
        self.unless_gone(async {
            let flushed = self.producer.flush().await;
            flushed.map_err(|error| self.lost(&error))
        })
        .await?;
        // It stays: whoever hears of it first may not be the one who commits.
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            Some(error) => Err(self.lost(error)),
            None => Ok(()),
        }
    }

    /// Sends what is on its way: of a task that fails, too, for its reports are what an operator looks at. What cannot be
    /// written in time is logged, and is consumed again: its offset was not committed.
    pub(super) async fn close(&self) {
        self.producer.close(CLOSE).await;
    }

    /// Waits as long as the cluster needs, but not for a topic that nobody will make again.
    async fn unless_gone(
        &self,
        work: impl Future<Output = Result<(), ConnectError>>,
    ) -> Result<(), ConnectError> {
        let Some(admin) = &self.admin else {
            return work.await;
        };
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(LOOK_AFTER) => {}
            }
            let topics = [self.topic.to_string()];
            let there = tokio::select! {
                done = &mut work => return done,
                there = admin.describe_topics(&topics) => there,
            };
            if there.is_ok_and(|topics| topics.is_empty()) {
                self.metrics.dead_letter_failed();
                return Err(self.lost(&KafkaError {
                    kind: KafkaErrorKind::Fatal,
                    class: "org.apache.kafka.common.errors.UnknownTopicOrPartitionException",
                    message: "the topic does not exist any more; create it and restart the task"
                        .to_owned(),
                }));
            }
        }
    }

    fn lost(&self, error: &KafkaError) -> ConnectError {
        let cause = ConnectError::of(error.class, error.message.clone());
        let text = format!(
            "a record could not be written to the dead letter queue {}",
            self.topic
        );
        ConnectError::connect(text).caused_by(cause)
    }
}
