//! Fencing producers: InitProducerId for somebody else's transactional id (KIP-618).
//!
//! The coordinator bumps the epoch and aborts the open transaction; the older instance cannot write any more.

use std::time::Duration;

use kafka_protocol::messages::{InitProducerIdRequest, ProducerId, TransactionalId};

use super::{
    super::{cluster::Lane, codes, lookup::CoordinatorOf, retry::Retry},
    WireAdmin, text,
};
use crate::ports::{KafkaError, KafkaErrorKind};

impl WireAdmin {
    /// Fences one id; `within` bounds the attempts and is the transaction timeout that is registered.
    pub(super) async fn fence(&self, id: &str, within: Duration) -> Result<(), KafkaError> {
        let mut retry = Retry::new(self.cluster.settings(), "fenceProducers", within);
        loop {
            match self.fence_once(id, within).await {
                Ok(()) => return Ok(()),
                Err(error) => retry.again(error).await?,
            }
        }
    }

    async fn fence_once(&self, id: &str, within: Duration) -> Result<(), KafkaError> {
        let of = CoordinatorOf::Transaction(id);
        let coordinator = self.cluster.find_coordinator(of).await?.id;
        let millis = i32::try_from(within.as_millis()).unwrap_or(i32::MAX);
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(id))))
            .with_transaction_timeout_ms(millis)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let timeout = self.cluster.settings().request_timeout;
        let answer = self
            .cluster
            .call(coordinator, Lane::Prompt, |_| request, timeout)
            .await?;
        let what = format!("fencing of transactional id {id}");
        codes::check(answer.error_code, &what, None).map_err(|mut error| {
            // Somebody else bumped the epoch between two steps of ours: the next attempt goes past it.
            if error.kind == KafkaErrorKind::Fenced {
                error.kind = KafkaErrorKind::Retriable;
            }
            error
        })
    }
}
