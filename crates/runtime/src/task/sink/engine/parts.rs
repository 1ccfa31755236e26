//! A batch whose failure is that of a record, given again in parts until the record is found.
//!
//! The sink says so ([`milena_api::ErrorKind::Record`]); Java has nothing like it. What is found is reported like any errant
//! record (KIP-610) and passed over; everything before it stays delivered, everything after it keeps its order.

use milena_api::{ConnectError, ErrantRecordReporter as _, ErrorKind};
use milena_core::failure::{Stage, Tolerance};
use tokio::time::Instant;
use tracing::warn;

use super::{Engine, unrecoverable};
use crate::task::{failing::StageFailure, sink::reporter::SINK_TASK};

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parts {
    /// Every record was taken or reported.
    Done,
    /// The rest, which is still in hand, is to be given again.
    Again,
}

impl Engine {
    /// Whether a failed batch is taken apart: a single failed record must be tolerable.
    pub(super) fn takes_apart(&self, error: &ConnectError) -> bool {
        error.kind == ErrorKind::Record && self.policy.tolerance == Tolerance::All
    }

    /// Gives the batch in hand again, in parts. `error` is what the whole batch failed with.
    pub(super) async fn put_in_parts(
        &mut self,
        mut error: ConnectError,
    ) -> Result<Parts, ConnectError> {
        let (mut done, total) = (0, self.delivery.records.len());
        let mut size = total;
        while done < total {
            if size <= 1 {
                self.report(done, error.clone()).await?;
                done += 1;
                // Bad records come in groups or alone: the next part is small, and grows while all goes well.
                size = 1;
                if done == total {
                    break;
                }
            } else {
                size = size.div_ceil(2);
            }
            // A good part is followed by one twice as large, a bad one by its first half.
            loop {
                let lost = self.group.fenced() || !self.running.spec.world.lease.holds();
                if lost || self.running.stopping.is_cancelled() {
                    return Ok(self.keep_from(done));
                }
                let end = (done + size).min(total);
                size = end - done;
                let begun = Instant::now();
                let part = self.delivery.records.get(done..end).unwrap_or_default();
                match self.task.put(part).await {
                    Ok(()) => {
                        self.running.metrics.put(size, begun.elapsed());
                        done = end;
                        size *= 2;
                        if done == total {
                            break;
                        }
                    }
                    Err(found) if found.kind == ErrorKind::Record => {
                        error = found;
                        break;
                    }
                    Err(later) if later.is_retriable() => {
                        warn!(task = %self.running.spec.id, error = %later, "put failed and gets the rest of the batch again");
                        return Ok(self.keep_from(done));
                    }
                    Err(fatal) => return Err(unrecoverable(fatal)),
                }
                if let Some(exceeded) = self.take_exceeded() {
                    return Err(unrecoverable(exceeded));
                }
            }
        }
        Ok(Parts::Done)
    }

    /// What was taken or reported is not given again.
    fn keep_from(&mut self, done: usize) -> Parts {
        self.delivery.records.drain(..done);
        Parts::Again
    }

    /// A record that the sink refused: reported, and counted as delivered.
    async fn report(&mut self, at: usize, error: ConnectError) -> Result<(), ConnectError> {
        let Some(record) = self.delivery.records.get(at) else {
            return Ok(());
        };
        let reported = match &self.reporter {
            Some(reporter) => {
                let ticket = reporter.report(record.clone(), error).await;
                ticket.map(drop)
            }
            None => {
                let failure = StageFailure {
                    stage: Stage::TaskPut,
                    class: SINK_TASK.to_owned(),
                    error,
                };
                self.policy.judge(&failure, String::new)
            }
        };
        reported.map_err(unrecoverable)
    }
}
