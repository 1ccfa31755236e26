//! SyncGroup.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use super::{Answer, RequestError, read, text, write};
use crate::broker::Shared;

pub(super) async fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: SyncGroupRequest = read(body, version)?;
    let assignments = request
        .assignments
        .into_iter()
        .map(|given| (given.member_id.to_string(), given.assignment))
        .collect();
    let instance = request.group_instance_id.as_ref().map(|id| id.as_str());
    let answer = shared
        .groups
        .sync(
            &request.group_id,
            &request.member_id,
            instance,
            request.generation_id,
            assignments,
        )
        .await;
    let response = SyncGroupResponse::default()
        .with_error_code(answer.error)
        .with_protocol_type(
            answer
                .protocol_type
                .filter(|_| version >= 5)
                .map(|name| text(&name)),
        )
        .with_protocol_name(
            answer
                .protocol
                .filter(|_| version >= 5)
                .map(|name| text(&name)),
        )
        .with_assignment(answer.assignment);
    write(&response, version)
}
