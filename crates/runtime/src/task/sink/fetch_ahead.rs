//! Reads the next records while the task works on those in hand: the fetcher runs in a task of its own, at most two batches
//! ahead.
//!
//! It must never deliver what was read before a change of position (seek, assign) that made it stale, nor anything of a
//! paused partition, and never lose or repeat a record of the partitions that a change leaves alone.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use milena_kafka::ports::{Fetcher, KafkaError, KafkaErrorKind, PartitionBatch, StartAt};
use tokio::sync::{
    mpsc::{self, error::TryRecvError},
    oneshot,
};

/// How long one poll of the client waits. It is dropped when something else is asked for.
const POLL: Duration = Duration::from_millis(500);

type Polled = Result<Vec<PartitionBatch>, KafkaError>;
type Partition = (Arc<str>, i32);
type Assignment = Vec<(Arc<str>, i32, Option<StartAt>)>;

/// What is asked of the fetcher.
enum Ask {
    Assign(Assignment),
    Seek(Arc<str>, i32, i64),
    Pause(Vec<Partition>),
    Resume(Vec<Partition>),
    Position(Arc<str>, i32),
    EndOffsets(Vec<Partition>),
    Close,
}

/// What it answers.
enum Answer {
    Done,
    Position(i64),
    EndOffsets(BTreeMap<Partition, i64>),
}

struct Request {
    ask: Ask,
    /// With the answer comes what was read and not yet handed over.
    answer: oneshot::Sender<(Result<Answer, KafkaError>, Option<Item>)>,
}

/// A batch, and how many requests the fetcher had taken when it was read.
struct Item {
    after: u64,
    polled: Polled,
}

/// A fetcher that reads ahead.
pub(super) struct FetchAhead {
    requests: mpsc::Sender<Request>,
    polled: mpsc::Receiver<Item>,
    asked: u64,
    /// Read and not delivered, in order.
    held: VecDeque<Polled>,
    paused: BTreeSet<Partition>,
}

impl FetchAhead {
    pub(super) fn new(fetcher: Box<dyn Fetcher>) -> Self {
        let (requests, asked) = mpsc::channel(1);
        let (read, polled) = mpsc::channel(1);
        tokio::spawn(run(fetcher, asked, read));
        Self {
            requests,
            polled,
            asked: 0,
            held: VecDeque::new(),
            paused: BTreeSet::new(),
        }
    }

    /// Asks the fetcher; what it had read until then is held, what `stays` refuses is forgotten.
    async fn ask(
        &mut self,
        ask: Ask,
        stays: impl Fn(&str, i32) -> bool,
        keeps_errors: bool,
    ) -> Result<Answer, KafkaError> {
        self.asked += 1;
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(Request { ask, answer }).await;
        sent.map_err(|_| ended())?;
        let (answer, rest) = answered.await.map_err(|_| ended())?;
        let (mut stale, mut fresh) = (std::mem::take(&mut self.held), VecDeque::new());
        while let Ok(item) = self.polled.try_recv() {
            match item.after < self.asked {
                true => stale.push_back(item.polled),
                false => fresh.push_back(item.polled),
            }
        }
        stale.extend(rest.map(|item| item.polled));
        for polled in stale {
            match polled {
                Ok(mut batches) => {
                    batches.retain(|batch| stays(&batch.topic, batch.partition));
                    if !batches.is_empty() {
                        self.held.push_back(Ok(batches));
                    }
                }
                // What is wrong now is told again.
                Err(error) if keeps_errors => self.held.push_back(Err(error)),
                Err(_) => {}
            }
        }
        self.held.extend(fresh);
        answer
    }

    /// What may be delivered of this; the rest, of paused partitions, is what is left.
    fn deliverable(&self, batches: &mut Vec<PartitionBatch>) -> Vec<PartitionBatch> {
        if self.paused.is_empty() {
            return std::mem::take(batches);
        }
        let is_paused = |batch: &PartitionBatch| {
            let partition = (Arc::clone(&batch.topic), batch.partition);
            self.paused.contains(&partition)
        };
        let (kept, now) = std::mem::take(batches).into_iter().partition(is_paused);
        *batches = kept;
        now
    }

    fn take_held(&mut self) -> Option<Polled> {
        let mut index = 0;
        while let Some(polled) = self.held.get(index) {
            if polled.is_err() {
                return self.held.remove(index);
            }
            let Some(Ok(mut batches)) = self.held.remove(index) else {
                return None;
            };
            let now = self.deliverable(&mut batches);
            if !batches.is_empty() {
                self.held.insert(index, Ok(batches));
                index += 1;
            }
            if !now.is_empty() {
                return Some(Ok(now));
            }
        }
        None
    }
}

fn ended() -> KafkaError {
    KafkaError::new(KafkaErrorKind::Fatal, "the fetcher has ended")
}

#[async_trait]
impl Fetcher for FetchAhead {
    async fn assign(&mut self, partitions: Assignment) -> Result<(), KafkaError> {
        let goes_on: BTreeSet<Partition> = partitions
            .iter()
            .filter(|(_, _, start)| start.is_none())
            .map(|(topic, partition, _)| (Arc::clone(topic), *partition))
            .collect();
        let stays = |topic: &str, partition| {
            let mut all = goes_on.iter();
            all.any(|(name, number)| **name == *topic && *number == partition)
        };
        let all: BTreeSet<Partition> = partitions
            .iter()
            .map(|(topic, partition, _)| (Arc::clone(topic), *partition))
            .collect();
        self.ask(Ask::Assign(partitions), stays, false).await?;
        self.paused.retain(|partition| all.contains(partition));
        Ok(())
    }

    async fn seek(&mut self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaError> {
        let ask = Ask::Seek(topic.into(), partition, offset);
        let stays = |name: &str, number| *name != *topic || number != partition;
        self.ask(ask, stays, false).await.map(drop)
    }

    async fn pause(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let ask = Ask::Pause(partitions.to_vec());
        self.ask(ask, |_, _| true, true).await?;
        self.paused.extend(partitions.iter().cloned());
        Ok(())
    }

    async fn resume(&mut self, partitions: &[Partition]) -> Result<(), KafkaError> {
        let ask = Ask::Resume(partitions.to_vec());
        self.ask(ask, |_, _| true, true).await?;
        for partition in partitions {
            self.paused.remove(partition);
        }
        Ok(())
    }

    async fn position(&mut self, topic: &str, partition: i32) -> Result<i64, KafkaError> {
        let ask = Ask::Position(topic.into(), partition);
        let answer = self.ask(ask, |_, _| true, true).await?;
        let held = self.held.iter().flatten().flatten();
        let mut of_it = held.filter(|batch| *batch.topic == *topic && batch.partition == partition);
        let first = of_it.find_map(|batch| batch.records.first());
        match (first, answer) {
            (Some(record), _) => Ok(record.offset),
            (None, Answer::Position(position)) => Ok(position),
            (None, _) => Err(ended()),
        }
    }

    async fn poll(&mut self, max_wait: Duration) -> Polled {
        if let Some(held) = self.take_held() {
            return held;
        }
        let until = tokio::time::Instant::now() + max_wait;
        loop {
            let item = match self.polled.try_recv() {
                Ok(item) => item,
                Err(TryRecvError::Disconnected) => return Err(ended()),
                // A timer is never over at once: it would be waited for up to a millisecond.
                Err(TryRecvError::Empty) if max_wait.is_zero() => return Ok(Vec::new()),
                Err(TryRecvError::Empty) => {
                    match tokio::time::timeout_at(until, self.polled.recv()).await {
                        Ok(Some(item)) => item,
                        Ok(None) => return Err(ended()),
                        Err(_) => return Ok(Vec::new()),
                    }
                }
            };
            let mut batches = item.polled?;
            let now = self.deliverable(&mut batches);
            if !batches.is_empty() {
                self.held.push_back(Ok(batches));
            }
            if !now.is_empty() {
                return Ok(now);
            }
        }
    }

    async fn end_offsets(
        &mut self,
        partitions: &[Partition],
    ) -> Result<BTreeMap<Partition, i64>, KafkaError> {
        let ask = Ask::EndOffsets(partitions.to_vec());
        match self.ask(ask, |_, _| true, true).await? {
            Answer::EndOffsets(offsets) => Ok(offsets),
            _ => Err(ended()),
        }
    }

    async fn close(&mut self) {
        // One that has ended is closed.
        let _ = self.ask(Ask::Close, |_, _| false, false).await;
    }
}

/// The task of the fetcher; it ends when nobody can ask any more.
async fn run(
    mut fetcher: Box<dyn Fetcher>,
    mut requests: mpsc::Receiver<Request>,
    read: mpsc::Sender<Item>,
) {
    let (mut taken, mut assigned) = (0, false);
    let mut ready: Option<Item> = None;
    loop {
        let request = tokio::select! {
            biased;
            request = requests.recv() => request,
            permit = read.reserve(), if ready.is_some() => {
                let (Ok(permit), Some(item)) = (permit, ready.take()) else {
                    return;
                };
                permit.send(item);
                continue;
            }
            // Nothing is lost when it is dropped for a request.
            polled = fetcher.poll(POLL), if ready.is_none() && assigned => {
                if !matches!(&polled, Ok(batches) if batches.is_empty()) {
                    ready = Some(Item { after: taken, polled });
                }
                continue;
            }
        };
        let Some(Request { ask, answer }) = request else {
            return;
        };
        taken += 1;
        let closes = matches!(ask, Ask::Close);
        let outcome = match ask {
            Ask::Assign(partitions) => {
                assigned = !partitions.is_empty();
                fetcher.assign(partitions).await.map(|()| Answer::Done)
            }
            Ask::Seek(topic, partition, offset) => {
                let sought = fetcher.seek(&topic, partition, offset).await;
                sought.map(|()| Answer::Done)
            }
            Ask::Pause(list) => fetcher.pause(&list).await.map(|()| Answer::Done),
            Ask::Resume(list) => fetcher.resume(&list).await.map(|()| Answer::Done),
            Ask::Position(topic, partition) => {
                let position = fetcher.position(&topic, partition).await;
                position.map(Answer::Position)
            }
            Ask::EndOffsets(list) => fetcher.end_offsets(&list).await.map(Answer::EndOffsets),
            Ask::Close => {
                fetcher.close().await;
                Ok(Answer::Done)
            }
        };
        // Nobody waits for it any more: then nobody wants what was read, either.
        if answer.send((outcome, ready.take())).is_err() || closes {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc, time::Duration};

    use async_trait::async_trait;
    use futures_util::FutureExt as _;
    use milena_kafka::ports::{
        Fetcher, InRecord, KafkaError, PartitionBatch, StartAt, TimestampType,
    };

    use super::FetchAhead;

    /// Gives one record of each assigned partition per poll, without end.
    #[derive(Default)]
    struct Endless {
        positions: BTreeMap<(Arc<str>, i32), i64>,
        paused: Vec<(Arc<str>, i32)>,
    }

    #[async_trait]
    impl Fetcher for Endless {
        async fn assign(
            &mut self,
            wanted: Vec<(Arc<str>, i32, Option<StartAt>)>,
        ) -> Result<(), KafkaError> {
            let old = std::mem::take(&mut self.positions);
            for (topic, partition, start) in wanted {
                let at = (topic, partition);
                let position = match start {
                    Some(StartAt::Offset(offset)) => offset,
                    Some(_) => 0,
                    None => old.get(&at).copied().unwrap_or(0),
                };
                self.positions.insert(at, position);
            }
            Ok(())
        }
        async fn seek(&mut self, topic: &str, partition: i32, at: i64) -> Result<(), KafkaError> {
            self.positions.insert((topic.into(), partition), at);
            Ok(())
        }
        async fn pause(&mut self, list: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
            self.paused.extend(list.iter().cloned());
            Ok(())
        }
        async fn resume(&mut self, list: &[(Arc<str>, i32)]) -> Result<(), KafkaError> {
            self.paused.retain(|one| !list.contains(one));
            Ok(())
        }
        async fn position(&mut self, topic: &str, partition: i32) -> Result<i64, KafkaError> {
            Ok(self.positions[&(topic.into(), partition)])
        }
        async fn poll(&mut self, _: Duration) -> Result<Vec<PartitionBatch>, KafkaError> {
            tokio::task::yield_now().await;
            let mut batches = Vec::new();
            for ((topic, partition), at) in &mut self.positions {
                if self.paused.contains(&(Arc::clone(topic), *partition)) {
                    continue;
                }
                let record = InRecord {
                    offset: *at,
                    timestamp: 0,
                    timestamp_type: TimestampType::CreateTime,
                    key: None,
                    value: None,
                    headers: Vec::new(),
                };
                *at += 1;
                batches.push(PartitionBatch {
                    topic: Arc::clone(topic),
                    partition: *partition,
                    records: vec![record],
                    next_offset: *at,
                });
            }
            Ok(batches)
        }
        async fn end_offsets(
            &mut self,
            _: &[(Arc<str>, i32)],
        ) -> Result<BTreeMap<(Arc<str>, i32), i64>, KafkaError> {
            Ok(BTreeMap::new())
        }
        async fn close(&mut self) {}
    }

    async fn next(ahead: &mut FetchAhead) -> Vec<(i32, i64)> {
        let batches = ahead.poll(Duration::from_secs(60)).await.unwrap();
        let one = |batch: &PartitionBatch| (batch.partition, batch.records[0].offset);
        batches.iter().map(one).collect()
    }

    /// Lets the fetcher read as far ahead as it will.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_poll_that_may_not_wait_answers_at_once() {
        let mut ahead = FetchAhead::new(Box::new(Endless::default()));
        let nothing = ahead.poll(Duration::ZERO).now_or_never();
        assert!(nothing.unwrap().unwrap().is_empty());
        ahead.assign(vec![start(0, 0)]).await.unwrap();
        settle().await;
        let there = ahead.poll(Duration::ZERO).now_or_never();
        assert!(!there.unwrap().unwrap().is_empty());
    }

    fn start(partition: i32, offset: i64) -> (Arc<str>, i32, Option<StartAt>) {
        ("t".into(), partition, Some(StartAt::Offset(offset)))
    }

    #[tokio::test]
    async fn after_a_seek_nothing_older_comes_and_the_others_go_on() {
        let mut ahead = FetchAhead::new(Box::new(Endless::default()));
        ahead.assign(vec![start(0, 0), start(1, 0)]).await.unwrap();
        assert_eq!(next(&mut ahead).await, [(0, 0), (1, 0)]);
        settle().await;
        ahead.seek("t", 0, 100).await.unwrap();
        settle().await;
        let mut seen = (Vec::new(), Vec::new());
        while seen.0.len() < 5 || seen.1.len() < 5 {
            for (partition, offset) in next(&mut ahead).await {
                match partition {
                    0 => seen.0.push(offset),
                    _ => seen.1.push(offset),
                }
            }
        }
        assert_eq!(seen.0[..5], [100, 101, 102, 103, 104]);
        assert_eq!(seen.1[..5], [1, 2, 3, 4, 5], "nothing is lost or repeated");
    }

    #[tokio::test]
    async fn what_is_assigned_anew_begins_there_and_what_stays_goes_on() {
        let mut ahead = FetchAhead::new(Box::new(Endless::default()));
        ahead.assign(vec![start(0, 0), start(1, 0)]).await.unwrap();
        assert_eq!(next(&mut ahead).await, [(0, 0), (1, 0)]);
        settle().await;
        let stays = ("t".into(), 0, None);
        ahead.assign(vec![stays, start(2, 50)]).await.unwrap();
        assert_eq!(ahead.position("t", 0).await.unwrap(), 1);
        let mut seen = Vec::new();
        while !seen.iter().any(|(partition, _)| *partition == 2) {
            seen.extend(next(&mut ahead).await);
        }
        let of = |wanted| {
            let one = seen
                .iter()
                .filter(move |(partition, _)| *partition == wanted);
            one.map(|(_, offset)| *offset).collect::<Vec<i64>>()
        };
        assert_eq!(of(0), (1..=of(0).len() as i64).collect::<Vec<_>>());
        assert!(of(1).is_empty(), "it was taken away");
        assert_eq!(of(2), [50]);
    }

    #[tokio::test]
    async fn of_a_paused_partition_nothing_comes_and_nothing_is_lost() {
        let mut ahead = FetchAhead::new(Box::new(Endless::default()));
        ahead.assign(vec![start(0, 0), start(1, 0)]).await.unwrap();
        settle().await;
        let first = ("t".into(), 0);
        ahead.pause(std::slice::from_ref(&first)).await.unwrap();
        let mut last = -1;
        for _ in 0..10 {
            for (partition, offset) in next(&mut ahead).await {
                assert_eq!((partition, offset), (1, last + 1));
                last = offset;
            }
        }
        ahead.resume(&[first]).await.unwrap();
        let mut seen = Vec::new();
        while seen.len() < 5 {
            let batch = next(&mut ahead).await;
            seen.extend(batch.into_iter().filter(|(partition, _)| *partition == 0));
        }
        let seen: Vec<i64> = seen.into_iter().map(|(_, offset)| offset).collect();
        assert_eq!(seen[..5], [0, 1, 2, 3, 4]);
    }
}
