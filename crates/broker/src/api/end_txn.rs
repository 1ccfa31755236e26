//! EndTxn.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::{Answer, RequestError, read, write};
use crate::{broker::Shared, group::NONE, log::MarkerKind};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: EndTxnRequest = read(body, version)?;
    let kind = if request.committed {
        MarkerKind::Commit
    } else {
        MarkerKind::Abort
    };
    let (id, producer) = (&request.transactional_id, *request.producer_id);
    let ended = shared
        .transactions
        .end(shared, id, producer, request.producer_epoch, kind);
    let error = ended.map_or_else(|error| error.0, |()| NONE);
    write(&EndTxnResponse::default().with_error_code(error), version)
}
