//! DescribeCluster.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    BrokerId, DescribeClusterRequest, DescribeClusterResponse,
    describe_cluster_response::DescribeClusterBroker,
};

use super::{Answer, Client, RequestError, read, text, write};
use crate::broker::Shared;

pub(super) fn answer(
    shared: &Arc<Shared>,
    client: &Client,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let _: DescribeClusterRequest = read(body, version)?;
    let node = BrokerId(shared.config.node_id);
    let response = DescribeClusterResponse::default()
        .with_cluster_id(text(&shared.cluster_id))
        .with_controller_id(node)
        .with_brokers(vec![
            DescribeClusterBroker::default()
                .with_broker_id(node)
                .with_host(text(&client.listener.host))
                .with_port(i32::from(client.listener.port)),
        ]);
    write(&response, version)
}
