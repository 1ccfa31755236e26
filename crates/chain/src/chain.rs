//! Converters and transforms together: the whole way of a record through a task.

use bytes::Bytes;
use milena_api::{ConnectError, RawHeader};
use milena_config::Props;
use milena_data::Record;

use crate::{
    Converters, Encoded, Observer, Plugins, RawRecord, Stage, StageFailure, TransformChain,
};

/// The chain of one task. Sources: [`Self::apply`], then [`Self::encode`]. Sinks: [`Self::decode`],
/// then [`Self::apply`].
#[derive(Debug)]
pub struct Chain {
    transforms: TransformChain,
    converters: Converters,
}

impl Chain {
    /// Builds the chain of a connector; converters that it does not name are the worker's.
    ///
    /// # Errors
    /// The configuration does not fit, or a class is not known.
    pub fn new(
        plugins: &dyn Plugins,
        connector: &Props,
        worker: &Props,
    ) -> Result<Self, ConnectError> {
        Ok(Self {
            transforms: TransformChain::new(plugins, connector)?,
            converters: Converters::new(plugins, connector, worker)?,
        })
    }

    /// The transforms alone.
    pub fn transforms(&mut self) -> &mut TransformChain {
        &mut self.transforms
    }

    /// Sets or removes who looks at each stage: the transforms and the converters.
    pub fn observe(&mut self, observer: Option<Box<dyn Observer>>) {
        self.transforms.observe(observer);
    }

    /// Runs the transforms on one record; `None`: filtered.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub fn apply(&mut self, record: Record) -> Result<Option<Record>, StageFailure> {
        self.transforms.apply(record)
    }

    /// Runs the transforms on each record of a batch; one outcome per record, in order.
    pub async fn apply_batch(
        &mut self,
        records: Vec<Record>,
    ) -> Vec<Result<Option<Record>, StageFailure>> {
        self.transforms.apply_batch(records).await
    }

    /// Bytes from Kafka into a record whose topic is set.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub async fn decode(
        &mut self,
        mut record: Record,
        key: Option<&Bytes>,
        value: Option<&Bytes>,
        headers: &[RawHeader],
    ) -> Result<Record, StageFailure> {
        let raw = RawRecord {
            key,
            value,
            headers,
        };
        self.decode_from(Stage::KeyConverter, &mut record, raw)
            .await?;
        Ok(record)
    }

    /// As [`Self::decode`], from a stage on: to go on after a retriable failure there. What the stages
    /// before it made is in the record.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub async fn decode_from(
        &mut self,
        first: Stage,
        record: &mut Record,
        raw: RawRecord<'_>,
    ) -> Result<(), StageFailure> {
        let observer = self.transforms.observer();
        self.converters
            .decode_seen(first, record, raw, observer)
            .await
    }

    /// Whether transforms and converters all work record by record, and nobody looks: then nothing is waited for.
    #[must_use]
    pub fn works_at_once(&self) -> bool {
        self.transforms.is_per_record()
            && self.transforms.is_unseen()
            && self.converters.is_per_record()
    }

    /// As [`Self::decode_from`] the first stage, for a chain that [`works at once`](Self::works_at_once). The key and the
    /// value of the record may be those of an earlier one: their memory is used again.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub fn decode_at_once(
        &mut self,
        record: &mut Record,
        raw: RawRecord<'_>,
    ) -> Result<(), StageFailure> {
        self.converters.decode_at_once(record, raw)
    }

    /// As [`Self::encode_from`] the first stage, for a chain that [`works at once`](Self::works_at_once).
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub fn encode_at_once(
        &mut self,
        record: &Record,
        made: &mut Encoded,
    ) -> Result<(), StageFailure> {
        self.converters.encode_at_once(record, made)
    }

    /// A record to the bytes for Kafka.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub async fn encode(&mut self, record: &Record) -> Result<Encoded, StageFailure> {
        let mut made = Encoded::default();
        self.encode_from(Stage::HeaderConverter, record, &mut made)
            .await?;
        Ok(made)
    }

    /// As [`Self::encode`], from a stage on: to go on after a retriable failure there. What the stages
    /// before it made is in `made`.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub async fn encode_from(
        &mut self,
        first: Stage,
        record: &Record,
        made: &mut Encoded,
    ) -> Result<(), StageFailure> {
        let observer = self.transforms.observer();
        self.converters
            .encode_seen(first, record, made, observer)
            .await
    }
}
