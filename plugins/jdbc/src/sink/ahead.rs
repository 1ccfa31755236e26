//! `put` ahead of the database: large batches are on their way while the next ones are read.
//!
//! `pre_commit` waits for all of them, so no offset passes what the database has. When writing fails, all that is not
//! known to be written is delivered again, and is written by the batch in hand, as small batches always are: there errors
//! are told apart, rows are tried singly and records go to the dead letters.

use std::collections::BTreeMap;

use milena_api::{ConnectError, PartitionOffsets, SinkTaskRequest, TopicPartition};
use milena_data::SinkRecord;
use tracing::warn;

use super::{
    pipe::{Parcel, Pipe, Span},
    task::Run,
    writer::WriteError,
};

/// From how many records on a batch is written while the next one is read. Where fewer come, nobody waits for the next,
/// and errors are told at once.
const RECORDS_MIN: usize = 250;

/// What is under way, and what must come again.
#[derive(Default)]
pub(super) struct Ahead {
    pipe: Option<Pipe>,
    /// From where partitions must be delivered again: nothing past it may be committed.
    owed: BTreeMap<TopicPartition, i64>,
    /// Until where batches are written at once.
    careful: BTreeMap<TopicPartition, i64>,
    /// The worker is yet to be asked for what is owed.
    due: bool,
}

impl Ahead {
    fn owe(&mut self, span: Span) {
        for (partition, first, next) in span {
            let until = self.careful.entry(partition.clone()).or_insert(next);
            *until = next.max(*until);
            let from = self.owed.entry(partition).or_insert(first);
            *from = first.min(*from);
        }
    }

    /// Partitions that went away.
    fn close(&mut self, partitions: &[TopicPartition]) {
        if let Some(pipe) = &mut self.pipe {
            pipe.forget(partitions);
        }
        for partition in partitions {
            self.owed.remove(partition);
            self.careful.remove(partition);
        }
    }

    /// A batch was written at once.
    pub(super) fn passed(&mut self, records: &[SinkRecord]) {
        if self.careful.is_empty() {
            return;
        }
        for (partition, _, next) in span(records).unwrap_or_default() {
            if self
                .careful
                .get(&partition)
                .is_some_and(|until| *until <= next)
            {
                self.careful.remove(&partition);
            }
        }
    }

    /// No further than what is owed.
    pub(super) fn cap(&self, mut offsets: PartitionOffsets) -> PartitionOffsets {
        for (partition, from) in &self.owed {
            if let Some(offset) = offsets.get_mut(partition) {
                *offset = (*offset).min(*from);
            }
        }
        offsets
    }
}

/// The partitions of a batch with their first and next offsets; `None`: some record is of no partition.
fn span(records: &[SinkRecord]) -> Option<Span> {
    let mut span: Span = Vec::new();
    for record in records {
        let origin = record.origin.as_ref()?;
        let known = span.iter_mut().rev().find(|(partition, ..)| {
            partition.partition == origin.partition && partition.topic == origin.topic
        });
        match known {
            Some((.., next)) => *next = origin.offset + 1,
            None => {
                let partition = TopicPartition {
                    topic: origin.topic.clone(),
                    partition: origin.partition,
                };
                span.push((partition, origin.offset, origin.offset + 1));
            }
        }
    }
    Some(span)
}

impl Run {
    /// Takes a batch on its way; `false`: it is to be written here and now, and nothing is under way any more.
    pub(super) async fn put_ahead(&mut self, records: &[SinkRecord]) -> Result<bool, ConnectError> {
        if self.ahead.pipe.as_ref().is_some_and(Pipe::failed) {
            self.recover().await;
        }
        if self.ahead.due {
            self.again_from_there(records);
            return Ok(true);
        }
        if records.is_empty() {
            return match self.is_undisturbed() {
                true => Ok(true),
                false => self.settled(records).await,
            };
        }
        let Some(span) = span(records) else {
            return self.settled(records).await;
        };
        if !self.ahead.owed.is_empty() {
            // It is what was owed.
            for (partition, ..) in &span {
                self.ahead.owed.remove(partition);
            }
        }
        let plain =
            records.len() >= RECORDS_MIN && self.ahead.careful.is_empty() && self.is_undisturbed();
        if !plain {
            return self.settled(records).await;
        }
        let (wanted, positions) = self.sift(records)?;
        if wanted.is_empty() {
            return Ok(true);
        }
        let writer = match (&self.ahead.pipe, &self.link) {
            (Some(pipe), _) => Some(&pipe.writer),
            (None, Some((session, writer))) if !session.is_closed() => Some(writer),
            _ => None,
        };
        let Some(buffers) = writer.and_then(|writer| writer.bind(&wanted)) else {
            return self.settled(records).await;
        };
        if self.ahead.pipe.is_none()
            && let Some((session, writer)) = self.link.take()
        {
            self.ahead.pipe = Some(Pipe::new(session, writer, self.offsets.clone()));
        }
        self.advanced(&positions);
        let Some(pipe) = &mut self.ahead.pipe else {
            return Ok(false);
        };
        let parcel = Parcel { buffers, positions };
        if !pipe.give(parcel, span).await {
            self.recover().await;
            self.again_from_there(&[]);
        }
        Ok(true)
    }

    /// Waits until nothing is under way, before a batch is written at once; `true`: that failed, and the batch comes again
    /// as well.
    async fn settled(&mut self, records: &[SinkRecord]) -> Result<bool, ConnectError> {
        self.drain().await;
        if self.ahead.due {
            self.again_from_there(records);
            return Ok(true);
        }
        Ok(false)
    }

    /// Waits until all that was taken is written, or has failed and is owed.
    pub(super) async fn flush_ahead(&mut self) {
        if let Some(pipe) = &mut self.ahead.pipe
            && !pipe.settle().await
        {
            self.recover().await;
        }
    }

    /// As [`Self::flush_ahead`]; the connection is free for other work then.
    pub(super) async fn drain(&mut self) {
        self.flush_ahead().await;
        if let Some(pipe) = self.ahead.pipe.take()
            && let (Some((session, writer, Ok(()))), _) = pipe.end().await
        {
            self.link = Some((session, writer));
        }
    }

    /// Partitions went away. What is under way of them was to be confirmed before, unless they are lost: then it is nobody's
    /// any more, and when this is back nothing of it is written. What is of others comes again.
    pub(super) async fn close_ahead(&mut self, partitions: &[TopicPartition]) {
        let pipe = self.ahead.pipe.take_if(|pipe| pipe.holds(partitions));
        if let Some(pipe) = pipe {
            warn!("batches are given up with partitions that were lost");
            for span in pipe.give_up().await {
                self.ahead.owe(span);
            }
            self.link = None;
            self.doubt();
        }
        self.ahead.close(partitions);
        self.ahead.due |= !self.ahead.owed.is_empty();
    }

    /// The end of the task: nothing is written behind it.
    pub(super) async fn stop_ahead(&mut self) {
        if let Some(pipe) = self.ahead.pipe.take() {
            pipe.give_up().await;
        }
    }

    /// Writing has failed: what is not known to be written is owed.
    async fn recover(&mut self) {
        let Some(pipe) = self.ahead.pipe.take() else {
            return;
        };
        let (ended, unknown) = pipe.end().await;
        let error = match ended {
            Some((_, _, Err(error))) => shown(&error),
            _ => "the task that writes has ended".to_owned(),
        };
        warn!(
            error,
            batches = unknown.len(),
            "batches were not written: they come again and are written one by one"
        );
        // The rest is up to the batch in hand: on a new connection, from what the target says.
        self.link = None;
        self.doubt();
        for span in unknown {
            self.ahead.owe(span);
        }
        self.ahead.due = true;
    }

    /// Asks for what is owed; the batch in hand may be of behind it, and comes again too.
    fn again_from_there(&mut self, records: &[SinkRecord]) {
        self.ahead.owe(span(records).unwrap_or_default());
        self.ahead.due = false;
        let owed: PartitionOffsets = self.ahead.owed.clone().into_iter().collect();
        if !owed.is_empty() {
            (self.context.requests)(SinkTaskRequest::Rewind(owed));
        }
    }
}

fn shown(error: &WriteError) -> String {
    match error {
        WriteError::Db(error) => error.to_string(),
        WriteError::Record(error) | WriteError::Task(error) => error.to_string(),
        WriteError::Fenced(partition) => format!(
            "another task has claimed {}-{}",
            partition.topic, partition.partition
        ),
        WriteError::Anew => "a table was made to fit".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use milena_api::{PartitionOffsets, TopicPartition};

    use super::Ahead;

    #[test]
    fn nothing_past_what_is_owed_is_committed() {
        let at = |partition| TopicPartition {
            topic: "t".into(),
            partition,
        };
        let mut ahead = Ahead::default();
        ahead.owe(vec![(at(0), 500, 1000), (at(1), 7, 9)]);
        ahead.owe(vec![(at(0), 1000, 1500)]);
        let asked = PartitionOffsets::from([(at(0), 2000), (at(1), 5), (at(2), 3)]);
        let capped = ahead.cap(asked.clone());
        assert_eq!(
            capped,
            PartitionOffsets::from([(at(0), 500), (at(1), 5), (at(2), 3)])
        );
        assert_eq!(ahead.careful.get(&at(0)), Some(&1500));
        ahead.close(&[at(0)]);
        assert_eq!(ahead.cap(asked).get(&at(0)), Some(&2000));
    }
}
