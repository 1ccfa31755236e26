//! CreatePartitions.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse,
    create_partitions_response::CreatePartitionsTopicResult,
};

use super::{Answer, RequestError, read, text, write};
use crate::{
    broker::Shared,
    group::{INVALID_PARTITIONS, NONE, UNKNOWN_TOPIC_OR_PARTITION},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: CreatePartitionsRequest = read(body, version)?;
    let one =
        |topic: kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic| {
            let result = CreatePartitionsTopicResult::default().with_name(topic.name.clone());
            let Some(known) = shared.store.topic(&topic.name) else {
                return result.with_error_code(UNKNOWN_TOPIC_OR_PARTITION);
            };
            let total = usize::try_from(topic.count).unwrap_or(0);
            if total <= known.partitions().len() {
                let message = format!(
                    "The topic {} currently has {} partition(s); {} would not be an increase.",
                    topic.name.as_str(),
                    known.partitions().len(),
                    topic.count
                );
                return result
                    .with_error_code(INVALID_PARTITIONS)
                    .with_error_message(Some(text(&message)));
            }
            if request.validate_only {
                return result.with_error_code(NONE);
            }
            match shared.store.add_partitions(&topic.name, total) {
                Ok(_) => result.with_error_code(NONE),
                Err(error) => result
                    .with_error_code(INVALID_PARTITIONS)
                    .with_error_message(Some(text(&error.to_string()))),
            }
        };
    let results = request.topics.into_iter().map(one).collect();
    write(
        &CreatePartitionsResponse::default().with_results(results),
        version,
    )
}
