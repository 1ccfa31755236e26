//! DeleteTopics, by name or id.

use std::sync::Arc;

use bytes::Bytes;
use kafka_protocol::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, TopicName,
    delete_topics_response::DeletableTopicResult,
};

use super::{Answer, RequestError, read, text, write};
use crate::{
    broker::Shared,
    group::{UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION},
};

pub(super) fn answer(
    shared: &Arc<Shared>,
    body: Bytes,
    version: i16,
) -> Result<Answer, RequestError> {
    let request: DeleteTopicsRequest = read(body, version)?;
    let mut responses = Vec::new();
    for name in request.topic_names {
        let error = delete(shared, &name);
        responses.push(
            DeletableTopicResult::default()
                .with_name(Some(name))
                .with_error_code(error),
        );
    }
    for topic in request.topics {
        let (name, id) = match topic.name {
            Some(name) => {
                let id = shared.store.topic(&name).map(|known| known.id());
                (Some(name), id.unwrap_or(topic.topic_id))
            }
            None => {
                let known = shared.store.topic_by_id(topic.topic_id);
                (
                    known.map(|topic| TopicName(text(topic.name()))),
                    topic.topic_id,
                )
            }
        };
        let error = name
            .as_ref()
            .map_or(UNKNOWN_TOPIC_ID, |name| delete(shared, name));
        responses.push(
            DeletableTopicResult::default()
                .with_name(name)
                .with_topic_id(if version >= 6 { id } else { uuid::Uuid::nil() })
                .with_error_code(error),
        );
    }
    write(
        &DeleteTopicsResponse::default().with_responses(responses),
        version,
    )
}

fn delete(shared: &Shared, name: &str) -> i16 {
    if shared.store.topic(name).is_none() {
        return UNKNOWN_TOPIC_OR_PARTITION;
    }
    match shared.store.delete_topic(name) {
        Ok(()) => shared.groups.forget_topic(&shared.store, name),
        Err(error) => {
            tracing::error!(topic = name, %error, "a topic could not be deleted");
            UNKNOWN_SERVER_ERROR
        }
    }
}
