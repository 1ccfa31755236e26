//! InitProducerId.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Answer, RequestError, fenced, read, write};
use crate::{broker::Shared, group::NONE, txn::InitProducer};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: InitProducerIdRequest = read(body, version)?;
    let (producer_id, epoch) = if version >= 3 {
        (*request.producer_id, request.producer_epoch)
    } else {
        (-1, -1)
    };
    let init = InitProducer {
        transactional_id: request.transactional_id.map(|id| id.to_string()),
        timeout_ms: request.transaction_timeout_ms,
        producer_id,
        epoch,
    };
    let response = match shared.transactions.init(shared, init) {
        Ok((id, epoch)) => InitProducerIdResponse::default()
            .with_error_code(NONE)
            .with_producer_id(id.into())
            .with_producer_epoch(epoch),
        Err(error) => InitProducerIdResponse::default()
            .with_error_code(fenced(error.0, version >= 4))
            .with_producer_id((-1).into())
            .with_producer_epoch(-1),
    };
    write(&response, version)
}
