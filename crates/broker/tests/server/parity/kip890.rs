//! What a producer is told whose transactions bump the epoch at each end (KIP-890).

use kafka_protocol::messages::{ApiKey, EndTxnRequest, EndTxnResponse};

use super::{Notes, settled};
use crate::client::{Client, text};

const UNSTABLE_OFFSET_COMMIT: i16 = 88;

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
