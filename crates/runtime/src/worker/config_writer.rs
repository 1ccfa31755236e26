//! Writes the config topic: with the ordinary producer, or with the leader's transactional one.

use std::{sync::Arc, time::Duration};

use milena_core::{cluster::KeyValue, herder::Outcome};
use milena_kafka::ports::{ClientProps, CommitError, KafkaClients, KafkaErrorKind};
use tokio::sync::Mutex;
use tracing::warn;

use super::appender::{Appender, Entry};

/// The budget of one write (spec `distributed.md` 1.4.1).
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// The writers of the config topic. The herder asks for one write at a time.
pub(super) struct ConfigWriter {
    pub(super) clients: Arc<dyn KafkaClients>,
    pub(super) topic: Arc<str>,
    pub(super) plain: Appender,
    pub(super) leader_props: ClientProps,
    /// The leader's producer while the privilege is ours. The lock is async on purpose: a write holds it.
    pub(super) leader: Mutex<Option<Appender>>,
}

impl ConfigWriter {
    /// Appends records in order.
    pub(super) async fn write(&self, records: Vec<KeyValue>, transactional: bool) -> Outcome {
        let entries = records.into_iter().map(|record| Entry {
            key: record.key.into_bytes().into(),
            value: record.value.map(Into::into),
        });
        let entries = entries.collect();
        let write = async {
            match transactional {
                true => self.write_as_leader(entries).await,
                false => match self.plain.append(&self.topic, Some(0), entries).await {
                    Ok(()) => Outcome::Done,
                    Err(error) if error.kind == KafkaErrorKind::Unknown => Outcome::Unknown,
                    Err(error) => {
                        warn!(%error, "writing the config topic failed");
                        Outcome::Failed(error.message)
                    }
                },
            }
        };
        let written = tokio::time::timeout(WRITE_WITHIN, write).await;
        written.unwrap_or(Outcome::Unknown)
    }

    async fn write_as_leader(&self, entries: Vec<Entry>) -> Outcome {
        let mut leader = self.leader.lock().await;
        let Some(writer) = leader.as_ref() else {
            return Outcome::Fenced;
        };
        let written = writer
            .append_in_transaction(&self.topic, Some(0), entries)
            .await;
        match written {
            Ok(()) => Outcome::Done,
            Err(error) => {
                // After any failure the producer is given up: its state is not certain (R9).
                if let Some(writer) = leader.take() {
                    writer.close(Duration::ZERO).await;
                }
                warn!(%error, "a privileged write of the config topic failed");
                match error {
                    CommitError::Unknown(_) => Outcome::Unknown,
                    CommitError::Fenced(_) | CommitError::Aborted(_) => Outcome::Fenced,
                }
            }
        }
    }

    /// Takes the write privilege: fences whoever has it.
    pub(super) async fn claim(&self) -> Outcome {
        let mut leader = self.leader.lock().await;
        if let Some(old) = leader.take() {
            old.close(Duration::ZERO).await;
        }
        let claim = async {
            let writer = Appender::open(self.clients.as_ref(), &self.leader_props).await?;
            writer.init_transactions().await?;
            Ok::<_, milena_kafka::ports::KafkaError>(writer)
        };
        match tokio::time::timeout(WRITE_WITHIN, claim).await {
            Ok(Ok(writer)) => {
                *leader = Some(writer);
                Outcome::Done
            }
            Ok(Err(error)) => {
                warn!(%error, "claiming the write privilege of the config topic failed");
                Outcome::Failed(error.message)
            }
            Err(_) => Outcome::Unknown,
        }
    }
}
