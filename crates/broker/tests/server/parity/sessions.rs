//! What a reader is told within a fetch session (KIP-227).

use kafka_protocol::messages::{
    ApiKey, FetchRequest, FetchResponse,
    fetch_request::{FetchPartition, FetchTopic, ForgottenTopic},
};

use super::{NEW, Notes};
use crate::client::{Client, text};

const TOPIC: &str = "session";

struct Round<'a> {
    session: (i32, i32),
    partitions: &'a [(i32, i64)],
    forgotten: &'a [i32],
    max_bytes: i32,
}

impl Client {
    /// Error, whether there is a session, and of each partition: index, error, high watermark, bytes.
    async fn round(&mut self, round: Round<'_>) -> (i32, (i16, bool, Vec<(i32, i16, i64, usize)>)) {
        let partitions = round.partitions.iter().map(|(index, offset)| {
            FetchPartition::default()
                .with_partition(*index)
                .with_fetch_offset(*offset)
                .with_partition_max_bytes(1 << 20)
        });
        let topic = FetchTopic::default()
            .with_topic(text(TOPIC).into())
            .with_partitions(partitions.collect());
        let forgotten = ForgottenTopic::default()
            .with_topic(text(TOPIC).into())
            .with_partitions(round.forgotten.to_vec());
        let request = FetchRequest::default()
            .with_max_bytes(round.max_bytes)
            .with_session_id(round.session.0)
            .with_session_epoch(round.session.1)
            .with_topics(
                Some(topic)
                    .filter(|t| !t.partitions.is_empty())
                    .into_iter()
                    .collect(),
            )
            .with_forgotten_topics_data(
                Some(forgotten)
                    .filter(|t| !t.partitions.is_empty())
                    .into_iter()
                    .collect(),
            );
        let answer: FetchResponse = self.call(ApiKey::Fetch, 12, &request).await;
        let partitions = answer.responses.iter().flat_map(|topic| {
            topic.partitions.iter().map(|p| {
                let bytes = p.records.as_ref().map_or(0, bytes::Bytes::len);
                (p.partition_index, p.error_code, p.high_watermark, bytes)
            })
        });
        let told = (
            answer.error_code,
            answer.session_id != 0,
            partitions.collect(),
        );
        (answer.session_id, told)
    }
}

pub(super) async fn sessions(c: &mut Client, notes: &mut Notes) {
    c.create(TOPIC, 3, 1).await;
    c.led(TOPIC).await;
    for partition in 1..3 {
        while c.offset_at((TOPIC, partition, -1), -1, 0).await.0 != 0 {
            tokio::task::yield_now().await;
        }
    }
    let all = |session, partitions| Round {
        session,
        partitions,
        forgotten: &[],
        max_bytes: 1 << 20,
    };
    let (id, told) = c.round(all((0, 0), &[(0, 0), (1, 0), (2, 0)])).await;
    notes.note("opened", told);
    notes.note("nothing new", c.round(all((id, 1), &[])).await.1);
    c.produce(TOPIC, NEW, -1, None, b"one").await;
    notes.note("a record", c.round(all((id, 2), &[])).await.1);
    notes.note("the record again", c.round(all((id, 3), &[])).await.1);
    notes.note("behind it", c.round(all((id, 4), &[(0, 1)])).await.1);
    notes.note("a round twice", c.round(all((id, 4), &[])).await.1);
    notes.note(
        "a partition that is not",
        c.round(all((id, 5), &[(9, 0)])).await.1,
    );
    notes.note("it is told each time", c.round(all((id, 6), &[])).await.1);
    let forget = Round {
        forgotten: &[9, 1],
        ..all((id, 7), &[])
    };
    notes.note("forgotten", c.round(forget).await.1);
    notes.note(
        "an offset that is not",
        c.round(all((id, 8), &[(2, 5)])).await.1,
    );
    notes.note("mended", c.round(all((id, 9), &[(2, 0)])).await.1);
    notes.note("quiet again", c.round(all((id, 10), &[])).await.1);
    let forget = Round {
        forgotten: &[0, 2],
        ..all((id, 11), &[])
    };
    notes.note("all forgotten", c.round(forget).await.1);
    notes.note("after its end", c.round(all((id, 12), &[])).await.1);
    let (id, told) = c.round(all((0, 0), &[(0, 1)])).await;
    notes.note("another", told);
    notes.note("ended", c.round(all((id, -1), &[(0, 1)])).await.1);
    notes.note("after that", c.round(all((id, 1), &[])).await.1);
}
