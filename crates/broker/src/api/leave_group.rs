//! LeaveGroup, one member or several (KIP-345).

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    LeaveGroupRequest, LeaveGroupResponse, leave_group_response::MemberResponse,
};

use super::{Answer, RequestError, read, write};
use crate::broker::Shared;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: LeaveGroupRequest = read(body, version)?;
    let response = if version >= 3 {
        let one = |member: kafka_protocol::messages::leave_group_request::MemberIdentity| {
            let instance = member.group_instance_id.as_ref().map(|id| id.as_str());
            let error = shared
                .groups
                .leave(&request.group_id, &member.member_id, instance);
            MemberResponse::default()
                .with_member_id(member.member_id.clone())
                .with_group_instance_id(member.group_instance_id.clone())
                .with_error_code(error)
        };
        LeaveGroupResponse::default().with_members(request.members.into_iter().map(one).collect())
    } else {
        let error = shared
            .groups
            .leave(&request.group_id, &request.member_id, None);
        LeaveGroupResponse::default().with_error_code(error)
    };
    write(&response, version)
}
