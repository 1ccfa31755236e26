//! The factory: data clients of our own or of the library, control clients of our own.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    confluent::{ConfluentFetcher, KnownToWork, Measured},
    fetch::NativeFetcher,
    measure::Registry,
    ports::{
        AckSink, Admin, ClientMetric, ClientProps, Fetcher, GroupChannel, KafkaClients, KafkaError,
        Producer,
    },
    produce::NativeProducer,
    wire::{Cluster, Of, Traffics, WireAdmin, WireGroup},
};

/// Whose producers and fetchers move the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataClient {
    /// Our own, over the wire client.
    #[default]
    Native,
    /// Those of the `confluent-kafka` crate.
    Library,
}

/// Makes clients of Kafka clusters.
#[derive(Default)]
pub struct MilenaClients {
    data: DataClient,
    measured: Arc<Measured>,
    registry: Registry,
    traffics: Traffics,
    producers: KnownToWork,
}

/// The clients of the program.
#[must_use]
pub fn clients() -> Arc<dyn KafkaClients> {
    clients_with(DataClient::default())
}

/// The clients of the program, with these for data.
#[must_use]
pub fn clients_with(data: DataClient) -> Arc<dyn KafkaClients> {
    Arc::new(MilenaClients {
        data,
        ..MilenaClients::default()
    })
}

#[async_trait]
impl KafkaClients for MilenaClients {
    async fn producer(
        &self,
        props: &ClientProps,
        acks: AckSink,
    ) -> Result<Box<dyn Producer>, KafkaError> {
        match self.data {
            DataClient::Native => Ok(Box::new(NativeProducer::new(
                props,
                acks,
                &self.traffics,
                &self.registry,
            )?)),
            DataClient::Library => self.producers.producer(props, acks, &self.measured),
        }
    }

    async fn fetcher(&self, props: &ClientProps) -> Result<Box<dyn Fetcher>, KafkaError> {
        match self.data {
            DataClient::Native => Ok(Box::new(NativeFetcher::new(
                props,
                (&self.registry, &self.traffics),
            )?)),
            DataClient::Library => Ok(Box::new(ConfluentFetcher::new(props, &self.measured)?)),
        }
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
        all.extend(self.registry.read());
        all.extend(self.traffics.read());
        all
    }
}
