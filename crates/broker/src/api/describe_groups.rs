//! DescribeGroups.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    DescribeGroupsRequest, DescribeGroupsResponse,
    describe_groups_response::{DescribedGroup, DescribedGroupMember},
};

use super::{Answer, RequestError, read, text, write};
use crate::broker::Shared;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DescribeGroupsRequest = read(body, version)?;
    let mut groups = Vec::new();
    for id in request.groups {
        let described = DescribedGroup::default().with_group_id(id.clone());
        // An unknown group is described as dead, as Kafka does before version 6.
        let Some(group) = shared.groups.describe(&id) else {
            groups.push(described.with_group_state(text("Dead")));
            continue;
        };
        let member = |member: crate::group::MemberDescription| {
            DescribedGroupMember::default()
                .with_member_id(text(&member.id))
                .with_group_instance_id(
                    member
                        .instance_id
                        .filter(|_| version >= 4)
                        .map(|id| text(&id)),
                )
                .with_client_id(text(&member.client_id))
                .with_client_host(text(&member.client_host))
                .with_member_metadata(member.metadata)
                .with_member_assignment(member.assignment)
        };
        groups.push(
            described
                .with_group_state(text(group.state))
                .with_protocol_type(text(&group.protocol_type))
                .with_protocol_data(text(&group.protocol))
                .with_members(group.members.into_iter().map(member).collect()),
        );
    }
    write(
        &DescribeGroupsResponse::default().with_groups(groups),
        version,
    )
}
