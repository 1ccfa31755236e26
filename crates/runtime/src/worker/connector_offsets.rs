//! The store a connector's offsets are in: the worker's, or a topic of its own before the worker's (KIP-618,
//! `ConnectorOffsetBackingStore`, spec `distributed.md` 1.6.1).
//!
//! What the connector's topic says counts; what it does not say is asked of the worker's. A tombstone reaches the worker's
//! topic first, or a value there would come to light again; everything else reaches it last.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::ConnectError;
use milena_config::Props;
use milena_core::offsets::OffsetStore;
use milena_data::SourceMap;
use milena_kafka::ports::{ClientProps, KafkaClients, KafkaError};
use tracing::{info, warn};

use super::{
    client_props,
    internal_topics::prepare_internal_topics,
    kafka_offsets::{KafkaOffsets, OffsetBook, SharedOffsets},
    settings::InternalTopic,
};
use crate::task::{OffsetWrite, SourceOffsets};

/// How long a commit waits for its copy in the worker's topic, which only spares a reader who comes without the
/// connector's topic from beginning anew.
const COPY_WITHIN: Duration = Duration::from_secs(2);

/// The offsets of one connector, for its tasks and for people.
pub(super) trait ConnectorStore: SourceOffsets + OffsetBook {}

impl<T: SourceOffsets + OffsetBook> ConnectorStore for T {}

/// Where the offsets of connectors are.
#[async_trait]
pub(super) trait OffsetStores: Send + Sync {
    /// The worker's own.
    fn worker(&self) -> Arc<dyn ConnectorStore>;

    /// Those of a connector by its resolved configuration; a topic of its own is created and opened.
    async fn of(
        &self,
        connector: &str,
        config: &Props,
    ) -> Result<Arc<dyn ConnectorStore>, ConnectError>;
}

/// The same store for all: a standalone worker's file (`offsets.storage.topic` has no meaning there).
pub(super) struct OneStore(pub(super) Arc<dyn ConnectorStore>);

#[async_trait]
impl OffsetStores for OneStore {
    fn worker(&self) -> Arc<dyn ConnectorStore> {
        Arc::clone(&self.0)
    }

    async fn of(&self, _: &str, _: &Props) -> Result<Arc<dyn ConnectorStore>, ConnectError> {
        Ok(self.worker())
    }
}

/// What a connector's own store is opened with; one that is open is used again as long as this is the same.
#[derive(PartialEq, Eq)]
struct Opening {
    topic: String,
    admin: ClientProps,
    reader: ClientProps,
    writer: ClientProps,
}

/// The stores of a distributed worker.
pub(super) struct TopicStores {
    worker: Arc<KafkaOffsets>,
    clients: Arc<dyn KafkaClients>,
    worker_props: Props,
    /// The worker's offsets topic: what a connector's is created like.
    template: InternalTopic,
    /// `exactly.once.source.support` is `enabled`.
    exactly_once: bool,
    /// Those in use, by connector: its tasks on this worker share one.
    open: Mutex<BTreeMap<String, Arc<Slot>>>,
}

/// A connector's store while it is in use. The lock is held while it is opened: tasks that start together get the same
/// one, and a cluster that does not answer holds up this connector alone.
type Slot = tokio::sync::Mutex<Option<(Opening, Weak<TwoTopics>)>>;

impl TopicStores {
    pub(super) fn new(
        worker: Arc<KafkaOffsets>,
        clients: Arc<dyn KafkaClients>,
        worker_props: Props,
        template: InternalTopic,
        exactly_once: bool,
    ) -> Self {
        Self {
            worker,
            clients,
            worker_props,
            template,
            exactly_once,
            open: Mutex::default(),
        }
    }

    /// What a connector's own store needs; `None`: it is the worker's.
    fn opening(&self, connector: &str, config: &Props) -> Option<Opening> {
        let named = config.get("offsets.storage.topic").map(|t| t.trim());
        let named = named.filter(|topic| !topic.is_empty());
        // Without exactly-once, only a name leads away from the worker's topic.
        if named.is_none() && !self.exactly_once {
            return None;
        }
        let topic = named.unwrap_or(&self.template.name).to_owned();
        let worker = &self.worker_props;
        let writer = client_props::connector_offsets_writer(worker, config, connector);
        let same_cluster = bootstrap(&writer) == bootstrap(worker);
        if topic == self.template.name && same_cluster {
            return None;
        }
        let client_id = format!("connector-adminclient-{connector}-offsets");
        Some(Opening {
            topic,
            admin: client_props::connector_admin(worker, config, &client_id),
            reader: client_props::connector_offsets_reader(
                worker,
                config,
                connector,
                self.exactly_once,
            ),
            writer,
        })
    }

    fn slot(&self, connector: &str) -> Arc<Slot> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody uses any more is forgotten.
        open.retain(|_, slot| {
            Arc::strong_count(slot) > 1
                || slot.try_lock().is_ok_and(|slot| {
                    slot.as_ref()
                        .is_some_and(|(_, store)| store.strong_count() > 0)
                })
        });
        Arc::clone(open.entry(connector.to_owned()).or_default())
    }

    async fn open(&self, opening: &Opening) -> Result<TwoTopics, ConnectError> {
        let admin = self.clients.admin(&opening.admin).await.map_err(client)?;
        let topic = InternalTopic {
            name: opening.topic.clone(),
            ..self.template.clone()
        };
        let prepared = prepare_internal_topics(&admin, &[&topic]).await;
        let prepared = prepared.map_err(|error| ConnectError::connect(error.to_string()))?;
        let partitions = prepared.into_iter().next().unwrap_or_default();
        let own = KafkaOffsets::new(&opening.topic);
        own.open_log(
            self.clients.as_ref(),
            admin,
            partitions,
            &opening.reader,
            &opening.writer,
        )
        .await
        .map_err(client)?;
        own.catch_up().await?;
        info!(
            topic = opening.topic,
            "the connector's own offsets topic has been read to its end"
        );
        let worker = Arc::clone(&self.worker);
        Ok(TwoTopics { own, worker })
    }
}

/// The brokers a client is told of, compared as a set of texts, as in Java.
fn bootstrap(props: &Props) -> BTreeSet<&str> {
    let servers = props.get("bootstrap.servers").map_or("", String::as_str);
    servers.split(',').map(str::trim).collect()
}

fn client(error: KafkaError) -> ConnectError {
    ConnectError::of(error.class, error.message)
}

#[async_trait]
impl OffsetStores for TopicStores {
    fn worker(&self) -> Arc<dyn ConnectorStore> {
        Arc::clone(&self.worker) as _
    }

    async fn of(
        &self,
        connector: &str,
        config: &Props,
    ) -> Result<Arc<dyn ConnectorStore>, ConnectError> {
        let Some(opening) = self.opening(connector, config) else {
            return Ok(self.worker());
        };
        let slot = self.slot(connector);
        let mut open = slot.lock().await;
        if let Some((known, store)) = open.as_ref()
            && *known == opening
            && let Some(store) = store.upgrade()
        {
            return Ok(store);
        }
        let store = Arc::new(self.open(&opening).await?);
        *open = Some((opening, Arc::downgrade(&store)));
        Ok(store)
    }
}

/// A connector's own topic before the worker's.
pub(super) struct TwoTopics {
    own: KafkaOffsets,
    worker: Arc<KafkaOffsets>,
}

impl TwoTopics {
    /// Both read to their ends, one over the other.
    async fn overlaid(&self, connector: &str) -> Result<OffsetStore, ConnectError> {
        tokio::try_join!(self.own.catch_up(), self.worker.catch_up())?;
        let below = self.worker.store.lock();
        let below = below.unwrap_or_else(PoisonError::into_inner);
        let above = self.own.store.lock();
        let above = above.unwrap_or_else(PoisonError::into_inner);
        Ok(below.overlaid(connector, &above))
    }

    async fn write_copy(&self, entries: Vec<OffsetWrite>) {
        if entries.is_empty() {
            return;
        }
        let written = tokio::time::timeout(COPY_WITHIN, self.worker.write(entries)).await;
        let error = match written {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        warn!(
            topic = self.own.topic.as_ref(),
            error, "offsets were written to the connector's topic, but not copied to the worker's"
        );
    }
}

#[async_trait]
impl SourceOffsets for TwoTopics {
    async fn read(
        &self,
        connector: &str,
        partitions: &[SourceMap],
    ) -> Result<Vec<Option<SourceMap>>, ConnectError> {
        let store = self.overlaid(connector).await?;
        let offset = |partition| store.offset(connector, partition).cloned();
        Ok(partitions.iter().map(offset).collect())
    }

    async fn write(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        let (values, tombstones): (Vec<_>, Vec<_>) = entries
            .iter()
            .cloned()
            .partition(|entry| entry.value.is_some());
        self.worker.write(tombstones).await?;
        self.own.write(entries).await?;
        self.write_copy(values).await;
        Ok(())
    }

    async fn committed(&self, entries: Vec<OffsetWrite>) {
        self.write_copy(entries).await;
    }

    fn stored_key(&self, connector: &str, partition: &SourceMap) -> Option<Bytes> {
        let own = self.own.stored_key(connector, partition);
        own.or_else(|| self.worker.stored_key(connector, partition))
    }

    fn topic(&self) -> Option<&str> {
        self.own.topic()
    }
}

#[async_trait]
impl OffsetBook for TwoTopics {
    async fn look(&self, connector: &str) -> Result<SharedOffsets, ConnectError> {
        Ok(Arc::new(Mutex::new(self.overlaid(connector).await?)))
    }

    async fn change(&self, entries: Vec<OffsetWrite>) -> Result<(), ConnectError> {
        self.write(entries).await?;
        tokio::try_join!(self.own.catch_up(), self.worker.catch_up())?;
        Ok(())
    }
}
