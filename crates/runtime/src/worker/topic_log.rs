//! Reads an internal topic for ever, and to its end when asked (`KafkaBasedLog`, spec `distributed.md` 1.3).
//!
//! Records go in order to one callback; a read to the end is answered only after every record up to the end
//! at that time went there. It decides nothing about the records.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use milena_kafka::ports::{
    Admin, Fetcher, InRecord, Isolation, KafkaError, ListAt, PartitionBatch, StartAt,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};
use tracing::warn;

/// How long a poll waits for records; a request interrupts it.
const POLL: Duration = Duration::from_secs(1);
/// The pause after a failed poll or listing.
const RETRY: Duration = Duration::from_millis(100);
/// After this long a read that does not come to its end says what it waits for, and from then on as often.
const LATE: Duration = Duration::from_secs(30);
/// Requests that may wait for one pass.
const REQUESTS: usize = 64;

/// Takes records as they are read; the reader goes on when they were taken.
pub(super) type OnRecords = Box<dyn FnMut(Vec<InRecord>) -> BoxFuture<'static, ()> + Send>;

type Waiter = oneshot::Sender<()>;

/// Who waits for an end, and for which: that of the log or that of what is committed.
type Request = (Waiter, Isolation);

/// A topic that is being read.
pub(super) struct TopicLog {
    requests: mpsc::Sender<Request>,
    reader: JoinHandle<()>,
}

impl TopicLog {
    /// Begins to read all partitions from their beginnings.
    pub(super) async fn open(
        topic: Arc<str>,
        partitions: Vec<i32>,
        mut fetcher: Box<dyn Fetcher>,
        admin: Arc<dyn Admin>,
        on_records: OnRecords,
    ) -> Result<Self, KafkaError> {
        let assignment = partitions
            .iter()
            .map(|partition| (Arc::clone(&topic), *partition, Some(StartAt::Earliest)));
        fetcher.assign(assignment.collect()).await?;
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let reader = Reader {
            positions: partitions.iter().map(|p| (*p, 0)).collect(),
            topic,
            fetcher,
            admin,
            on_records,
            requests: receiver,
            waiters: Vec::new(),
            late_at: None,
        };
        Ok(Self {
            requests,
            reader: tokio::spawn(reader.run()),
        })
    }

    /// Resolves when everything that is in the topic now has been read; `false`: the reader is gone.
    ///
    /// The end is that of the log, not of what is committed: a reader cannot miss a transaction that is still open.
    pub(super) async fn read_to_end(&self) -> bool {
        self.read_to(Isolation::ReadUncommitted).await
    }

    /// As [`Self::read_to_end`], without waiting for open transactions: one of a producer that was killed stays
    /// open until its timeout, or until whoever comes after it ends it.
    pub(super) async fn read_to_open_transactions(&self) -> bool {
        self.read_to(Isolation::ReadCommitted).await
    }

    async fn read_to(&self, isolation: Isolation) -> bool {
        let (done, read) = oneshot::channel();
        self.requests.send((done, isolation)).await.is_ok() && read.await.is_ok()
    }

    /// Ends the reader.
    pub(super) fn close(&self) {
        self.reader.abort();
    }
}

impl Drop for TopicLog {
    fn drop(&mut self) {
        self.close();
    }
}

struct Reader {
    topic: Arc<str>,
    fetcher: Box<dyn Fetcher>,
    admin: Arc<dyn Admin>,
    on_records: OnRecords,
    requests: mpsc::Receiver<Request>,
    positions: BTreeMap<i32, i64>,
    /// Passes under way: the ends to reach, and who waits.
    waiters: Vec<(BTreeMap<i32, i64>, Vec<Waiter>)>,
    /// When to say what is waited for.
    late_at: Option<Instant>,
}

impl Reader {
    async fn run(mut self) {
        loop {
            let waiting = !self.waiters.is_empty();
            tokio::select! {
                biased;
                request = self.requests.recv() => match request {
                    Some(request) => self.begin_passes(request).await,
                    None => break,
                },
                polled = self.fetcher.poll(if waiting { RETRY } else { POLL }) => match polled {
                    Ok(batches) => self.take(batches).await,
                    Err(error) => {
                        warn!(topic = %self.topic, %error, "reading an internal topic failed; going on");
                        tokio::time::sleep(RETRY).await;
                    }
                },
            }
            if !self.waiters.is_empty() {
                self.finish_passes().await;
            }
            self.say_if_late().await;
        }
        self.fetcher.close().await;
    }

    /// Lists the ends for everybody who asked by now.
    async fn begin_passes(&mut self, first: Request) {
        let mut requests = vec![first];
        while let Ok(request) = self.requests.try_recv() {
            requests.push(request);
        }
        for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
            let (these, others) = requests
                .into_iter()
                .partition::<Vec<_>, _>(|(_, wanted)| *wanted == isolation);
            requests = others;
            if !these.is_empty() {
                let waiters = these.into_iter().map(|(waiter, _)| waiter).collect();
                self.begin_pass(waiters, isolation).await;
            }
        }
    }

    fn partitions(&self) -> Vec<(Arc<str>, i32)> {
        let partitions = self.positions.keys();
        partitions
            .map(|partition| (Arc::clone(&self.topic), *partition))
            .collect()
    }

    async fn begin_pass(&mut self, mut waiters: Vec<Waiter>, isolation: Isolation) {
        let partitions = self.partitions();
        loop {
            let ends = self
                .admin
                .list_offsets(&partitions, ListAt::Latest, isolation)
                .await;
            match ends {
                Ok(ends) => {
                    let ends = ends.into_iter().map(|((_, p), end)| (p, end)).collect();
                    self.waiters.push((ends, waiters));
                    return;
                }
                Err(error) => {
                    waiters.retain(|waiter| !waiter.is_closed());
                    if waiters.is_empty() {
                        return;
                    }
                    warn!(topic = %self.topic, %error, "listing the ends of an internal topic failed; trying again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }

    async fn take(&mut self, batches: Vec<PartitionBatch>) {
        for batch in batches {
            if !batch.records.is_empty() {
                (self.on_records)(batch.records).await;
            }
            self.positions.insert(batch.partition, batch.next_offset);
        }
    }

    /// Says which transactions a read waits for, and how one is ended that nobody else will end.
    async fn say_if_late(&mut self) {
        if self.waiters.is_empty() {
            self.late_at = None;
            return;
        }
        let due = *self.late_at.get_or_insert_with(|| Instant::now() + LATE);
        if Instant::now() < due {
            return;
        }
        self.late_at = None;
        let partitions = self.partitions();
        let listed = self
            .admin
            .list_offsets(&partitions, ListAt::Latest, Isolation::ReadCommitted)
            .await;
        // Without the broker there is nothing to say that is not said elsewhere.
        for ((topic, partition), open) in listed.unwrap_or_default() {
            let is_read = self.positions.get(&partition).is_some_and(|at| *at >= open);
            let waits = |(ends, _): &(BTreeMap<i32, i64>, _)| ends.get(&partition) > Some(&open);
            if is_read && self.waiters.iter().any(waits) {
                warn!(
                    topic = %topic, partition, offset = open,
                    "an internal topic cannot be read to its end: the transaction that began at this offset is still open. One that its \
                     producer left is ended by its timeout; one that `kafka-transactions.sh find-hanging` names hangs for ever (KIP-664): \
                     end it with `kafka-transactions.sh abort --topic {topic} --partition {partition} --start-offset {open}`"
                );
            }
        }
    }

    async fn finish_passes(&mut self) {
        // Markers and compacted records move the position without a record; so does a topic that was made again, back.
        let behind: Vec<i32> = self
            .waiters
            .iter()
            .flat_map(|(ends, _)| ends)
            .filter(|(partition, end)| self.positions.get(partition).is_none_or(|at| at != *end))
            .map(|(partition, _)| *partition)
            .collect();
        for partition in behind {
            if let Ok(position) = self.fetcher.position(&self.topic, partition).await {
                self.positions.insert(partition, position);
            }
        }
        let positions = &self.positions;
        let reached = |ends: &BTreeMap<i32, i64>| {
            ends.iter()
                .all(|(partition, end)| positions.get(partition).is_some_and(|at| at >= end))
        };
        let (done, rest) = std::mem::take(&mut self.waiters)
            .into_iter()
            .partition::<Vec<_>, _>(|(ends, _)| reached(ends));
        self.waiters = rest;
        for waiter in done.into_iter().flat_map(|(_, waiters)| waiters) {
            // Whoever asked may have given up.
            let _ = waiter.send(());
        }
    }
}
