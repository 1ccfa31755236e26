//! DeleteGroups.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, delete_groups_response::DeletableGroupResult,
};

use super::{Answer, RequestError, read, write};
use crate::broker::Shared;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DeleteGroupsRequest = read(body, version)?;
    let one = |id: kafka_protocol::messages::GroupId| {
        let error = shared.groups.delete(&shared.store, &id);
        DeletableGroupResult::default()
            .with_group_id(id)
            .with_error_code(error)
    };
    let results = request.groups_names.into_iter().map(one).collect();
    write(
        &DeleteGroupsResponse::default().with_results(results),
        version,
    )
}
