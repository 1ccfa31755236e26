//! Any frame, decoded as the embedded broker decodes it: the key and version, the header, and the body of
//! the request that these name.
#![no_main]

use bytes::Bytes;
use kafka_protocol::{
    messages::*,
    protocol::{Request, decode_request_header_from_buffer},
};
use libfuzzer_sys::fuzz_target;

fn body<R: Request>(bytes: Bytes, version: i16) {
    if R::VERSIONS.min <= version && version <= R::VERSIONS.max {
        let _ = milena_protocol::decode_request::<R>(bytes, version);
    }
}

macro_rules! bodies {
    ($key:expr, $bytes:expr, $version:expr, $($name:ident => $request:ty),* $(,)?) => {
        match $key {
            $(ApiKey::$name => body::<$request>($bytes, $version),)*
            _ => {}
        }
    };
}

fuzz_target!(|data: &[u8]| {
    let mut frame = Bytes::copy_from_slice(data);
    // The broker refuses what is too short for a key and a version before the codec sees it.
    if frame.len() < 4 {
        return;
    }
    let Some(key) = frame.get(..2).and_then(|two| two.try_into().ok()).map(i16::from_be_bytes) else { return };
    // Most numbers name no request: each stands for one that does.
    let key = key.rem_euclid(70);
    let Ok(key) = ApiKey::try_from(key) else { return };
    let mut named = frame.to_vec();
    if let Some(place) = named.get_mut(..2) {
        place.copy_from_slice(&(key as i16).to_be_bytes());
    }
    frame = named.into();
    let Ok(header) = decode_request_header_from_buffer(&mut frame) else { return };
    bodies!(key, frame, header.request_api_version,
        Produce => ProduceRequest,
        Fetch => FetchRequest,
        ListOffsets => ListOffsetsRequest,
        Metadata => MetadataRequest,
        OffsetCommit => OffsetCommitRequest,
        OffsetFetch => OffsetFetchRequest,
        FindCoordinator => FindCoordinatorRequest,
        JoinGroup => JoinGroupRequest,
        Heartbeat => HeartbeatRequest,
        LeaveGroup => LeaveGroupRequest,
        SyncGroup => SyncGroupRequest,
        DescribeGroups => DescribeGroupsRequest,
        ListGroups => ListGroupsRequest,
        SaslHandshake => SaslHandshakeRequest,
        ApiVersions => ApiVersionsRequest,
        CreateTopics => CreateTopicsRequest,
        DeleteTopics => DeleteTopicsRequest,
        DeleteRecords => DeleteRecordsRequest,
        InitProducerId => InitProducerIdRequest,
        OffsetForLeaderEpoch => OffsetForLeaderEpochRequest,
        AddPartitionsToTxn => AddPartitionsToTxnRequest,
        AddOffsetsToTxn => AddOffsetsToTxnRequest,
        EndTxn => EndTxnRequest,
        TxnOffsetCommit => TxnOffsetCommitRequest,
        DescribeAcls => DescribeAclsRequest,
        CreateAcls => CreateAclsRequest,
        DeleteAcls => DeleteAclsRequest,
        DescribeConfigs => DescribeConfigsRequest,
        AlterConfigs => AlterConfigsRequest,
        SaslAuthenticate => SaslAuthenticateRequest,
        CreatePartitions => CreatePartitionsRequest,
        DeleteGroups => DeleteGroupsRequest,
        IncrementalAlterConfigs => IncrementalAlterConfigsRequest,
        OffsetDelete => OffsetDeleteRequest,
        DescribeCluster => DescribeClusterRequest,
        DescribeProducers => DescribeProducersRequest,
        DescribeTransactions => DescribeTransactionsRequest,
        ListTransactions => ListTransactionsRequest,
    );
});
