//! AddOffsetsToTxn: the offsets of a group become part of the transaction.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::{Answer, RequestError, fenced, read, write};
use crate::{
    broker::Shared,
    group::{NONE, OFFSETS_TOPIC},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: AddOffsetsToTxnRequest = read(body, version)?;
    let (id, producer) = (&request.transactional_id, *request.producer_id);
    let offsets = [(OFFSETS_TOPIC.to_owned(), 0)];
    let added = shared
        .transactions
        .add(shared, id, producer, request.producer_epoch, offsets);
    let error = added.map_or_else(|error| fenced(error.0, version >= 2), |()| NONE);
    write(
        &AddOffsetsToTxnResponse::default().with_error_code(error),
        version,
    )
}
