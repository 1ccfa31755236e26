//! The factory: data clients from the library, control clients of our own.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    confluent::{ConfluentFetcher, KnownToWork, Measured},
    ports::{
        AckSink, Admin, ClientMetric, ClientProps, Fetcher, GroupChannel, KafkaClients, KafkaError,
        Producer,
    },
    wire::{Cluster, Of, Traffics, WireAdmin, WireGroup},
};

/// Makes clients of Kafka clusters.
#[derive(Default)]
pub struct MilenaClients {
    measured: Arc<Measured>,
    traffics: Traffics,
    producers: KnownToWork,
}

/// The clients of the program.
#[must_use]
pub fn clients() -> Arc<dyn KafkaClients> {
    Arc::new(MilenaClients::default())
}

#[async_trait]
impl KafkaClients for MilenaClients {
    async fn producer(
        &self,
        props: &ClientProps,
        acks: AckSink,
    ) -> Result<Box<dyn Producer>, KafkaError> {
        self.producers.producer(props, acks, &self.measured)
    }

    async fn fetcher(&self, props: &ClientProps) -> Result<Box<dyn Fetcher>, KafkaError> {
        Ok(Box::new(ConfluentFetcher::new(props, &self.measured)?))
    }

    async fn group(
        &self,
        props: &ClientProps,
        group: &str,
    ) -> Result<Arc<dyn GroupChannel>, KafkaError> {
        let cluster = Arc::new(Cluster::new(props)?);
        Ok(Arc::new(WireGroup::new(cluster, group)))
    }

    async fn worker_group(
        &self,
        props: &ClientProps,
        group: &str,
    ) -> Result<Arc<dyn GroupChannel>, KafkaError> {
        let cluster = Cluster::new(props)?.counted(&self.traffics, Of::Worker);
        Ok(Arc::new(WireGroup::new(Arc::new(cluster), group)))
    }

    async fn admin(&self, props: &ClientProps) -> Result<Arc<dyn Admin>, KafkaError> {
        let cluster = Arc::new(Cluster::new(props)?.counted(&self.traffics, Of::Admin));
        Ok(Arc::new(WireAdmin::new(cluster)))
    }

    fn metrics(&self) -> Vec<ClientMetric> {
        let mut all = self.measured.read();
        all.extend(self.traffics.read());
        all
    }
}
