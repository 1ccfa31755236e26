//! The factory of clients.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{AckSink, Admin, ClientMetric, Fetcher, GroupChannel, KafkaError, Producer};

/// Client properties under Java's names, already merged by precedence.
pub type ClientProps = BTreeMap<String, String>;

/// Makes clients from properties under Java's names. A property that cannot be honoured is refused by
/// name; none is silently ignored when it changes what is written or read.
#[async_trait]
pub trait KafkaClients: Send + Sync {
    /// A producer; `acks` takes what becomes of its records.
    async fn producer(
        &self,
        props: &ClientProps,
        acks: AckSink,
    ) -> Result<Box<dyn Producer>, KafkaError>;
    /// A fetcher; `isolation.level`, `auto.offset.reset`, `max.poll.records` and fetch sizes apply.
    async fn fetcher(&self, props: &ClientProps) -> Result<Box<dyn Fetcher>, KafkaError>;
    /// A channel to the coordinator of a group.
    async fn group(
        &self,
        props: &ClientProps,
        group: &str,
    ) -> Result<Arc<dyn GroupChannel>, KafkaError>;
    /// The same for the group of the workers, whose traffic is shown as the worker's own (`connect-metrics`).
    async fn worker_group(
        &self,
        props: &ClientProps,
        group: &str,
    ) -> Result<Arc<dyn GroupChannel>, KafkaError> {
        self.group(props, group).await
    }
    /// An admin client.
    async fn admin(&self, props: &ClientProps) -> Result<Arc<dyn Admin>, KafkaError>;
    /// What the producers and fetchers that are alive measure of themselves, in the order of names.
    fn metrics(&self) -> Vec<ClientMetric> {
        Vec::new()
    }
}
