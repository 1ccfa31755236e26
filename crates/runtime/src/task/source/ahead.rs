//! The next batches, polled and converted while a transaction is being committed (`transaction.boundary=poll`).
//!
//! They are never sent before the commit was answered: their transaction has not begun. What comes of them, records or an
//! error, comes after the transaction before it, and is forgotten when that one failed or the task stops: their offsets are
//! nowhere, so they are polled again. Java polls when the commit was answered, never before, and makes a transaction of each
//! batch; here those that came while one was committed share the next, and a batch is never divided.
//!
//! A transaction whose records are still being written takes a batch that comes meanwhile, for a while: its end, and the
//! beginning of the next, in which brokers may wait for the markers of the last, cost as much for many batches as for one.

use std::{collections::VecDeque, future::Future, pin::Pin, time::Duration};

use milena_api::{ConnectError, SourceTask};
use milena_data::SourceRecord;
use tokio::time::Instant;

use super::batch::{Preparation, Prepared};
use crate::task::start::Running;

/// How long a poll may go on after the commit was answered: the task is to hear of the commit, and it may be that which
/// the source waits for.
const GRACE: Duration = Duration::from_millis(500);
/// So many transactions long nothing is polled ahead of a source that had nothing for so long.
const RESTS: u32 = 32;

/// How long a poll behind the first may go on after the commit was answered: there is something to send.
const GRACE_BEHIND: Duration = Duration::from_millis(5);
/// With so many bytes, or records, ahead nothing more is polled.
const BYTES_AHEAD: usize = 8 * 1024 * 1024;
const RECORDS_AHEAD: usize = 50_000;

/// With fewer bytes a transaction takes nothing more: to write them takes no longer than its end.
const TAKES_MORE_FROM: usize = 256 * 1024;
/// So long a transaction takes more, after it was begun.
const TAKES_MORE_FOR: Duration = Duration::from_millis(100);

/// Whether a transaction of so many bytes, begun so long ago, may take another batch.
pub(super) fn takes_more(bytes: usize, since: Duration) -> bool {
    bytes >= TAKES_MORE_FROM && since < TAKES_MORE_FOR
}

/// A batch that was polled ahead, as far as it could be converted, or why there is none.
pub(super) type Ahead = Result<(Vec<SourceRecord>, Prepared), ConnectError>;

/// Whether it pays to poll ahead.
#[derive(Debug, Default)]
pub(super) struct Pace {
    rests: u32,
    /// The same for a second batch and those behind it.
    rests_behind: u32,
}

impl Pace {
    /// Asked once per transaction.
    pub(super) fn pays(&mut self) -> bool {
        let rested = self.rests == 0;
        self.rests = self.rests.saturating_sub(1);
        rested
    }

    fn pays_behind(&mut self) -> bool {
        let rested = self.rests_behind == 0;
        self.rests_behind = self.rests_behind.saturating_sub(1);
        rested
    }

    fn given_up(&mut self, is_first: bool) {
        match is_first {
            true => self.rests = RESTS,
            false => self.rests_behind = RESTS,
        }
    }
}

/// What became of a transaction that was to be committed.
pub(super) enum Became<T, E> {
    /// It takes this batch first: nothing of its end was begun.
    TakesMore(Ahead),
    /// The answer to the commit, and what was polled ahead.
    Ended(Result<T, E>, VecDeque<Ahead>),
}

type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A commit on its way.
struct Committing<'a, T, E> {
    /// Until all that was sent is answered; the commit is not begun before.
    settling: Option<Doing<'a, ()>>,
    commit: Doing<'a, Result<T, E>>,
    answer: Option<Result<T, E>>,
}

impl<T, E> Committing<'_, T, E> {
    fn takes_more(&self) -> bool {
        self.settling.is_some()
    }

    fn is_answered(&self) -> bool {
        self.answer.is_some()
    }

    fn has_failed(&self) -> bool {
        matches!(self.answer, Some(Err(_)))
    }

    /// Waits for the answer. Nothing is lost when it is dropped.
    async fn answered(&mut self) {
        if let Some(settling) = &mut self.settling {
            settling.await;
            self.settling = None;
        }
        if self.answer.is_none() {
            self.answer = Some((&mut self.commit).await);
        }
    }

    async fn outcome(mut self) -> Result<T, E> {
        self.answered().await;
        match self.answer {
            Some(answer) => answer,
            None => self.commit.await,
        }
    }
}

/// Polls ahead.
pub(super) struct PollAhead<'a> {
    pub(super) running: &'a mut Running,
    pub(super) preparation: &'a mut Preparation,
    pub(super) pace: &'a mut Pace,
}

impl PollAhead<'_> {
    /// Waits for a commit, and polls and converts meanwhile. Nothing ahead: the source has nothing now, or it was given up
    /// because the commit failed, or because the task is to stop or to pause. An error is always the last. Where `settling` is
    /// given, the commit begins when that is done, and a batch that comes before is for the transaction itself.
    pub(super) async fn during<T, E>(
        mut self,
        settling: Option<impl Future<Output = ()> + Send>,
        commit: impl Future<Output = Result<T, E>> + Send,
        task: &mut dyn SourceTask,
    ) -> Became<T, E> {
        let mut commit = Committing {
            settling: settling.map(|settling| Box::pin(settling) as Doing<'_, ()>),
            commit: Box::pin(commit),
            answer: None,
        };
        let mut ahead = VecDeque::new();
        let (mut bytes, mut records) = (0, 0);
        loop {
            let Some(polled) = self.poll(&mut commit, task, ahead.is_empty()).await else {
                break;
            };
            let batch = match polled {
                Ok(batch) => batch,
                Err(error) => {
                    ahead.push_back(Err(error));
                    break;
                }
            };
            let Some(prepared) = self.convert(&mut commit, &batch).await else {
                break;
            };
            bytes += prepared.bytes();
            records += batch.len();
            let is_whole = prepared.is_whole();
            let is_first = ahead.is_empty();
            if is_whole && is_first && commit.takes_more() {
                return Became::TakesMore(Ok((batch, prepared)));
            }
            ahead.push_back(Ok((batch, prepared)));
            if commit.is_answered()
                || !is_whole
                || bytes >= BYTES_AHEAD
                || records >= RECORDS_AHEAD
                || (is_first && !self.pace.pays_behind())
            {
                break;
            }
        }
        Became::Ended(commit.outcome().await, ahead)
    }

    async fn poll<T, E>(
        &mut self,
        commit: &mut Committing<'_, T, E>,
        task: &mut dyn SourceTask,
        is_first: bool,
    ) -> Option<Result<Vec<SourceRecord>, ConnectError>> {
        let begun = Instant::now();
        let grace = if is_first { GRACE } else { GRACE_BEHIND };
        let mut poll = task.poll();
        let mut until = None;
        let polled = loop {
            tokio::select! {
                biased;
                () = commit.answered(), if !commit.is_answered() => {
                    if commit.has_failed() {
                        return None;
                    }
                    until = Some(Instant::now() + grace);
                }
                () = self.running.stopping.cancelled() => return None,
                _ = self.running.target.changed() => {
                    self.running.target.mark_changed();
                    return None;
                }
                polled = &mut poll => break polled,
                () = super::at(until) => {
                    self.pace.given_up(is_first);
                    return None;
                }
            }
        };
        let given = super::given(self.running, polled, begun);
        if matches!(&given, Ok(records) if records.is_empty()) {
            return None;
        }
        Some(given)
    }

    /// Plugins may wait here, and try again for long: a commit that fails ends it.
    async fn convert<T, E>(
        &mut self,
        commit: &mut Committing<'_, T, E>,
        records: &[SourceRecord],
    ) -> Option<Prepared> {
        let mut converted = std::pin::pin!(self.preparation.convert(records));
        loop {
            tokio::select! {
                biased;
                () = commit.answered(), if !commit.is_answered() => {
                    if commit.has_failed() {
                        return None;
                    }
                }
                prepared = &mut converted => return Some(prepared),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Pace, RESTS, TAKES_MORE_FOR, TAKES_MORE_FROM, takes_more};

    #[test]
    fn only_large_and_young_transactions_take_more() {
        assert!(takes_more(TAKES_MORE_FROM, Duration::ZERO));
        assert!(!takes_more(TAKES_MORE_FROM - 1, Duration::ZERO));
        assert!(!takes_more(TAKES_MORE_FROM, TAKES_MORE_FOR));
    }

    #[test]
    fn a_poll_that_was_given_up_is_not_tried_again_soon() {
        let mut pace = Pace::default();
        assert!(pace.pays());
        pace.given_up(true);
        assert!(pace.pays_behind());
        let asked = (0..RESTS).filter(|_| pace.pays()).count();
        assert_eq!(asked, 0);
        assert!(pace.pays());
        pace.given_up(false);
        assert!(pace.pays());
        let asked = (0..RESTS).filter(|_| pace.pays_behind()).count();
        assert_eq!(asked, 0);
        assert!(pace.pays_behind());
    }
}
