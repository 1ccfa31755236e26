//! DescribeLogDirs: one directory, and what the partitions take in it. How large the volume is is not told (-1).

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, TopicName,
    describe_log_dirs_response::{
        DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
    },
};

use super::{Answer, RequestError, read, text, write};
use crate::broker::Shared;

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DescribeLogDirsRequest = read(body, version)?;
    let wanted: Option<BTreeSet<(String, i32)>> = request.topics.map(|topics| {
        let topics = topics.iter().flat_map(|topic| {
            let name = topic.topic.to_string();
            topic.partitions.iter().map(move |p| (name.clone(), *p))
        });
        topics.collect()
    });
    let mut topics = Vec::new();
    for topic in shared.store.topics() {
        let mut partitions = Vec::new();
        for (index, log) in (0..).zip(topic.partitions()) {
            let key = (topic.name().to_owned(), index);
            if wanted.as_ref().is_some_and(|wanted| !wanted.contains(&key)) {
                continue;
            }
            let size = log.size_bytes().unwrap_or(0);
            partitions.push(
                DescribeLogDirsPartition::default()
                    .with_partition_index(index)
                    .with_partition_size(i64::try_from(size).unwrap_or(i64::MAX)),
            );
        }
        if !partitions.is_empty() {
            topics.push(
                DescribeLogDirsTopic::default()
                    .with_name(TopicName(text(topic.name())))
                    .with_partitions(partitions),
            );
        }
    }
    let dir = shared.store.dir();
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let result = DescribeLogDirsResult::default()
        .with_log_dir(text(&dir.to_string_lossy()))
        .with_topics(topics);
    write(
        &DescribeLogDirsResponse::default().with_results(vec![result]),
        version,
    )
}
