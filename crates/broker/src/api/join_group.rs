//! JoinGroup.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        JoinGroupRequest, JoinGroupResponse, RequestHeader,
        join_group_response::JoinGroupResponseMember,
    },
    protocol::StrBytes,
};
use uuid::Uuid;

use super::{Answer, Client, RequestError, read, text, write};
use crate::{
    broker::Shared,
    group::{INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, Join, JoinAnswer},
};

pub(super) async fn answer(
    shared: &Arc<Shared>,
    client: &Client,
    header: &RequestHeader,
    body: Bytes,
) -> Result<Answer, RequestError> {
    let version = header.request_api_version;
    let request: JoinGroupRequest = read(body, version)?;
    let client_id = header
        .client_id
        .as_ref()
        .map(StrBytes::to_string)
        .unwrap_or_default();
    let millis = |n: i32| Duration::from_millis(u64::try_from(n).unwrap_or(0));
    let session_timeout = millis(request.session_timeout_ms);
    let instance_id = request.group_instance_id.as_ref().map(StrBytes::to_string);
    shared.next_member.fetch_add(1, Ordering::Relaxed);
    let prefix = instance_id.clone().unwrap_or_else(|| client_id.clone());
    let join = Join {
        member_id: request.member_id.to_string(),
        instance_id,
        client_id,
        client_host: client.host.clone(),
        session_timeout,
        // Version 0 has none: the session's time counts.
        rebalance_timeout: if version == 0 {
            session_timeout
        } else {
            millis(request.rebalance_timeout_ms)
        },
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .into_iter()
            .map(|p| (p.name.to_string(), p.metadata))
            .collect(),
        requires_known_id: version >= 4,
        skips_assignment: version >= 9,
        fresh_id: format!("{prefix}-{}", Uuid::new_v4()),
    };
    let refused = |error| JoinAnswer {
        error,
        generation: -1,
        member_id: join.member_id.clone(),
        ..JoinAnswer::default()
    };
    let config = &shared.config;
    let allowed = config.group_min_session_timeout..=config.group_max_session_timeout;
    let answer = if request.group_id.is_empty() {
        refused(INVALID_GROUP_ID)
    } else if !allowed.contains(&session_timeout) {
        refused(INVALID_SESSION_TIMEOUT)
    } else {
        shared.groups.join(&request.group_id, join).await
    };
    let members = answer.members.into_iter().map(|(id, instance, metadata)| {
        JoinGroupResponseMember::default()
            .with_member_id(text(&id))
            .with_group_instance_id(
                instance
                    .filter(|_| version >= 5)
                    .map(|instance| text(&instance)),
            )
            .with_metadata(metadata)
    });
    let protocol = answer.protocol.map(|name| text(&name));
    let response = JoinGroupResponse::default()
        .with_error_code(answer.error)
        .with_generation_id(answer.generation)
        .with_protocol_type(
            answer
                .protocol_type
                .filter(|_| version >= 7)
                .map(|name| text(&name)),
        )
        // Before version 7 the name cannot be null.
        .with_protocol_name(if version >= 7 {
            protocol
        } else {
            Some(protocol.unwrap_or_default())
        })
        .with_leader(text(&answer.leader))
        .with_skip_assignment(answer.skip_assignment)
        .with_member_id(text(&answer.member_id))
        .with_members(members.collect());
    write(&response, version)
}
