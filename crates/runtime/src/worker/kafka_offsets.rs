//! The source offsets in their topic, as tasks see them (`KafkaOffsetBackingStore`, spec `distributed.md` 1.6).

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use milena_api::ConnectError;
use milena_core::offsets::OffsetStore;
use milena_data::SourceMap;
use milena_kafka::ports::{Admin, ClientProps, KafkaClients, KafkaError};
use tokio::sync::OnceCell;
use tracing::warn;

use super::{
    appender::{Appender, Entry},
    topic_log::{OnRecords, TopicLog},
};
use crate::task::{OffsetWrite, SourceOffsets};

/// What has been read of the offsets topic.
pub(super) type SharedOffsets = Arc<Mutex<OffsetStore>>;

/// A topic of offsets: the worker's, or a connector's own.
pub(super) struct KafkaOffsets {
    pub(super) topic: Arc<str>,
    pub(super) store: SharedOffsets,
    /// Set when the topic has been opened; tasks start later.
    pub(super) log: OnceCell<(TopicLog, Appender)>,
}

/// The source offsets as requests of people see them.
#[async_trait]
pub(super) trait OffsetBook: Send + Sync {
    /// Reads to the end, then shows what is known of a connector.
    async fn look(&self, connector: &str) -> Result<SharedOffsets, ConnectError>;
    /// Writes entries durably.
    async fn change(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError>;
}

#[async_trait]
impl OffsetBook for KafkaOffsets {
    async fn look(&self, _: &str) -> Result<SharedOffsets, ConnectError> {
        self.catch_up().await?;
        Ok(Arc::clone(&self.store))
    }

    async fn change(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        self.write(entries).await?;
        // The next look sees it, whoever asks.
        self.catch_up().await
    }
}

/// Takes up a record of the offsets topic.
pub(super) fn apply(store: &SharedOffsets, key: Option<&[u8]>, value: Option<&[u8]>) {
    let Some(key) = key else {
        return;
    };
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = store.apply(key, value) {
        warn!(%error, "offsets topic: passing over a record");
    }
}

impl KafkaOffsets {
    /// A topic that is not open yet.
    pub(super) fn new(topic: &str) -> Self {
        Self {
            topic: topic.into(),
            store: Arc::new(Mutex::new(OffsetStore::new())),
            log: OnceCell::new(),
        }
    }

    /// Begins to read the topic, and makes what writes to it.
    pub(super) async fn open_log(
        &self,
        clients: &dyn KafkaClients,
        admin: Arc<dyn Admin>,
        partitions: Vec<i32>,
        reader: &ClientProps,
        writer: &ClientProps,
    ) -> Result<(), KafkaError> {
        let store = Arc::clone(&self.store);
        let on_records: OnRecords = Box::new(move |records| {
            for record in records {
                apply(&store, record.key.as_deref(), record.value.as_deref());
            }
            std::future::ready(()).boxed()
        });
        let fetcher = clients.fetcher(reader).await?;
        let topic = Arc::clone(&self.topic);
        let log = TopicLog::open(topic, partitions, fetcher, admin, on_records).await?;
        let appender = Appender::open(clients, writer).await?;
        // Set once: this is the only place, and it is called once.
        let _ = self.log.set((log, appender));
        Ok(())
    }

    fn open(&self) -> Result<&(TopicLog, Appender), ConnectError> {
        self.log
            .get()
            .ok_or_else(|| ConnectError::connect("the offsets topic is not open yet"))
    }

    /// Reads what is there when the worker starts. What a killed task left open is not waited for: it is ended by
    /// the task that comes after it, which this worker may be the only one to start, and that task reads to the end.
    pub(super) async fn read_first(&self) -> Result<(), ConnectError> {
        match self.open()?.0.read_to_open_transactions().await {
            true => Ok(()),
            false => Err(ConnectError::connect("Failed to read the offsets topic")),
        }
    }

    /// Reads the topic to its end.
    pub(super) async fn catch_up(&self) -> Result<(), ConnectError> {
        match self.open()?.0.read_to_end().await {
            true => Ok(()),
            false => Err(ConnectError::connect(
                "Failed to read to end of offsets topic",
            )),
        }
    }
}

#[async_trait]
impl SourceOffsets for KafkaOffsets {
    async fn read(
        &self,
        connector: &str,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        self.catch_up().await?;
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = |partition| store.offset(connector, partition).cloned();
        Ok(partitions.iter().map(offset).collect())
    }

    async fn write(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        let entries = entries.into_iter().map(|entry| Entry {
            key: entry.key,
            value: entry.value,
        });
        let (_, appender) = self.open()?;
        let written = appender.append(&self.topic, None, entries.collect()).await;
        written.map_err(|error| ConnectError::of(error.class, error.message))
    }

    fn stored_key(&self, connector: &str, partition: &SourceMap) -> Option<Bytes> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let key = store.stored_key(connector, Some(partition))?;
        Some(Bytes::copy_from_slice(key))
    }

    fn topic(&self) -> Option<&str> {
        Some(&self.topic)
    }
}
