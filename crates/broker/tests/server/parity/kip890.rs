//! What a producer is told whose transactions bump the epoch at each end (KIP-890).

use kafka_protocol::messages::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, ApiKey, EndTxnRequest, EndTxnResponse,
    add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction},
};

use super::{AGAIN, Notes, settled};
use crate::client::{Client, text};

const UNSTABLE_OFFSET_COMMIT: i16 = 88;
/// How often "come again" is heeded.
const PATIENCE: usize = 1_000;

impl Client {
    /// Error, producer id and epoch.
    async fn end_and_bump(
        &mut self,
        id: &str,
        producer: (i64, i16),
        commit: bool,
    ) -> (i16, (i64, i16)) {
        settled(async || {
            let request = EndTxnRequest::default()
                .with_transactional_id(text(id).into())
                .with_producer_id(producer.0.into())
                .with_producer_epoch(producer.1)
                .with_committed(commit);
            let answer: EndTxnResponse = self.call(ApiKey::EndTxn, 5, &request).await;
            (
                answer.error_code,
                (*answer.producer_id, answer.producer_epoch),
            )
        })
        .await
    }

    /// Error and epoch; the id is another in each cluster.
    async fn ended(&mut self, id: &str, producer: (i64, i16), commit: bool) -> (i16, bool, i16) {
        let (code, (pid, epoch)) = self.end_and_bump(id, producer, commit).await;
        (code, pid == producer.0, epoch)
    }

    /// The answer for one transaction of a request that brokers send one another: the code of the whole, and
    /// those of the partitions.
    async fn between_brokers(
        &mut self,
        version: i16,
        (id, producer): (&str, (i64, i16)),
        verify_only: bool,
        partitions: &[(&str, i32)],
    ) -> (i16, Vec<(String, i32, i16)>) {
        let mut last = None;
        for _ in 0..PATIENCE {
            let topics = partitions.iter().map(|(topic, partition)| {
                AddPartitionsToTxnTopic::default()
                    .with_name(text(topic).into())
                    .with_partitions(vec![*partition])
            });
            let one = AddPartitionsToTxnTransaction::default()
                .with_transactional_id(text(id).into())
                .with_producer_id(producer.0.into())
                .with_producer_epoch(producer.1)
                .with_verify_only(verify_only)
                .with_topics(topics.collect());
            let request = AddPartitionsToTxnRequest::default().with_transactions(vec![one]);
            let answer: AddPartitionsToTxnResponse = self
                .call(ApiKey::AddPartitionsToTxn, version, &request)
                .await;
            let results = answer.results_by_transaction.iter().flat_map(|txn| {
                assert_eq!(txn.transactional_id.as_str(), id);
                let topics = txn.topic_results.iter();
                topics.flat_map(|topic| {
                    let partitions = topic.results_by_partition.iter();
                    partitions.map(|p| {
                        let (at, code) = (p.partition_index, p.partition_error_code);
                        (topic.name.to_string(), at, code)
                    })
                })
            });
            let mut results: Vec<_> = results.collect();
            results.sort();
            let again = results.iter().any(|(_, _, code)| AGAIN.contains(code));
            last = Some((answer.error_code, results));
            if !again {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        last.expect("an answer")
    }

    async fn written(&mut self, producer: (i64, i16), sequence: i32, id: &str) -> (i16, i64) {
        settled(async || {
            self.produce("bumps", producer, sequence, Some(id), b"v")
                .await
        })
        .await
    }
}

pub(super) async fn bumps(c: &mut Client, notes: &mut Notes) {
    c.made("bumps").await;
    c.bumps = true;
    let (code, (pid, epoch)) = c.producer("bumping").await;
    let at = |epoch| (pid, epoch);
    notes.note("init", (code, epoch));
    notes.note("commit nothing", c.ended("bumping", at(0), true).await);
    notes.note("abort nothing", c.ended("bumping", at(0), false).await);
    notes.note("write of nobody", c.written(at(1), 0, "nobody").await);
    notes.note("write without adding", c.written(at(1), 0, "bumping").await);
    notes.note("write more", c.written(at(1), 1, "bumping").await);
    notes.note("write of the past", c.written(at(0), 2, "bumping").await);
    notes.note("write of the future", c.written(at(2), 0, "bumping").await);
    notes.note("end of the past", c.ended("bumping", at(0), true).await);
    notes.note("commit", c.ended("bumping", at(1), true).await);
    notes.note("commit again", c.ended("bumping", at(1), true).await);
    notes.note(
        "abort what is committed",
        c.ended("bumping", at(1), false).await,
    );
    notes.note("late write", c.written(at(1), 2, "bumping").await);
    notes.note(
        "commit nothing again",
        c.ended("bumping", at(2), true).await,
    );
    notes.note(
        "abort nothing again",
        c.ended("bumping", at(2), false).await,
    );
    notes.note(
        "abort nothing twice",
        c.ended("bumping", at(2), false).await,
    );
    notes.note(
        "commit what is aborted",
        c.ended("bumping", at(2), true).await,
    );
    notes.note("next write", c.written(at(3), 0, "bumping").await);
    notes.note("abort", c.ended("bumping", at(3), false).await);
    notes.note("abort again", c.ended("bumping", at(3), false).await);
    notes.note("very old", c.ended("bumping", at(1), false).await);
    notes.note("write after abort", c.written(at(4), 0, "bumping").await);
    let (code, (same, epoch)) = c.producer("bumping").await;
    notes.note("a new instance", (code, same == pid, epoch));
    notes.note("the old one ends", c.ended("bumping", at(4), true).await);
    // A transaction may also be begun the older way.
    c.bumps = false;
    let old = c
        .produce("bumps", at(epoch), 0, Some("bumping"), b"v")
        .await;
    notes.note("write the old way without adding", old);
}

pub(super) async fn offsets(c: &mut Client, notes: &mut Notes) {
    c.made("t").await;
    c.bumps = true;
    let (_, (pid, epoch)) = c.producer("bumping offsets").await;
    let commit = settled(async || {
        let code = c
            .commit_within("bumping offsets", (pid, epoch), "bumped", 7)
            .await;
        (code, ())
    });
    notes.note("commit without adding", commit.await);
    notes.note("pending", c.committed("bumped", "t").await);
    let ended = c.ended("bumping offsets", (pid, epoch), true).await;
    notes.note("end", ended);
    // Apache Kafka answers the end before its markers are written.
    let seen = loop {
        let seen = c.committed("bumped", "t").await;
        if seen.0 != UNSTABLE_OFFSET_COMMIT {
            break seen;
        }
        tokio::task::yield_now().await;
    };
    notes.note("committed", seen);
    let late = c
        .commit_within("bumping offsets", (pid, epoch), "bumped", 9)
        .await;
    notes.note("late", late);
    c.bumps = false;
}

/// Partitions are added to several transactions, or looked for in them, as brokers ask one another.
pub(super) async fn batched(c: &mut Client, notes: &mut Notes) {
    c.made("batched").await;
    c.made("t").await;
    let (_, (pid, epoch)) = c.producer("batched").await;
    let at = |epoch| ("batched", (pid, epoch));
    let one = [("batched", 0)];
    for version in [4, 5] {
        let mut note = |what: &str, said| notes.note(&format!("{what}, version {version}"), said);
        let epoch = if version == 4 { epoch } else { epoch + 1 };
        note(
            "look before",
            c.between_brokers(version, at(epoch), true, &one).await,
        );
        note(
            "add",
            c.between_brokers(version, at(epoch), false, &one).await,
        );
        note(
            "look after",
            c.between_brokers(version, at(epoch), true, &one).await,
        );
        let more = [("batched", 0), ("t", 0)];
        note(
            "look for more",
            c.between_brokers(version, at(epoch), true, &more).await,
        );
        let unknown = [("batched", 0), ("nope", 0)];
        note(
            "add what is not there",
            c.between_brokers(version, at(epoch), false, &unknown).await,
        );
        note(
            "add of the past",
            c.between_brokers(version, at(epoch - 1), false, &one).await,
        );
        note(
            "look of the past",
            c.between_brokers(version, at(epoch - 1), true, &one).await,
        );
        note(
            "look of another id",
            c.between_brokers(version, ("batched", (pid + 1, epoch)), true, &one)
                .await,
        );
        note(
            "add of nobody",
            c.between_brokers(version, ("nobody", (pid, epoch)), false, &one)
                .await,
        );
        note(
            "look of nobody",
            c.between_brokers(version, ("nobody", (pid, epoch)), true, &one)
                .await,
        );
        notes.note(
            &format!("end, version {version}"),
            c.ended("batched", (pid, epoch), true).await,
        );
    }
}
