//! The way of a record through a task: the connector's chain under the error policy
//! (spec `data.md` 5.2, 5.3).

use std::sync::Arc;

use bytes::Bytes;
use milena_api::{
    ConnectError, ConverterPlugin, HeaderConverterPlugin, PredicatePlugin, RawHeader,
    TransformPlugin,
};
use milena_chain::{Chain, Encoded, Plugins};
use milena_config::Props;
use milena_core::failure::Stage;
use milena_data::Record;
use milena_registry::Registry;
use tokio::time::Instant;

use super::failing::{ErrorPolicy, StageFailure};

/// The registry as a chain looks plugins up.
struct Shelves<'a>(&'a Registry);

impl Plugins for Shelves<'_> {
    fn transform(&self, name: &str) -> Option<Arc<dyn TransformPlugin>> {
        self.0.transform(name).ok().cloned()
    }
    fn predicate(&self, name: &str) -> Option<Arc<dyn PredicatePlugin>> {
        self.0.predicate(name).ok().cloned()
    }
    fn converter(&self, name: &str) -> Option<Arc<dyn ConverterPlugin>> {
        self.0.converter(name).ok().cloned()
    }
    fn header_converter(&self, name: &str) -> Option<Arc<dyn HeaderConverterPlugin>> {
        self.0.header_converter(name).ok().cloned()
    }
}

/// The chain of one task.
pub(super) struct Pipeline(Chain);

impl Pipeline {
    /// Builds the chain of a connector; a converter that it does not name is the worker's, with the
    /// worker's settings.
    pub(super) fn new(
        registry: &Registry,
        connector: &Props,
        worker: &Props,
    ) -> Result<Self, ConnectError> {
        Chain::new(&Shelves(registry), connector, worker).map(Self)
    }

    /// Transforms and converts a source record. `Ok(None)`: filtered, or skipped by tolerance.
    pub(super) async fn encode(
        &mut self,
        record: &Record,
        policy: &ErrorPolicy,
    ) -> Result<Option<(Record, Encoded)>, ConnectError> {
        let begun = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let failure = match self.try_encode(record.clone()).await {
                Ok(encoded) => return Ok(encoded),
                Err(failure) => failure,
            };
            if failure.error.is_retriable() && policy.wait_to_retry(attempt, begun).await {
                continue;
            }
            policy.judge(&failure, || {
                format!(", where source record is = {}", describe(record))
            })?;
            return Ok(None);
        }
    }

    async fn try_encode(
        &mut self,
        record: Record,
    ) -> Result<Option<(Record, Encoded)>, StageFailure> {
        let Some(record) = self.transform(record).await? else {
            return Ok(None);
        };
        let encoded = self.0.encode(&record).await.map_err(failed)?;
        Ok(Some((record, encoded)))
    }

    /// Converts a consumed record (its key and value not yet set) and transforms it.
    pub(super) async fn try_decode(
        &mut self,
        record: Record,
        key: Option<&Bytes>,
        value: Option<&Bytes>,
        raw: &[RawHeader],
    ) -> Result<Option<Record>, StageFailure> {
        let decoded = self.0.decode(record, key, value, raw).await;
        self.transform(decoded.map_err(failed)?).await
    }

    async fn transform(&mut self, record: Record) -> Result<Option<Record>, StageFailure> {
        if self.0.transforms().is_per_record() {
            return self.0.apply(record).map_err(failed);
        }
        let mut outcomes = self.0.apply_batch(vec![record]).await;
        outcomes.pop().unwrap_or(Ok(None)).map_err(failed)
    }
}

fn failed(failure: milena_chain::StageFailure) -> StageFailure {
    StageFailure {
        stage: match failure.stage {
            milena_chain::Stage::Transformation => Stage::Transformation,
            milena_chain::Stage::KeyConverter => Stage::KeyConverter,
            milena_chain::Stage::ValueConverter => Stage::ValueConverter,
            milena_chain::Stage::HeaderConverter => Stage::HeaderConverter,
        },
        class: failure.class.to_string(),
        error: failure.error,
    }
}

fn describe(record: &Record) -> String {
    format!(
        "topic='{}', kafkaPartition={:?}",
        record.topic, record.partition
    )
}
