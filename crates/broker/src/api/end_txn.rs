//! EndTxn.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};

use super::{Answer, RequestError, fenced, read, write};
use crate::{broker::Shared, group::NONE, log::MarkerKind};

/// From here the epoch is bumped by every end (KIP-890).
const BUMPS: i16 = 5;

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
    let epoch = request.producer_epoch;
    let response = EndTxnResponse::default();
    let response = if version >= BUMPS {
        let ended = shared
            .transactions
            .end_and_bump(shared, id, producer, epoch, kind);
        match ended {
            Ok((producer, epoch)) => response
                .with_producer_id(producer.into())
                .with_producer_epoch(epoch),
            Err(error) => response.with_error_code(error.0),
        }
    } else {
        let ended = shared.transactions.end(shared, id, producer, epoch, kind);
        let error = ended.map_or_else(|error| error.0, |()| NONE);
        response.with_error_code(fenced(error, version >= 2))
    };
    write(&response, version)
}
