//! The factory: data clients from the library, control clients of our own.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    confluent::{ConfluentFetcher, ConfluentProducer},
    ports::{
        AckSink, Admin, ClientProps, Fetcher, GroupChannel, KafkaClients, KafkaError, Producer,
    },
    wire::{Cluster, WireAdmin, WireGroup},
};

/// Makes clients of Kafka clusters.
#[derive(Clone, Copy, Debug, Default)]
pub struct MilenaClients;

/// The clients of the program.
#[must_use]
pub fn clients() -> Arc<dyn KafkaClients> {
    Arc::new(MilenaClients)
}

#[async_trait]
impl KafkaClients for MilenaClients {
    async fn producer(
        &self,
        props: &ClientProps,
        acks: AckSink,
    ) -> Result<Box<dyn Producer>, KafkaError> {
        Ok(Box::new(ConfluentProducer::new(props, acks)?))
    }

    async fn fetcher(&self, props: &ClientProps) -> Result<Box<dyn Fetcher>, KafkaError> {
        Ok(Box::new(ConfluentFetcher::new(props)?))
    }

    async fn group(
        &self,
        props: &ClientProps,
        group: &str,
    ) -> Result<Arc<dyn GroupChannel>, KafkaError> {
        let cluster = Arc::new(Cluster::new(props)?);
        Ok(Arc::new(WireGroup::new(cluster, group)))
    }

    async fn admin(&self, props: &ClientProps) -> Result<Arc<dyn Admin>, KafkaError> {
        let cluster = Arc::new(Cluster::new(props)?);
        Ok(Arc::new(WireAdmin::new(cluster)))
    }
}
