//! Produce requests, encoded by hand so that the records are not copied again, and what their answers say.

use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use kafka_protocol::messages::ProduceResponse;

use super::{drain::Sent, settings::ProduceSettings, settle::Outcome};

/// The API's key.
pub(super) const KEY: i16 = 0;
/// The last version that names topics; the next has ids, which a topic that was made again changes.
const NAMES_MAX: i16 = 12;
/// The last version whose broker does not add partitions to transactions by itself (KIP-890).
const V1_MAX: i16 = 11;
/// From here on lengths are compact and structures end with tags.
const FLEXIBLE: i16 = 9;

/// The version to use with a broker that knows this one.
pub(super) const fn version(known: i16, v2: bool) -> i16 {
    let most = if v2 { NAMES_MAX } else { V1_MAX };
    if known < most { known } else { most }
}

/// The version of the request's header.
pub(super) const fn header(version: i16) -> i16 {
    if version >= FLEXIBLE { 2 } else { 1 }
}

struct Parts {
    done: Vec<Bytes>,
    open: BytesMut,
    flexible: bool,
}

impl Parts {
    fn varint(&mut self, value: usize) {
        let mut rest = value;
        while rest >= 0x80 {
            self.open.put_u8((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.open.put_u8((rest & 0x7f) as u8);
    }

    fn count(&mut self, count: usize) {
        match self.flexible {
            true => self.varint(count + 1),
            false => self.open.put_u32(u32::try_from(count).unwrap_or(u32::MAX)),
        }
    }

    fn text(&mut self, text: Option<&str>) {
        let length = text.map(str::len);
        match (self.flexible, length) {
            (true, length) => self.varint(length.map_or(0, |length| length + 1)),
            (false, None) => self.open.put_i16(-1),
            (false, Some(length)) => {
                self.open.put_u16(u16::try_from(length).unwrap_or(u16::MAX));
            }
        }
        self.open.put_slice(text.unwrap_or_default().as_bytes());
    }

    fn tags(&mut self) {
        if self.flexible {
            self.open.put_u8(0);
        }
    }

    fn records(&mut self, records: Bytes) {
        self.count(records.len());
        self.done.push(self.open.split().freeze());
        self.done.push(records);
    }
}

/// The body of a request, in parts; batches are sorted by topic, and `records` are theirs.
pub(super) fn body(
    settings: &ProduceSettings,
    version: i16,
    batches: &[Sent],
    records: Vec<Bytes>,
) -> Vec<Bytes> {
    let mut parts = Parts {
        done: Vec::with_capacity(2 * batches.len() + 1),
        open: BytesMut::with_capacity(64 + 48 * batches.len()),
        flexible: version >= FLEXIBLE,
    };
    parts.text(settings.transactional_id.as_deref());
    parts.open.put_i16(settings.acks);
    let timeout = i32::try_from(settings.request_timeout.as_millis()).unwrap_or(i32::MAX);
    parts.open.put_i32(timeout);
    let topics = batches.chunk_by(|a, b| a.at.topic == b.at.topic);
    parts.count(topics.clone().count());
    let mut records = records.into_iter();
    for of_topic in topics {
        let name = of_topic.first().map(|sent| Arc::clone(&sent.topic));
        parts.text(Some(name.as_deref().unwrap_or_default()));
        parts.count(of_topic.len());
        for sent in of_topic {
            let index = i32::try_from(sent.at.partition).unwrap_or(-1);
            parts.open.put_i32(index);
            parts.records(records.next().unwrap_or_default());
            parts.tags();
        }
        parts.tags();
    }
    parts.tags();
    parts.done.push(parts.open.freeze());
    parts.done
}

/// What an answer says of a batch.
pub(super) fn outcome(answer: &ProduceResponse, sent: &Sent) -> Outcome {
    let index = i32::try_from(sent.at.partition).unwrap_or(-1);
    let topic = answer
        .responses
        .iter()
        .find(|topic| topic.name.as_str() == &*sent.topic);
    let said = topic.and_then(|topic| {
        let mut partitions = topic.partition_responses.iter();
        partitions.find(|partition| partition.index == index)
    });
    match said {
        // A broker that does not speak of it has not said that it did nothing.
        None => Outcome::Lost,
        Some(said) if said.error_code == 0 => Outcome::Written(said.base_offset),
        Some(said) => Outcome::Refused {
            code: said.error_code,
            said: said.error_message.as_ref().map(|text| text.as_str().into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{messages::ProduceRequest, protocol::Decodable as _};
    use tokio::time::Instant;

    use super::*;
    use crate::produce::{batch::Batch, topics::At};

    #[test]
    fn what_is_encoded_by_hand_is_what_the_codec_reads() {
        for (version, id) in [(3, None), (8, Some("t")), (9, None), (12, Some("t"))] {
            let props = id.map(|id| ("transactional.id".to_owned(), id.to_owned()));
            let props = props.into_iter().collect();
            let settings = ProduceSettings::from_props(&props).unwrap();
            let sent = |topic, name: &str, partition| Sent {
                at: At { topic, partition },
                topic: name.into(),
                batch: Batch::new(Vec::new(), 0, 0, Instant::now()),
            };
            let batches = [sent(0, "a", 3), sent(0, "a", 4), sent(1, "bb", 0)];
            let records: Vec<Bytes> = vec!["one".into(), vec![7; 300].into(), "three".into()];
            let body = body(&settings, version, &batches, records.clone()).concat();
            let mut body = Bytes::from(body);
            let read = ProduceRequest::decode(&mut body, version).unwrap();
            assert!(body.is_empty());
            assert_eq!(read.acks, -1);
            assert_eq!(read.timeout_ms, 30_000);
            assert_eq!(read.transactional_id.as_ref().map(|id| id.as_str()), id);
            let mut all = Vec::new();
            for topic in &read.topic_data {
                for partition in &topic.partition_data {
                    let name = topic.name.to_string();
                    all.push((name, partition.index, partition.records.clone().unwrap()));
                }
            }
            let wanted = [("a", 3), ("a", 4), ("bb", 0)].into_iter().zip(records);
            let wanted = wanted.map(|((name, at), records)| (name.to_owned(), at, records));
            assert_eq!(all, wanted.collect::<Vec<_>>());
        }
    }
}
