//! The requests: one file each, listed once with their versions. What is not in the list is absent from
//! ApiVersions, so that clients fall back.

mod acls;
mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_configs;
mod api_versions;
mod configs;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod elect_leaders;
mod end_txn;
mod fetch;
mod fetch_answer;
mod fetch_sessions;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod list_transactions;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod produce;
mod quotas;
mod sasl;
mod sync_group;
mod txn_offset_commit;

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Encodable, Request, StrBytes, decode_request_header_from_buffer},
};

use crate::{
    broker::Shared,
    group::{INVALID_PRODUCER_EPOCH, PRODUCER_FENCED},
    listener::Listener,
    log::FileSlice,
    sasl::SaslError,
};

/// What a request knows of its client.
pub(crate) struct Client {
    /// Where it came in.
    pub(crate) listener: Arc<Listener>,
    pub(crate) host: String,
    pub(crate) login: Login,
}

pub(crate) use fetch_sessions::FetchSessions;
pub(crate) use quotas::Quotas;
pub(crate) use sasl::Login;

/// A request that cannot be answered: its connection is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("a request that cannot be understood: {0}")]
    Malformed(String),
    #[error("a request with unknown key {0}")]
    UnknownKey(i16),
    #[error("{key:?} in version {version} is not offered")]
    UnsupportedVersion { key: ApiKey, version: i16 },
    #[error("authentication failed: {0}")]
    AuthenticationFailed(SaslError),
    #[error("{0:?} before authentication")]
    NotAuthenticated(ApiKey),
    #[error(
        "records for {topic}-{partition} that nobody wants to hear of are refused with error {error}"
    )]
    Unacknowledged {
        topic: String,
        partition: i32,
        error: i16,
    },
    #[error("an answer that cannot be written: {0}")]
    Encode(String),
}

/// The requests that are answered, by key, with the versions offered.
pub(super) const OFFERED: &[(ApiKey, i16, i16)] = &[
    (ApiKey::Produce, 3, 12),
    (ApiKey::Fetch, 4, 16),
    (ApiKey::ListOffsets, 1, 9),
    (ApiKey::Metadata, 0, 12),
    (ApiKey::OffsetCommit, 2, 9),
    (ApiKey::OffsetFetch, 1, 9),
    (ApiKey::FindCoordinator, 0, 6),
    (ApiKey::JoinGroup, 0, 9),
    (ApiKey::Heartbeat, 0, 4),
    (ApiKey::LeaveGroup, 0, 5),
    (ApiKey::SyncGroup, 0, 5),
    (ApiKey::DescribeGroups, 0, 5),
    (ApiKey::ListGroups, 0, 4),
    (ApiKey::SaslHandshake, 0, 1),
    (ApiKey::ApiVersions, 0, 4),
    (ApiKey::CreateTopics, 2, 7),
    (ApiKey::DeleteTopics, 1, 6),
    (ApiKey::DeleteRecords, 0, 2),
    (ApiKey::InitProducerId, 0, 5),
    (ApiKey::OffsetForLeaderEpoch, 2, 4),
    (ApiKey::AddPartitionsToTxn, 0, 5),
    (ApiKey::AddOffsetsToTxn, 0, 4),
    (ApiKey::EndTxn, 0, 5),
    (ApiKey::TxnOffsetCommit, 0, 5),
    (ApiKey::DescribeAcls, 1, 3),
    (ApiKey::CreateAcls, 1, 3),
    (ApiKey::DeleteAcls, 1, 3),
    (ApiKey::DescribeConfigs, 1, 4),
    (ApiKey::AlterConfigs, 0, 2),
    (ApiKey::DescribeLogDirs, 1, 4),
    (ApiKey::SaslAuthenticate, 0, 2),
    (ApiKey::CreatePartitions, 0, 3),
    (ApiKey::DeleteGroups, 0, 2),
    (ApiKey::ElectLeaders, 0, 2),
    (ApiKey::IncrementalAlterConfigs, 0, 1),
    (ApiKey::OffsetDelete, 0, 0),
    (ApiKey::DescribeClientQuotas, 0, 1),
    (ApiKey::AlterClientQuotas, 0, 1),
    (ApiKey::DescribeCluster, 0, 1),
    (ApiKey::DescribeProducers, 0, 0),
    (ApiKey::DescribeTransactions, 0, 0),
    (ApiKey::ListTransactions, 0, 1),
    (ApiKey::DescribeTopicPartitions, 0, 0),
];

/// The epoch of every partition's leader: there is one broker, and it leads all the time.
pub(super) const LEADER_EPOCH: i32 = 0;

/// Reads a request of a version.
pub(super) fn read<T: Request>(body: Bytes, version: i16) -> Result<T, RequestError> {
    milena_protocol::decode_request(body, version)
        .map_err(|error| RequestError::Malformed(error.to_string()))
}

/// A fenced producer's code: clients of old versions know the older one alone.
fn fenced(error: i16, known: bool) -> i16 {
    match error {
        PRODUCER_FENCED if !known => INVALID_PRODUCER_EPOCH,
        error => error,
    }
}

/// Room for the length and the header of a response: 4 bytes each, and one for no tagged fields.
const PREFIX_BYTES: usize = 9;

/// A frame to be written: bytes, then parts of files, each with the bytes behind it.
pub(crate) struct Reply {
    pub(crate) head: BytesMut,
    pub(crate) rest: Vec<(FileSlice, Bytes)>,
}

/// A response waiting for its header.
pub(super) enum Answer {
    /// The encoded body behind [`PREFIX_BYTES`] that are free, and what follows: parts of files, each with the
    /// bytes behind it.
    Body(BytesMut, Vec<(FileSlice, Bytes)>),
    /// The client wants none (produce with acks=0).
    None,
}

/// Writes a response of a version.
pub(super) fn write<T: Encodable>(response: &T, version: i16) -> Result<Answer, RequestError> {
    // Its size is asked first: a fetch of megabytes is copied once, not as often as a buffer grows.
    let size = response
        .compute_size(version)
        .map_err(|error| RequestError::Encode(error.to_string()))?;
    let mut body = BytesMut::with_capacity(PREFIX_BYTES + size);
    body.put_bytes(0, PREFIX_BYTES);
    response
        .encode(&mut body, version)
        .map_err(|error| RequestError::Encode(error.to_string()))?;
    Ok(Answer::Body(body, Vec::new()))
}

pub(super) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// Answers one frame; `None`: the client wants no answer.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    client: &mut Client,
    mut frame: Bytes,
) -> Result<Option<Reply>, RequestError> {
    if let Some(answer) = sasl::bare(client, &frame) {
        let rest = Vec::new();
        return answer.map(|head| Some(Reply { head, rest }));
    }
    let number = frame
        .get(..2)
        .and_then(|b| b.try_into().ok())
        .map(i16::from_be_bytes)
        .unwrap_or(-1);
    let asked = frame
        .get(2..4)
        .and_then(|b| b.try_into().ok())
        .map(i16::from_be_bytes)
        .unwrap_or(-1);
    let key = ApiKey::try_from(number).map_err(|()| RequestError::UnknownKey(number))?;
    if !client.login.admits(key) {
        return Err(RequestError::NotAuthenticated(key));
    }
    if key == ApiKey::ApiVersions && !(0..=4).contains(&asked) {
        // The client learns what is offered from an answer in version 0 (KIP-511).
        let correlation = frame
            .get(4..8)
            .and_then(|b| b.try_into().ok())
            .map(i32::from_be_bytes)
            .unwrap_or(0);
        let refused = write(&api_versions::refused(), 0)?;
        return frame_of(key, 0, correlation, refused);
    }
    let offered = OFFERED.iter().find(|(offered, _, _)| *offered == key);
    if !offered.is_some_and(|(_, min, max)| (*min..=*max).contains(&asked)) {
        return Err(RequestError::UnsupportedVersion {
            key,
            version: asked,
        });
    }
    let header: RequestHeader = decode_request_header_from_buffer(&mut frame)
        .map_err(|error| RequestError::Malformed(error.to_string()))?;
    let version = header.request_api_version;
    let answered =
        dispatch(shared, client, key, &header, frame)
            .await
            .map_err(|error| match error {
                RequestError::Encode(text) => {
                    RequestError::Encode(format!("{key:?} version {version}: {text}"))
                }
                other => other,
            });
    frame_of(key, version, header.correlation_id, answered?)
}

fn frame_of(
    key: ApiKey,
    version: i16,
    correlation: i32,
    answer: Answer,
) -> Result<Option<Reply>, RequestError> {
    let Answer::Body(mut body, rest) = answer else {
        return Ok(None);
    };
    let mut head = BytesMut::with_capacity(PREFIX_BYTES);
    let header = ResponseHeader::default().with_correlation_id(correlation);
    header
        .encode(&mut head, key.response_header_version(version))
        .map_err(|error| RequestError::Encode(error.to_string()))?;
    // What the header does not need of the room before the body is left out.
    let unused = PREFIX_BYTES.checked_sub(4 + head.len());
    body.advance(unused.ok_or_else(|| RequestError::Encode("a long header".to_owned()))?);
    let pieces = rest.iter().map(|(slice, after)| slice.len + after.len());
    let length = body.len() - 4 + pieces.sum::<usize>();
    let length = i32::try_from(length).map_err(|_| RequestError::Encode("too long".to_owned()))?;
    let (size, after) = body.split_at_mut(4);
    size.copy_from_slice(&length.to_be_bytes());
    if let Some(place) = after.get_mut(..head.len()) {
        place.copy_from_slice(&head);
    }
    Ok(Some(Reply { head: body, rest }))
}

async fn dispatch(
    shared: &Arc<Shared>,
    client: &mut Client,
    key: ApiKey,
    header: &RequestHeader,
    body: Bytes,
) -> Result<Answer, RequestError> {
    let version = header.request_api_version;
    match key {
        ApiKey::Produce => produce::answer(shared, body, version),
        ApiKey::Fetch => fetch::answer(shared, body, version).await,
        ApiKey::ListOffsets => list_offsets::answer(shared, body, version),
        ApiKey::Metadata => metadata::answer(shared, client, body, version),
        ApiKey::OffsetCommit => offset_commit::answer(shared, body, version),
        ApiKey::OffsetFetch => offset_fetch::answer(shared, body, version),
        ApiKey::FindCoordinator => find_coordinator::answer(shared, client, body, version),
        ApiKey::JoinGroup => join_group::answer(shared, client, header, body).await,
        ApiKey::Heartbeat => heartbeat::answer(shared, body, version),
        ApiKey::LeaveGroup => leave_group::answer(shared, body, version),
        ApiKey::SyncGroup => sync_group::answer(shared, body, version).await,
        ApiKey::DescribeGroups => describe_groups::answer(shared, body, version),
        ApiKey::ListGroups => list_groups::answer(shared, body, version),
        ApiKey::SaslHandshake => sasl::handshake(client, body, version),
        ApiKey::SaslAuthenticate => sasl::authenticate(client, body, version),
        ApiKey::ApiVersions => api_versions::answer(body, version),
        ApiKey::CreateTopics => create_topics::answer(shared, body, version),
        ApiKey::DeleteTopics => delete_topics::answer(shared, body, version),
        ApiKey::DeleteRecords => delete_records::answer(shared, body, version),
        ApiKey::InitProducerId => init_producer_id::answer(shared, body, version),
        ApiKey::OffsetForLeaderEpoch => offset_for_leader_epoch::answer(shared, body, version),
        ApiKey::AddPartitionsToTxn => add_partitions_to_txn::answer(shared, body, version),
        ApiKey::AddOffsetsToTxn => add_offsets_to_txn::answer(shared, body, version),
        ApiKey::EndTxn => end_txn::answer(shared, body, version),
        ApiKey::TxnOffsetCommit => txn_offset_commit::answer(shared, body, version),
        ApiKey::DescribeAcls => acls::describe(body, version),
        ApiKey::CreateAcls => acls::create(body, version),
        ApiKey::DeleteAcls => acls::delete(body, version),
        ApiKey::DescribeClientQuotas => quotas::describe(shared, body, version),
        ApiKey::AlterClientQuotas => quotas::alter(shared, body, version),
        ApiKey::ElectLeaders => elect_leaders::answer(shared, body, version),
        ApiKey::DescribeLogDirs => describe_log_dirs::answer(shared, body, version),
        ApiKey::DescribeTopicPartitions => describe_topic_partitions::answer(shared, body, version),
        ApiKey::DescribeConfigs => describe_configs::answer(shared, body, version),
        ApiKey::AlterConfigs => alter_configs::replace(shared, body, version),
        ApiKey::IncrementalAlterConfigs => alter_configs::change(shared, body, version),
        ApiKey::CreatePartitions => create_partitions::answer(shared, body, version),
        ApiKey::DeleteGroups => delete_groups::answer(shared, body, version),
        ApiKey::OffsetDelete => offset_delete::answer(shared, body, version),
        ApiKey::DescribeCluster => describe_cluster::answer(shared, client, body, version),
        ApiKey::DescribeProducers => describe_producers::answer(shared, body, version),
        ApiKey::DescribeTransactions => list_transactions::describe(shared, body, version),
        ApiKey::ListTransactions => list_transactions::list(shared, body, version),
        other => Err(RequestError::UnsupportedVersion {
            key: other,
            version,
        }),
    }
}
