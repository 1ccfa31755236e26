//! Batches on their way into the database while the next ones are read and converted.
//!
//! A task of its own has the connection and writes what it is given, in order: what has come meanwhile goes with it, up to
//! `batch.size` rows. It stops at the first failure and writes nothing behind it. Nothing here decides what a failure
//! means: the sink has everything that is not known to be written delivered again, and writes that by itself, record in
//! hand.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use milena_api::TopicPartition;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    offsets::OffsetsTable,
    writer::{Buffer, WriteError, Writer, commit_buffers},
};
use crate::dialect::Session;

/// Batches that wait behind the one that is written: memory against the time of a round trip.
const WAITING: usize = 2;
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

/// What a batch stands for: each partition with its first offset and the one after its last.
pub(crate) type Span = Vec<(TopicPartition, i64, i64)>;

/// A connection, what is known on it, how it went.
pub(crate) type Finished = (Box<dyn Session>, Writer, Result<(), WriteError>);
type Ended = (Box<dyn Session>, Result<(), WriteError>);

/// The way to the task that writes.
pub(crate) struct Pipe {
    /// What is known of the tables; the connection's.
    pub(crate) writer: Writer,
    parcels: Option<mpsc::Sender<Parcel>>,
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
        let (parcels, arriving) = mpsc::channel(WAITING);
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
            parcels: Some(parcels),
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
        let room = match &self.parcels {
            Some(parcels) => parcels.reserve().await.ok(),
            None => None,
        };
        self.unknown.push_back(span);
        self.given += 1;
        let given = room.map(|room| room.send(parcel)).is_some();
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
        self.parcels = None;
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
        self.parcels = None;
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
    mut arriving: mpsc::Receiver<Parcel>,
    tell: watch::Sender<usize>,
) -> Ended {
    let mut written = 0;
    loop {
        let parcel = tokio::select! {
            biased;
            () = hand.given_up.cancelled() => None,
            parcel = arriving.recv() => parcel,
        };
        let Some(mut parcel) = parcel else {
            return (session, Ok(()));
        };
        let mut count = 1;
        while parcel.rows() < hand.batch
            && let Ok(next) = arriving.try_recv()
        {
            parcel.append(next);
            count += 1;
        }
        let Parcel {
            mut buffers,
            positions,
        } = parcel;
        let undoes = session.undoes();
        let commit = commit_buffers(
            &mut *session,
            hand.begin,
            &mut buffers,
            &positions,
            hand.offsets.as_ref(),
        );
        let outcome = tokio::select! {
            biased;
            () = hand.given_up.cancelled(), if undoes => None,
            outcome = commit => Some(outcome),
        };
        match outcome {
            Some(Ok(())) => {
                written += count;
                tell.send_replace(written);
            }
            Some(failed) => return (session, failed),
            None => {
                let undone = session.undo().await.map_err(WriteError::from);
                return (session, undone);
            }
        }
    }
}
