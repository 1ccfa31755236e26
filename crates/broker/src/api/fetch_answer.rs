//! The answer to a fetch, written around its batches: they stay in their files until the socket takes them.
//!
//! Must never copy a record that is in a file.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{TopicName, fetch_response::PartitionData},
    protocol::{Encodable, StrBytes},
};
use uuid::Uuid;

use super::{Answer, PREFIX_BYTES, RequestError};
use crate::log::{FileSlice, Records};

/// From here on lengths are compact and there are tagged fields.
const FLEXIBLE: i16 = 12;
/// From here on topics are named by their id.
pub(super) const BY_ID: i16 = 13;
/// From here on there are sessions, and a code for the whole answer.
const SESSIONS: i16 = 7;

/// A partition's part of the answer.
pub(super) struct Told {
    /// Everything but the records.
    pub(super) data: PartitionData,
    pub(super) records: Records,
}

/// A topic's part of the answer.
pub(super) struct ToldTopic {
    pub(super) name: TopicName,
    pub(super) id: Uuid,
    pub(super) partitions: Vec<Told>,
}

/// The answer.
#[derive(Default)]
pub(super) struct FetchAnswer {
    pub(super) session_id: i32,
    pub(super) topics: Vec<ToldTopic>,
}

/// Bytes with files among them.
struct Pieces {
    version: i16,
    bytes: BytesMut,
    /// What was written before, but for the first: a file and the bytes behind it.
    head: Option<BytesMut>,
    rest: Vec<(FileSlice, Bytes)>,
    file: Option<FileSlice>,
}

impl FetchAnswer {
    pub(super) fn write(self, version: i16) -> Result<Answer, RequestError> {
        let mut out = Pieces::new(version);
        // The throttle time.
        out.bytes.put_i32(0);
        if version >= SESSIONS {
            out.bytes.put_i16(0);
            out.bytes.put_i32(self.session_id);
        }
        out.count(self.topics.len());
        for topic in self.topics {
            if version >= BY_ID {
                out.bytes.put_slice(topic.id.as_bytes());
            } else {
                out.text(&topic.name);
            }
            out.count(topic.partitions.len());
            for told in topic.partitions {
                out.partition(told)?;
            }
            out.no_tagged_fields();
        }
        out.no_tagged_fields();
        Ok(out.finish())
    }
}

impl Pieces {
    fn new(version: i16) -> Self {
        let mut bytes = BytesMut::with_capacity(512);
        bytes.put_bytes(0, PREFIX_BYTES);
        Self {
            version,
            bytes,
            head: None,
            rest: Vec::new(),
            file: None,
        }
    }

    fn varint(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.bytes.put_u8((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.put_u8(number as u8);
    }

    /// The length of an array or of bytes.
    fn count(&mut self, count: usize) {
        if self.version >= FLEXIBLE {
            self.varint(count + 1);
        } else {
            self.bytes.put_i32(i32::try_from(count).unwrap_or(i32::MAX));
        }
    }

    fn text(&mut self, text: &StrBytes) {
        if self.version >= FLEXIBLE {
            self.varint(text.len() + 1);
        } else {
            self.bytes
                .put_i16(i16::try_from(text.len()).unwrap_or(i16::MAX));
        }
        self.bytes.put_slice(text.as_bytes());
    }

    fn no_tagged_fields(&mut self) {
        if self.version >= FLEXIBLE {
            self.bytes.put_u8(0);
        }
    }

    fn partition(&mut self, told: Told) -> Result<(), RequestError> {
        let data = told.data.with_records(Some(Bytes::new()));
        data.encode(&mut self.bytes, self.version)
            .map_err(|error| RequestError::Encode(error.to_string()))?;
        // The records come last but for tagged fields, of which none is set: an empty length makes room for theirs.
        let empty = if self.version >= FLEXIBLE { 2 } else { 4 };
        self.bytes.truncate(self.bytes.len().saturating_sub(empty));
        self.count(told.records.len());
        match told.records {
            Records::Memory(records) => self.bytes.put_slice(&records),
            Records::File(slice) => {
                self.cut();
                self.file = Some(slice);
            }
        }
        self.no_tagged_fields();
        Ok(())
    }

    /// Ends the bytes before a file.
    fn cut(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        match self.file.take() {
            Some(file) => self.rest.push((file, bytes.freeze())),
            None => self.head = Some(bytes),
        }
    }

    fn finish(mut self) -> Answer {
        self.cut();
        Answer::Body(self.head.unwrap_or_default(), self.rest)
    }
}

/// Whether the codec's own way of writing agrees is what the test shows.
#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _, os::unix::fs::FileExt as _, sync::Arc};

    use kafka_protocol::messages::{
        FetchResponse,
        fetch_response::{AbortedTransaction, FetchableTopicResponse},
    };

    use super::*;

    fn data(partition: i32, version: i16) -> PartitionData {
        let aborted = AbortedTransaction::default().with_first_offset(9);
        let start = if version < 5 { -1 } else { 2 };
        PartitionData::default()
            .with_partition_index(partition)
            .with_high_watermark(77)
            .with_last_stable_offset(76)
            .with_log_start_offset(start)
            .with_aborted_transactions((partition == 1).then(|| vec![aborted]))
    }

    /// The whole body, files read.
    fn body(answer: Answer) -> Vec<u8> {
        let Answer::Body(head, rest) = answer else {
            panic!("no answer");
        };
        let mut all = head[PREFIX_BYTES..].to_vec();
        for (slice, after) in rest {
            let mut records = vec![0; slice.len];
            slice
                .file
                .read_exact_at(&mut records, slice.position)
                .unwrap();
            all.extend(records);
            all.extend(after);
        }
        all
    }

    #[test]
    fn it_is_what_the_codec_writes_in_every_version() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 1000]).unwrap();
        let file: Arc<File> = Arc::new(file);
        let slice = |len| {
            let file = Arc::clone(&file);
            Records::File(FileSlice {
                file,
                position: 5,
                len,
            })
        };
        let name = TopicName(StrBytes::from_static_str("topic"));
        let id = Uuid::from_u128(5);
        for version in 4..=16 {
            let layouts: [&[&[usize]]; 5] =
                [&[], &[&[]], &[&[0]], &[&[900, 3]], &[&[1, 0, 200], &[300]]];
            for layout in layouts {
                let mut ours = FetchAnswer::default();
                let mut theirs = FetchResponse::default();
                if version >= SESSIONS {
                    ours.session_id = 99;
                    theirs.session_id = 99;
                }
                for sizes in layout {
                    let mut topic = ToldTopic {
                        name: name.clone(),
                        id,
                        partitions: Vec::new(),
                    };
                    let mut expected = FetchableTopicResponse::default();
                    if version >= BY_ID {
                        expected.topic_id = id;
                    } else {
                        expected.topic = name.clone();
                    }
                    for (number, size) in (0..).zip(*sizes) {
                        let records = match size {
                            0..=2 => Records::Memory(vec![7; *size].into()),
                            size => slice(*size),
                        };
                        let data = data(number, version);
                        expected
                            .partitions
                            .push(data.clone().with_records(Some(vec![7; *size].into())));
                        topic.partitions.push(Told { data, records });
                    }
                    ours.topics.push(topic);
                    theirs.responses.push(expected);
                }
                let mut expected = BytesMut::new();
                theirs.encode(&mut expected, version).unwrap();
                assert_eq!(
                    body(ours.write(version).unwrap()),
                    expected,
                    "version {version}"
                );
            }
        }
    }
}
