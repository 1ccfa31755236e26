//! Heartbeat.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use super::{Answer, RequestError, read, write};
use crate::{broker::Shared, group::INVALID_GROUP_ID};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: HeartbeatRequest = read(body, version)?;
    let instance = request.group_instance_id.as_ref().map(|id| id.as_str());
    let error = if request.group_id.is_empty() {
        INVALID_GROUP_ID
    } else {
        shared.groups.heartbeat(
            &request.group_id,
            &request.member_id,
            instance,
            request.generation_id,
        )
    };
    write(
        &HeartbeatResponse::default().with_error_code(error),
        version,
    )
}
