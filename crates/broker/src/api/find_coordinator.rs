//! FindCoordinator: this broker, for groups and transactions. Of share groups there is none.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    BrokerId, FindCoordinatorRequest, FindCoordinatorResponse,
    find_coordinator_response::Coordinator,
};

use super::{Answer, Client, RequestError, read, text, write};
use crate::{broker::Shared, group::INVALID_REQUEST};

/// Key types: groups and transactions.
const KINDS: [i8; 2] = [0, 1];

pub(super) fn answer(
    shared: &Arc<Shared>,
    client: &Client,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: FindCoordinatorRequest = read(body, version)?;
    if !KINDS.contains(&request.key_type) {
        return write(&unknown(request, version), version);
    }
    let (node, port) = (
        BrokerId(shared.config.node_id),
        i32::from(client.listener.port),
    );
    let host = text(&client.listener.host);
    let response = if version >= 4 {
        let one = |key| {
            Coordinator::default()
                .with_key(key)
                .with_node_id(node)
                .with_host(host.clone())
                .with_port(port)
        };
        let coordinators = request.coordinator_keys.into_iter().map(one).collect();
        FindCoordinatorResponse::default().with_coordinators(coordinators)
    } else {
        FindCoordinatorResponse::default()
            .with_node_id(node)
            .with_host(host)
            .with_port(port)
    };
    write(&response, version)
}

fn unknown(request: FindCoordinatorRequest, version: i16) -> FindCoordinatorResponse {
    let nobody = BrokerId(-1);
    if version < 4 {
        return FindCoordinatorResponse::default()
            .with_error_code(INVALID_REQUEST)
            .with_node_id(nobody)
            .with_port(-1);
    }
    let keys = request.coordinator_keys.into_iter();
    let refused = keys.map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(INVALID_REQUEST)
            .with_node_id(nobody)
            .with_port(-1)
    });
    FindCoordinatorResponse::default().with_coordinators(refused.collect())
}
