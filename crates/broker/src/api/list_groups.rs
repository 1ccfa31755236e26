//! ListGroups.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    GroupId, ListGroupsRequest, ListGroupsResponse, list_groups_response::ListedGroup,
};

use super::{Answer, RequestError, read, text, write};
use crate::broker::Shared;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: ListGroupsRequest = read(body, version)?;
    let mut groups = Vec::new();
    for name in shared.groups.names() {
        let Some(group) = shared.groups.describe(&name) else {
            continue;
        };
        let filter = &request.states_filter;
        if !filter.is_empty()
            && !filter
                .iter()
                .any(|state| state.eq_ignore_ascii_case(group.state))
        {
            continue;
        }
        groups.push(
            ListedGroup::default()
                .with_group_id(GroupId(text(&name)))
                .with_protocol_type(text(&group.protocol_type))
                .with_group_state(text(if version >= 4 { group.state } else { "" })),
        );
    }
    write(&ListGroupsResponse::default().with_groups(groups), version)
}
