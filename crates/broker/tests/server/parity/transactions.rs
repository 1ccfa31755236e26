//! What a transactional producer is told.

use kafka_protocol::messages::{
    ApiKey, DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, ListTransactionsRequest, ListTransactionsResponse,
    describe_producers_request::TopicRequest,
};

use super::{NEW, Notes, code, settled};
use crate::client::{Client, text};

impl Client {
    /// A producer of this id, once whatever it had open has ended.
    pub(super) async fn producer(&mut self, id: &str) -> (i16, (i64, i16)) {
        settled(async || {
            let (code, pid, epoch) = self.init(Some(id), 60_000, NEW).await;
            (code, (pid, epoch))
        })
        .await
    }
}

pub(super) async fn transactions(c: &mut Client, notes: &mut Notes) {
    c.made("tx").await;
    let (first, p) = c.producer("x").await;
    let (pid, epoch) = p;
    notes.note("init", (first, epoch));
    notes.note("without an id in it", c.init(Some(""), 60_000, NEW).await.0);
    notes.note("no timeout", c.init(Some("y"), 0, NEW).await.0);
    notes.note("a negative timeout", c.init(Some("y"), -1, NEW).await.0);
    notes.note("a long timeout", c.init(Some("y"), i32::MAX, NEW).await.0);
    notes.note(
        "as another",
        c.init(Some("x"), 60_000, (pid + 1000, 0)).await.0,
    );
    notes.note(
        "an id without an epoch",
        c.init(Some("x"), 60_000, (pid, -1)).await.0,
    );
    notes.note("end nothing", c.end("x", p, true).await);
    notes.note("abort nothing", c.end("x", p, false).await);
    notes.note("end of no producer", c.end("nobody", p, true).await);
    notes.note("add of no producer", c.add("nobody", p, "tx").await);
    notes.note(
        "add of another",
        c.add("x", (pid + 1000, epoch), "tx").await,
    );
    notes.note(
        "add of a later epoch",
        c.add("x", (pid, epoch + 1), "tx").await,
    );
    notes.note("add no topic", c.add("x", p, "nope").await);
    notes.note(
        "write before add",
        c.produce("tx", p, 0, Some("x"), b"a").await.0,
    );
    notes.note("add", code(async || c.add("x", p, "tx").await).await);
    notes.note("add again", code(async || c.add("x", p, "tx").await).await);
    notes.note("write", c.produce("tx", p, 0, Some("x"), b"a").await);
    notes.note(
        "write it again",
        c.produce("tx", p, 0, Some("x"), b"a").await,
    );
    notes.note(
        "write a gap",
        c.produce("tx", p, 5, Some("x"), b"a").await.0,
    );
    notes.note("write outside", c.produce("tx", p, 1, None, b"a").await.0);
    notes.note(
        "end with a later epoch",
        c.end("x", (pid, epoch + 1), true).await,
    );
    notes.note(
        "end of another",
        c.end("x", (pid + 1000, epoch), true).await,
    );
    notes.note("commit", c.end("x", p, true).await);
    notes.note(
        "commit again",
        code(async || c.end("x", p, true).await).await,
    );
    notes.note(
        "abort after commit",
        code(async || c.end("x", p, false).await).await,
    );
    notes.note(
        "write after commit",
        c.produce("tx", p, 1, Some("x"), b"a").await.0,
    );
    notes.note(
        "a second one",
        code(async || c.add("x", p, "tx").await).await,
    );
    notes.note("write in it", c.produce("tx", p, 1, Some("x"), b"a").await);
    notes.note("abort", c.end("x", p, false).await);
    notes.note(
        "abort again",
        code(async || c.end("x", p, false).await).await,
    );
    notes.note(
        "commit after abort",
        code(async || c.end("x", p, true).await).await,
    );
}

pub(super) async fn fencing(c: &mut Client, notes: &mut Notes) {
    c.made("fence").await;
    let (_, p) = c.producer("f").await;
    notes.note("add", code(async || c.add("f", p, "fence").await).await);
    notes.note("write", c.produce("fence", p, 0, Some("f"), b"a").await);
    let (code_of, new) = c.producer("f").await;
    notes.note("init again", (code_of, new.0 == p.0, new.1 - p.1));
    notes.note("add when fenced", c.add("f", p, "fence").await);
    notes.note(
        "write when fenced",
        c.produce("fence", p, 1, Some("f"), b"b").await.0,
    );
    notes.note("offsets when fenced", c.add_offsets("f", p, "fg").await);
    notes.note(
        "commit within when fenced",
        c.commit_within("f", p, "fg", 1).await,
    );
    notes.note("end when fenced", c.end("f", p, true).await);
    notes.note("abort when fenced", c.end("f", p, false).await);
    notes.note("bump", {
        let (code, id, epoch) = c.init(Some("f"), 60_000, new).await;
        (code, id == new.0, epoch - new.1)
    });
    notes.note(
        "bump from an old epoch",
        c.init(Some("f"), 60_000, p).await.0,
    );
    notes.note("bump again, as if the answer was lost", {
        let (code, id, epoch) = c.init(Some("f"), 60_000, new).await;
        (code, id == new.0, epoch - new.1)
    });
    notes.note("bump of the last epoch", {
        let (code, id, epoch) = c.init(Some("f"), 60_000, (new.0, new.1 + 1)).await;
        (code, id == new.0, epoch - new.1)
    });
}

pub(super) async fn offsets(c: &mut Client, notes: &mut Notes) {
    c.made("t").await;
    let (_, p) = c.producer("o").await;
    let (pid, epoch) = p;
    notes.note(
        "before they are added",
        c.commit_within("o", p, "og", 1).await,
    );
    notes.note(
        "add",
        code(async || c.add_offsets("o", p, "og").await).await,
    );
    notes.note("add without a group", c.add_offsets("o", p, "").await);
    notes.note(
        "add of another",
        c.add_offsets("o", (pid + 1000, epoch), "og").await,
    );
    notes.note(
        "add of a later epoch",
        c.add_offsets("o", (pid, epoch + 1), "og").await,
    );
    notes.note(
        "commit within",
        code(async || c.commit_within("o", p, "og", 9).await).await,
    );
    notes.note("pending", c.committed("og", "t").await.0);
    notes.note(
        "commit within, older",
        c.commit_within("o", (pid, epoch - 1), "og", 7).await,
    );
    notes.note("end", c.end("o", p, true).await);
    notes.note(
        "committed",
        settled(async || again(c.committed("og", "t").await)).await,
    );
    notes.note(
        "add, to abort",
        code(async || c.add_offsets("o", p, "og").await).await,
    );
    notes.note(
        "within, to abort",
        code(async || c.commit_within("o", p, "og", 99).await).await,
    );
    notes.note("abort", c.end("o", p, false).await);
    notes.note(
        "after abort",
        settled(async || again(c.committed("og", "t").await)).await,
    );
}

/// Pending offsets (88) are those of a marker that is on its way.
fn again((code, offset): (i16, i64)) -> (i16, i64) {
    (if code == 88 { 14 } else { code }, offset)
}

pub(super) async fn described(c: &mut Client, notes: &mut Notes) {
    c.made("desc").await;
    let (_, p) = c.producer("d").await;
    let mut look = async |what: &str, c: &mut Client| {
        let request = DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![text("d").into(), text("nobody").into()]);
        let key = ApiKey::DescribeTransactions;
        let answer: DescribeTransactionsResponse = c.call(key, 0, &request).await;
        for state in &answer.transaction_states {
            let topics: Vec<_> = state
                .topics
                .iter()
                .map(|topic| (topic.topic.to_string(), topic.partitions.clone()))
                .collect();
            notes.note(
                &format!("{what}, {}", state.transactional_id.as_str()),
                (
                    state.error_code,
                    &state.transaction_state,
                    state.transaction_timeout_ms,
                    state.transaction_start_time_ms > 0,
                    state.producer_id == p.0,
                    state.producer_epoch,
                    topics,
                ),
            );
        }
        for (filter, value) in [("state", "Ongoing"), ("state", "Weird"), ("none", "")] {
            let states = if filter == "state" {
                vec![text(value)]
            } else {
                vec![]
            };
            let request = ListTransactionsRequest::default()
                .with_state_filters(states)
                .with_duration_filter(-1);
            let key = ApiKey::ListTransactions;
            let answer: ListTransactionsResponse = c.call(key, 1, &request).await;
            let of_d: Vec<_> = answer
                .transaction_states
                .iter()
                .filter(|state| state.transactional_id.as_str() == "d")
                .map(|state| state.transaction_state.to_string())
                .collect();
            let unknown = &answer.unknown_state_filters;
            notes.note(
                &format!("{what}, list {value}"),
                (answer.error_code, unknown, of_d),
            );
        }
        let topic = |name, partition| {
            TopicRequest::default()
                .with_name(text(name).into())
                .with_partition_indexes(vec![partition])
        };
        let request = DescribeProducersRequest::default().with_topics(vec![
            topic("desc", 0),
            topic("desc", 8),
            topic("nope", 0),
        ]);
        let key = ApiKey::DescribeProducers;
        let answer: DescribeProducersResponse = c.call(key, 0, &request).await;
        let mut rows: Vec<_> = answer
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)))
            .map(|(topic, of)| {
                let producers: Vec<_> = of
                    .active_producers
                    .iter()
                    .map(|one| {
                        (
                            one.producer_id == p.0,
                            one.producer_epoch,
                            one.last_sequence,
                            one.coordinator_epoch,
                            one.current_txn_start_offset,
                        )
                    })
                    .collect();
                (
                    topic.name.to_string(),
                    of.partition_index,
                    of.error_code,
                    producers,
                )
            })
            .collect();
        rows.sort();
        notes.note(&format!("{what}, producers"), rows);
    };
    look("empty", c).await;
    code(async || c.add("d", p, "desc").await).await;
    c.produce("desc", p, 0, Some("d"), b"a").await;
    look("ongoing", c).await;
    c.end("d", p, true).await;
    // The marker of the last transaction is written after the answer.
    while c.offset_at(("desc", 0, -1), -1, 1).await.1 < 2 {
        tokio::task::yield_now().await;
    }
    code(async || c.end("d", p, true).await).await;
    look("committed", c).await;
}
