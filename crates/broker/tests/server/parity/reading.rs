//! What a reader is told: offsets, times, isolation, sessions, deleted records, epochs.

use kafka_protocol::messages::{
    ApiKey, DeleteRecordsRequest, DeleteRecordsResponse, FetchRequest, FetchResponse,
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
    fetch_request::{FetchPartition, FetchTopic},
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
};

use super::{Notes, code};
use crate::client::{Client, text};

/// How a fetch is asked.
#[derive(Clone, Copy)]
pub(super) struct Fetching<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    epoch: i32,
    isolation: i8,
    session: (i32, i32),
}

impl<'a> Fetching<'a> {
    pub(super) fn of(topic: &'a str, offset: i64) -> Self {
        Self {
            topic,
            partition: 0,
            offset,
            epoch: -1,
            isolation: 0,
            session: (0, -1),
        }
    }
}

impl Client {
    pub(super) async fn fetch(&mut self, how: Fetching<'_>) -> FetchResponse {
        let partition = FetchPartition::default()
            .with_partition(how.partition)
            .with_current_leader_epoch(how.epoch)
            .with_fetch_offset(how.offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(text(how.topic).into())
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_isolation_level(how.isolation)
            .with_session_id(how.session.0)
            .with_session_epoch(how.session.1)
            .with_topics(vec![topic]);
        self.call(ApiKey::Fetch, 12, &request).await
    }

    /// Code, high watermark, last stable offset, start, bytes of records, aborted transactions' offsets.
    async fn fetched(
        &mut self,
        how: Fetching<'_>,
    ) -> (i16, i16, i64, i64, i64, usize, Option<Vec<i64>>) {
        let answer = self.fetch(how).await;
        let Some(topic) = answer.responses.first() else {
            return (answer.error_code, 0, 0, 0, 0, 0, None);
        };
        let p = &topic.partitions[0];
        let aborted = p.aborted_transactions.as_ref();
        (
            answer.error_code,
            p.error_code,
            p.high_watermark,
            p.last_stable_offset,
            p.log_start_offset,
            p.records.as_ref().map_or(0, bytes::Bytes::len),
            aborted.map(|list| list.iter().map(|one| one.first_offset).collect()),
        )
    }

    /// Code, offset, time and leader epoch.
    pub(super) async fn offset_at(
        &mut self,
        at: (&str, i32, i32),
        time: i64,
        isolation: i8,
    ) -> (i16, i64, i64, i32) {
        let partition = ListOffsetsPartition::default()
            .with_partition_index(at.1)
            .with_current_leader_epoch(at.2)
            .with_timestamp(time);
        let topic = ListOffsetsTopic::default()
            .with_name(text(at.0).into())
            .with_partitions(vec![partition]);
        let request = ListOffsetsRequest::default()
            .with_replica_id((-1).into())
            .with_isolation_level(isolation)
            .with_topics(vec![topic]);
        let answer: ListOffsetsResponse = self.call(ApiKey::ListOffsets, 9, &request).await;
        let p = &answer.topics[0].partitions[0];
        (p.error_code, p.offset, p.timestamp, p.leader_epoch)
    }

    /// Creates a topic and waits until it has a leader that answers.
    pub(super) async fn made(&mut self, topic: &str) {
        self.create(topic, 1, 1).await;
        self.led(topic).await;
    }

    /// Waits until the topic has a leader that answers.
    pub(super) async fn led(&mut self, topic: &str) {
        while self.offset_at((topic, 0, -1), -1, 0).await.0 != 0 {
            tokio::task::yield_now().await;
        }
    }

    pub(super) async fn delete_before(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> (i16, i64) {
        let at = DeleteRecordsPartition::default()
            .with_partition_index(partition)
            .with_offset(offset);
        let topic = DeleteRecordsTopic::default()
            .with_name(text(topic).into())
            .with_partitions(vec![at]);
        let request = DeleteRecordsRequest::default()
            .with_topics(vec![topic])
            .with_timeout_ms(10_000);
        let answer: DeleteRecordsResponse = self.call(ApiKey::DeleteRecords, 2, &request).await;
        let p = &answer.topics[0].partitions[0];
        (p.error_code, p.low_watermark)
    }
}

pub(super) async fn list_offsets(c: &mut Client, notes: &mut Notes) {
    c.made("timed").await;
    let at = ("timed", 0, -1);
    for (what, time) in [
        ("earliest", -2),
        ("latest", -1),
        ("greatest time", -3),
        ("a time", 100),
    ] {
        notes.note(
            &format!("{what} of nothing"),
            c.offset_at(at, time, 0).await,
        );
    }
    c.write_at_times("timed", &[1000, 3000, 2000, 3000]).await;
    for (what, time) in [
        ("earliest", -2),
        ("latest", -1),
        ("greatest time", -3),
        ("earliest local", -4),
        ("latest tiered", -5),
        ("an unknown kind", -9),
        ("before all", 5),
        ("between", 1500),
        ("exactly", 3000),
        ("after all", 9000),
    ] {
        notes.note(what, c.offset_at(at, time, 0).await);
    }
    notes.note("no partition", c.offset_at(("timed", 7, -1), -1, 0).await);
    notes.note("no topic", c.offset_at(("nope", 0, -1), -1, 0).await);
    notes.note(
        "the leader's epoch",
        c.offset_at(("timed", 0, 0), -1, 0).await,
    );
    notes.note("a later epoch", c.offset_at(("timed", 0, 5), -1, 0).await);
    let (_, (id, epoch)) = c.producer("listing").await;
    notes.note(
        "add",
        code(async || c.add("listing", (id, epoch), "timed").await).await,
    );
    c.produce("timed", (id, epoch), 0, Some("listing"), b"a")
        .await;
    notes.note("latest while open", c.offset_at(at, -1, 0).await);
    notes.note("latest committed while open", c.offset_at(at, -1, 1).await);
    notes.note("greatest time committed", c.offset_at(at, -3, 1).await);
    notes.note(
        "a time committed",
        c.offset_at(at, 1_600_000_000_000, 1).await,
    );
    notes.note("end", c.end("listing", (id, epoch), true).await);
}

pub(super) async fn delete_records(c: &mut Client, notes: &mut Notes) {
    c.made("cut").await;
    c.create_with("cut.compacted", "cleanup.policy", "compact")
        .await;
    c.led("cut.compacted").await;
    c.write_at_times("cut", &[1, 2, 3, 4, 5]).await;
    notes.note("to 2", c.delete_before("cut", 0, 2).await);
    notes.note("to 1, which is gone", c.delete_before("cut", 0, 1).await);
    notes.note("beyond the end", c.delete_before("cut", 0, 9).await);
    notes.note("below nothing", c.delete_before("cut", 0, -7).await);
    notes.note("earliest", c.offset_at(("cut", 0, -1), -2, 0).await.1);
    notes.note(
        "fetch what is gone",
        c.fetched(Fetching::of("cut", 1)).await,
    );
    notes.note(
        "fetch what is left",
        c.fetched(Fetching::of("cut", 2)).await,
    );
    notes.note("all", c.delete_before("cut", 0, -1).await);
    notes.note("no partition", c.delete_before("cut", 5, 1).await);
    notes.note("no topic", c.delete_before("nope", 0, 1).await);
    notes.note(
        "of a compacted topic",
        c.delete_before("cut.compacted", 0, 0).await,
    );
}

pub(super) async fn fetch(c: &mut Client, notes: &mut Notes) {
    c.made("read").await;
    c.write_at_times("read", &[1, 2, 3]).await;
    let at = Fetching::of("read", 0);
    notes.note("all", c.fetched(at).await);
    notes.note("the end", c.fetched(Fetching::of("read", 3)).await);
    notes.note("beyond the end", c.fetched(Fetching::of("read", 4)).await);
    notes.note(
        "before the start",
        c.fetched(Fetching::of("read", -5)).await,
    );
    notes.note("no topic", c.fetched(Fetching::of("nope", 0)).await);
    notes.note(
        "no partition",
        c.fetched(Fetching { partition: 4, ..at }).await,
    );
    notes.note(
        "the leader's epoch",
        c.fetched(Fetching { epoch: 0, ..at }).await,
    );
    notes.note(
        "a later epoch",
        c.fetched(Fetching { epoch: 3, ..at }).await,
    );
    let session = (99, 3);
    notes.note(
        "no such session",
        c.fetched(Fetching { session, ..at }).await,
    );

    let opened = c
        .fetch(Fetching {
            session: (0, 0),
            ..at
        })
        .await;
    notes.note("a session", (opened.error_code, opened.session_id != 0));
    let id = opened.session_id;
    let next = c
        .fetch(Fetching {
            session: (id, 1),
            offset: 3,
            ..at
        })
        .await;
    notes.note("its next round", (next.error_code, next.responses.len()));
    let wrong = c
        .fetch(Fetching {
            session: (id, 9),
            ..at
        })
        .await;
    notes.note("a wrong round", (wrong.error_code, wrong.responses.len()));

    let committed = Fetching { isolation: 1, ..at };
    let (_, p) = c.producer("fetching").await;
    for (what, sequence, commit) in [("aborted", 0, false), ("committed", 1, true)] {
        let added = code(async || c.add("fetching", p, "read").await).await;
        notes.note(&format!("add, to be {what}"), added);
        c.produce("read", p, sequence, Some("fetching"), b"a").await;
        notes.note(&format!("open, to be {what}"), c.fetched(at).await);
        notes.note(
            &format!("open, to be {what}, isolated"),
            c.fetched(committed).await,
        );
        notes.note(
            &format!("end, to be {what}"),
            c.end("fetching", p, commit).await,
        );
        // The marker of the last transaction is written after the answer.
        while c.offset_at(("read", 0, -1), -1, 1).await.1
            != c.offset_at(("read", 0, -1), -1, 0).await.1
        {
            tokio::task::yield_now().await;
        }
        notes.note(what, c.fetched(at).await);
        notes.note(&format!("{what}, isolated"), c.fetched(committed).await);
    }
    notes.note(
        "from the middle",
        c.fetched(Fetching {
            offset: 5,
            ..committed
        })
        .await,
    );
}

pub(super) async fn epochs(c: &mut Client, notes: &mut Notes) {
    c.made("epochs").await;
    c.write_at_times("epochs", &[1, 2]).await;
    for (what, topic, partition, current, asked) in [
        ("of epoch 0", "epochs", 0, -1, 0),
        ("of a later epoch", "epochs", 0, -1, 4),
        ("with the leader's epoch", "epochs", 0, 0, 0),
        ("with a later epoch", "epochs", 0, 4, 0),
        ("no partition", "epochs", 6, -1, 0),
        ("no topic", "nope", 0, -1, 0),
    ] {
        let at = OffsetForLeaderPartition::default()
            .with_partition(partition)
            .with_current_leader_epoch(current)
            .with_leader_epoch(asked);
        let topic = OffsetForLeaderTopic::default()
            .with_topic(text(topic).into())
            .with_partitions(vec![at]);
        let request = OffsetForLeaderEpochRequest::default()
            .with_replica_id((-1).into())
            .with_topics(vec![topic]);
        let key = ApiKey::OffsetForLeaderEpoch;
        let answer: OffsetForLeaderEpochResponse = c.call(key, 4, &request).await;
        let p = &answer.topics[0].partitions[0];
        notes.note(what, (p.error_code, p.leader_epoch, p.end_offset));
    }
}
