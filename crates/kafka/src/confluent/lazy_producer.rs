//! A producer that is made when it is first needed: an idle source task costs no client, no connection and none of the
//! library's metrics (about 0.3 MB each).
//!
//! Java makes the client when the task is made, and a configuration that does not work fails the task there. So the first
//! producer of a configuration is made at once; those after it have only to be of the same configuration.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::{ConfluentProducer, Measured};
use crate::ports::{
    AckSink, ClientProps, CommitError, KafkaError, KafkaErrorKind, OutRecord, Producer,
};

/// What differs between the clients of one configuration.
const OWN: [&str; 2] = ["client.id", "transactional.id"];
/// Configurations remembered; more connectors than this with overrides of their own are rare, and cost one client.
const KNOWN_MAX: usize = 10_000;

/// The configurations that a producer was made of, by their hash: they hold secrets.
#[derive(Debug, Default)]
pub(crate) struct KnownToWork(Mutex<HashSet<u64>>);

impl KnownToWork {
    /// Makes a producer, at once if its configuration is new.
    pub(crate) fn producer(
        &self,
        props: &ClientProps,
        acks: AckSink,
        measured: &Arc<Measured>,
    ) -> Result<Box<dyn Producer>, KafkaError> {
        let shape = shape(props);
        if self.lock().contains(&shape) {
            return Ok(Box::new(LazyProducer {
                props: props.clone(),
                acks,
                measured: Arc::clone(measured),
                made: OnceCell::new(),
                stops_at_failure: AtomicBool::new(false),
            }));
        }
        let producer = ConfluentProducer::new(props, acks, measured)?;
        let mut known = self.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(shape);
        Ok(Box::new(producer))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shape(props: &ClientProps) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (key, value) in props {
        if !OWN.contains(&key.as_str()) {
            (key, value).hash(&mut hasher);
        }
    }
    hasher.finish()
}

struct LazyProducer {
    props: ClientProps,
    acks: AckSink,
    measured: Arc<Measured>,
    made: OnceCell<ConfluentProducer>,
    stops_at_failure: AtomicBool,
}

impl LazyProducer {
    async fn made(&self) -> Result<&ConfluentProducer, KafkaError> {
        let make = || async {
            let producer = ConfluentProducer::new(&self.props, self.acks.clone(), &self.measured)?;
            if self.stops_at_failure.load(Ordering::Relaxed) {
                producer.stop_at_failure();
            }
            Ok(producer)
        };
        // The same configuration worked: what fails now, a name that does not resolve, may pass.
        self.made
            .get_or_try_init(make)
            .await
            .map_err(|error| KafkaError {
                kind: KafkaErrorKind::Retriable,
                ..error
            })
    }
}

#[async_trait]
impl Producer for LazyProducer {
    async fn send(&self, batch: Vec<OutRecord>) -> Result<(), (usize, KafkaError)> {
        let producer = self.made().await.map_err(|error| (0, error))?;
        producer.send(batch).await
    }

    fn stop_at_failure(&self) {
        self.stops_at_failure.store(true, Ordering::Relaxed);
        if let Some(producer) = self.made.get() {
            producer.stop_at_failure();
        }
    }

    async fn flush(&self) -> Result<(), KafkaError> {
        match self.made.get() {
            Some(producer) => producer.flush().await,
            None => Ok(()),
        }
    }

    async fn init_transactions(&self) -> Result<(), KafkaError> {
        self.made().await?.init_transactions().await
    }

    async fn begin(&self) -> Result<(), KafkaError> {
        self.made().await?.begin().await
    }

    async fn commit(&self) -> Result<(), CommitError> {
        let producer = self.made().await.map_err(CommitError::Aborted)?;
        producer.commit().await
    }

    async fn abort(&self) -> Result<(), KafkaError> {
        self.made().await?.abort().await
    }

    fn abandon(&self) {
        if let Some(producer) = self.made.get() {
            producer.abandon();
        }
    }

    async fn close(&self, within: Duration) {
        if let Some(producer) = self.made.get() {
            producer.close(within).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{ClientProps, KnownToWork, Measured, shape};

    fn props(pairs: &[(&str, &str)]) -> ClientProps {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn tasks_of_one_configuration_differ_in_their_names_only() {
        let of = |id, acks| shape(&props(&[("client.id", id), ("acks", acks)]));
        assert_eq!(of("a", "all"), of("b", "all"));
        assert_ne!(of("a", "all"), of("a", "1"));
    }

    #[tokio::test]
    async fn a_configuration_that_does_not_work_fails_at_once_every_time() {
        let (known, measured) = (KnownToWork::default(), Arc::new(Measured::default()));
        let bad = props(&[("bootstrap.servers", "127.0.0.1:9"), ("acks", "maybe")]);
        for _ in 0..2 {
            let failed = known
                .producer(&bad, Arc::new(|_| {}), &measured)
                .err()
                .unwrap();
            assert!(
                failed
                    .message
                    .starts_with("Failed to construct kafka producer"),
                "{failed}"
            );
        }
        let good = props(&[("bootstrap.servers", "127.0.0.1:9")]);
        for _ in 0..2 {
            known.producer(&good, Arc::new(|_| {}), &measured).unwrap();
        }
        assert_eq!(known.lock().len(), 1);
    }
}
