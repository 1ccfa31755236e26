//! Batches on their way into the database while the next ones are read and converted.
//!
//! A task of its own has the connection and writes what it is given, in order: what has come meanwhile goes with it, up to
//! `batch.size` rows. Rows that the database takes as they come are on their way to it at once, and those that come soon
//! behind them go into the same statement: each begins with work that a thousand rows do not take. It stops at the first
//! failure and writes nothing behind it. Nothing here decides what a failure means: the sink has everything that is not
//! known to be written delivered again, and writes that by itself, record in hand.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use milena_api::TopicPartition;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    offsets::OffsetsTable,
    rows::Rows,
    writer::{Buffer, Plan, WriteError, Writer, commit_buffers, end_feed, feed},
};
use crate::dialect::Session;

/// Batches that wait behind the one that is written: memory against the time of a round trip.
const WAITING: usize = 2;
/// How long a statement that takes rows as they come waits for further ones. They are read meanwhile, if there are any: a
/// batch takes some milliseconds, more where the processors are busy. So much later are the last ones to be seen.
const LINGER: Duration = Duration::from_millis(20);
/// How long the database may take to end what was given up. One that cannot be reached any more ends it by itself.
const GIVE_UP: Duration = Duration::from_secs(10);

/// Rows of one batch, in order.
pub(crate) struct Parcel {
    pub(crate) buffers: Vec<Buffer>,
    /// With exactly once: partition, epoch, position after the rows.
    pub(crate) positions: Vec<(TopicPartition, i64, i64)>,
}

impl Parcel {
    fn rows(&self) -> usize {
        self.buffers.iter().map(|buffer| buffer.rows.len()).sum()
    }

    /// The plan of rows that can go in as they come.
    fn streams(&self, session: &dyn Session) -> Option<Arc<Plan>> {
        match (self.buffers.as_slice(), self.positions.as_slice()) {
            ([only], [])
                if matches!(only.rows, Rows::LaidOut(_))
                    && session.writes_at_once(only.kind, only.rows.len()) =>
            {
                Some(Arc::clone(&only.plan))
            }
            _ => None,
        }
    }

    /// Takes the rows of the next batch behind its own.
    fn append(&mut self, next: Self) {
        for buffer in next.buffers {
            match self.buffers.last_mut() {
                Some(last)
                    if last.kind == buffer.kind
                        && Arc::ptr_eq(&last.plan, &buffer.plan)
                        && last.rows.is_like(&buffer.rows) =>
                {
                    last.rows.append(buffer.rows);
                }
                _ => self.buffers.push(buffer),
            }
        }
        for (partition, epoch, position) in next.positions {
            self.positions.retain(|(known, ..)| *known != partition);
            self.positions.push((partition, epoch, position));
        }
    }
}

/// What the task that writes is given.
enum Word {
    Rows(Parcel),
    /// Somebody waits for all that was given before.
    Now,
}

/// What a batch stands for: each partition with its first offset and the one after its last.
pub(crate) type Span = Vec<(TopicPartition, i64, i64)>;

/// A connection, what is known on it, how it went.
pub(crate) type Finished = (Box<dyn Session>, Writer, Result<(), WriteError>);
type Ended = (Box<dyn Session>, Result<(), WriteError>);

/// The way to the task that writes.
pub(crate) struct Pipe {
    /// What is known of the tables; the connection's.
    pub(crate) writer: Writer,
    words: Option<mpsc::Sender<Word>>,
    written: watch::Receiver<usize>,
    /// Batches that were given, in all.
    given: usize,
    /// Those that are not known to be written.
    unknown: VecDeque<Span>,
    given_up: CancellationToken,
    ended: JoinHandle<Ended>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Nothing is written for a task that is gone.
        self.ended.abort();
    }
}

impl Pipe {
    pub(crate) fn new(
        session: Box<dyn Session>,
        writer: Writer,
        offsets: Option<OffsetsTable>,
    ) -> Self {
        let (words, arriving) = mpsc::channel(WAITING);
        let (tell, written) = watch::channel(0);
        let settings = writer.settings();
        let (begin, batch) = (settings.common.dialect.begin(), settings.batch);
        let given_up = CancellationToken::new();
        let hand = Hand {
            begin,
            batch,
            offsets,
            given_up: given_up.clone(),
        };
        let ended = tokio::spawn(run(session, hand, arriving, tell));
        Self {
            writer,
            words: Some(words),
            written,
            given: 0,
            unknown: VecDeque::new(),
            given_up,
            ended,
        }
    }

    /// Hands a batch over, once there is room; `false`: writing has failed, and this batch is lost as well.
    pub(crate) async fn give(&mut self, parcel: Parcel, span: Span) -> bool {
        // First: a call that is dropped while it waits has given nothing.
        let room = match &self.words {
            Some(words) => words.reserve().await.ok(),
            None => None,
        };
        self.unknown.push_back(span);
        self.given += 1;
        let given = room.map(|room| room.send(Word::Rows(parcel))).is_some();
        self.forget_written();
        given
    }

    /// Whether writing has failed.
    pub(crate) fn failed(&self) -> bool {
        self.written.has_changed().is_err()
    }

    /// Waits until all that was given is written; `false`: it failed.
    pub(crate) async fn settle(&mut self) -> bool {
        let given = self.given;
        if *self.written.borrow() < given
            && let Some(words) = &self.words
        {
            // Who has failed takes no more words, and is found out below.
            let _failed = words.send(Word::Now).await;
        }
        let all = {
            let all = self.written.wait_for(|written| *written >= given).await;
            all.is_ok()
        };
        self.forget_written();
        all
    }

    fn forget_written(&mut self) {
        let written = *self.written.borrow();
        while self.given - self.unknown.len() < written && self.unknown.pop_front().is_some() {}
    }

    /// Whether anything of these partitions is not known to be written.
    pub(crate) fn holds(&mut self, partitions: &[TopicPartition]) -> bool {
        self.forget_written();
        let mut spans = self.unknown.iter().flatten();
        spans.any(|(partition, ..)| partitions.contains(partition))
    }

    /// Ends it at once: what is being written is undone where the database can, else it is the last; what waits is not
    /// begun. Once this is back, nothing of it comes to be in the database any more. Answers what is not known to be
    /// written.
    pub(crate) async fn give_up(mut self) -> VecDeque<Span> {
        self.given_up.cancel();
        self.words = None;
        // Beyond the time its connection is dropped with the task.
        let _ended = tokio::time::timeout(GIVE_UP, &mut self.ended).await;
        self.forget_written();
        std::mem::take(&mut self.unknown)
    }

    /// These partitions are no longer ours: nothing of them is delivered again.
    pub(crate) fn forget(&mut self, gone: &[TopicPartition]) {
        for span in &mut self.unknown {
            span.retain(|(partition, ..)| !gone.contains(partition));
        }
    }

    /// Ends it: the connection, what is known on it and how it went, unless the task is gone with them; and what is not
    /// known to be written.
    pub(crate) async fn end(mut self) -> (Option<Finished>, VecDeque<Span>) {
        self.words = None;
        let ended = (&mut self.ended).await.ok();
        self.forget_written();
        let unknown = std::mem::take(&mut self.unknown);
        let writer = self.writer.take();
        let finished = ended.map(|(session, outcome)| (session, writer, outcome));
        (finished, unknown)
    }
}

/// What the task that writes is told once.
struct Hand {
    begin: &'static str,
    batch: usize,
    offsets: Option<OffsetsTable>,
    given_up: CancellationToken,
}

async fn run(
    mut session: Box<dyn Session>,
    hand: Hand,
    mut arriving: mpsc::Receiver<Word>,
    tell: watch::Sender<usize>,
) -> Ended {
    let mut written = 0;
    let mut next = None;
    loop {
        let word = match next.take() {
            Some(parcel) => Some(Word::Rows(parcel)),
            None => tokio::select! {
                biased;
                () = hand.given_up.cancelled() => None,
                word = arriving.recv() => word,
            },
        };
        let parcel = match word {
            Some(Word::Rows(parcel)) => parcel,
            Some(Word::Now) => continue,
            None => return (session, Ok(())),
        };
        let undoes = session.undoes();
        let write = write(&mut *session, &hand, parcel, &mut arriving, &mut next);
        let outcome = tokio::select! {
            biased;
            () = hand.given_up.cancelled(), if undoes => None,
            outcome = write => Some(outcome),
        };
        match outcome {
            Some(Ok(count)) => {
                written += count;
                tell.send_replace(written);
            }
            Some(Err(failed)) => return (session, Err(failed)),
            None => {
                let undone = session.undo().await.map_err(WriteError::from);
                return (session, undone);
            }
        }
    }
}

/// Writes a batch and those that go with it; answers their number. The one behind them may have come already.
async fn write(
    session: &mut dyn Session,
    hand: &Hand,
    mut parcel: Parcel,
    arriving: &mut mpsc::Receiver<Word>,
    next: &mut Option<Parcel>,
) -> Result<usize, WriteError> {
    if let Some(plan) = parcel.streams(session) {
        return stream(session, hand.batch, parcel, &plan, arriving, next).await;
    }
    let mut count = 1;
    while parcel.rows() < hand.batch
        && let Ok(word) = arriving.try_recv()
    {
        if let Word::Rows(next) = word {
            parcel.append(next);
            count += 1;
        }
    }
    let Parcel {
        mut buffers,
        positions,
    } = parcel;
    let offsets = hand.offsets.as_ref();
    commit_buffers(session, hand.begin, &mut buffers, &positions, offsets).await?;
    Ok(count)
}

/// As [`write`], of rows that go in as they come.
async fn stream(
    session: &mut dyn Session,
    batch: usize,
    first: Parcel,
    plan: &Arc<Plan>,
    arriving: &mut mpsc::Receiver<Word>,
    next: &mut Option<Parcel>,
) -> Result<usize, WriteError> {
    let (mut count, mut rows) = (0, 0);
    let mut parcel = Some(first);
    while let Some(some) = parcel.take() {
        count += 1;
        rows += some.rows();
        for buffer in some.buffers {
            feed(session, buffer).await?;
        }
        if rows >= batch {
            break;
        }
        let word = tokio::time::timeout(LINGER, arriving.recv()).await;
        let Ok(Some(Word::Rows(more))) = word else {
            break;
        };
        let like = more.streams(session).filter(|of| Arc::ptr_eq(of, plan));
        match like.is_some() && rows + more.rows() <= batch {
            true => parcel = Some(more),
            false => *next = Some(more),
        }
    }
    end_feed(session, plan, rows).await?;
    Ok(count)
}
