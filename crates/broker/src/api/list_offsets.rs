//! ListOffsets: earliest, latest, by time, the largest timestamp.

use std::{io, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse,
    list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
};

use super::{Answer, LEADER_EPOCH, RequestError, read, write};
use crate::{
    broker::Shared,
    group::{
        NONE, UNKNOWN_LEADER_EPOCH, UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC_OR_PARTITION,
        UNSUPPORTED_VERSION,
    },
    log::PartitionLog,
};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// Earliest local (KIP-405): nothing is tiered, so the earliest.
const EARLIEST_LOCAL: i64 = -4;
/// Latest tiered (KIP-1005): nothing is tiered.
const LATEST_TIERED: i64 = -5;
/// From these versions on a kind may be asked for; before it is unknown.
const SINCE: [(i64, i16); 3] = [(MAX_TIMESTAMP, 7), (EARLIEST_LOCAL, 8), (LATEST_TIERED, 9)];

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: ListOffsetsRequest = read(body, version)?;
    let committed = request.isolation_level == 1;
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|wanted| {
            let found = shared.store.partition(&topic.name, wanted.partition_index);
            let answer = match found {
                None => Err(UNKNOWN_TOPIC_OR_PARTITION),
                Some(_) if wanted.current_leader_epoch > LEADER_EPOCH => Err(UNKNOWN_LEADER_EPOCH),
                Some(_) if too_early(wanted.timestamp, version) => Err(UNSUPPORTED_VERSION),
                Some(log) => look_up(&log, wanted.timestamp, committed),
            };
            let response = ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index);
            match answer {
                Ok((timestamp, offset)) => response
                    .with_error_code(NONE)
                    .with_timestamp(timestamp)
                    .with_offset(offset)
                    .with_leader_epoch(if offset >= 0 && version >= 4 {
                        LEADER_EPOCH
                    } else {
                        -1
                    }),
                Err(error) => response
                    .with_error_code(error)
                    .with_timestamp(-1)
                    .with_offset(-1),
            }
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default()
            .with_name(topic.name)
            .with_partitions(partitions)
    });
    write(
        &ListOffsetsResponse::default().with_topics(topics.collect()),
        version,
    )
}

fn too_early(timestamp: i64, version: i16) -> bool {
    SINCE
        .iter()
        .any(|(kind, since)| *kind == timestamp && version < *since)
}

fn look_up(log: &PartitionLog, timestamp: i64, committed: bool) -> Result<(i64, i64), i16> {
    let failed = |error: io::Error| {
        tracing::error!(%error, "an offset cannot be looked up");
        UNKNOWN_SERVER_ERROR
    };
    let bounds = log.bounds().map_err(failed)?;
    let end = if committed {
        bounds.last_stable_offset
    } else {
        bounds.high_watermark
    };
    let found = match timestamp {
        LATEST => return Ok((-1, end)),
        EARLIEST | EARLIEST_LOCAL => return Ok((-1, bounds.log_start_offset)),
        LATEST_TIERED => return Ok((-1, -1)),
        MAX_TIMESTAMP => log.max_timestamp_offset().map_err(failed)?,
        time if time >= 0 => log.offset_for_timestamp(time).map_err(failed)?,
        _ => return Err(UNSUPPORTED_VERSION),
    };
    Ok(found
        .filter(|at| at.offset < end)
        .map_or((-1, -1), |at| (at.timestamp, at.offset)))
}
