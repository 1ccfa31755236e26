//! Handing records over: each is written into the open batch of its partition.
//!
//! Answers to `KafkaProducer.doSend` and `RecordAccumulator.append`.

use tokio::time::Instant;

use super::{
    batch::Batch,
    errors, partitioner,
    settings::ProduceSettings,
    state::{Phase, State, TxnPhase},
    topics::{At, REFUSAL},
};
use crate::{
    ports::{Ack, KafkaError, OutRecord},
    records::{Compression, HEADER_BYTES, size_bound},
};

/// The time of a call.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) instant: Instant,
    /// Milliseconds since the epoch.
    pub(super) millis: i64,
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// All records are taken.
    All,
    /// The next one needs memory: so many bytes.
    NeedsRoom(usize),
    /// The next one's topic or partition is not known.
    NeedsTopic,
}

/// What may be expected of compression: a batch is filled beyond `batch.size` by this factor at most.
const FILL_MAX: f32 = 8.0;

impl State {
    /// Whether records may be handed over now.
    fn may_append(&self, record: &OutRecord) -> Result<(), KafkaError> {
        if self.phase != Phase::Open {
            return Err(errors::closed());
        }
        if self.stops_at_failure && self.failed {
            return Err(errors::stopped());
        }
        match &self.txn.phase {
            TxnPhase::Never | TxnPhase::Open => Ok(()),
            TxnPhase::Uninitialised | TxnPhase::Initialising => Err(errors::state(
                "Cannot perform a 'send' before completing a call to initTransactions when transactions are enabled.",
            )),
            TxnPhase::Failed(cause) | TxnPhase::Fatal(cause) => Err(errors::failed_before(cause)),
            TxnPhase::Ready => Err(errors::state(format!(
                "Cannot add partition of topic {} to transaction while in state READY",
                record.topic
            ))),
            TxnPhase::Committing | TxnPhase::Aborting => Err(errors::state(format!(
                "Cannot add partition of topic {} to transaction while it is being ended",
                record.topic
            ))),
        }
    }

    /// Writes records, from `next` on, as far as possible. `wake` is set when the sender has something new to look at.
    ///
    /// # Errors
    /// The record `next` is not taken.
    pub(super) fn append(
        &mut self,
        settings: &ProduceSettings,
        records: &[OutRecord],
        next: &mut usize,
        now: Now,
        wake: &mut bool,
    ) -> Result<Appended, KafkaError> {
        let (was_blocked, begun) = (std::mem::take(&mut self.blocked), *next);
        while let Some(record) = records.get(*next) {
            self.may_append(record)?;
            if let Some(partition) = record.partition.filter(|partition| *partition < 0) {
                return Err(errors::invalid(format!(
                    "Invalid partition: {partition}. Partition number should always be non-negative or null."
                )));
            }
            let timestamp = record.timestamp.unwrap_or(now.millis);
            if timestamp < 0 {
                return Err(errors::invalid(format!(
                    "Invalid timestamp: {timestamp}. Timestamp should always be non-negative or null."
                )));
            }
            let place = self.topics.place(&record.topic, now.instant);
            let Some(topic) = self.topics.get_mut(place) else {
                return Ok(Appended::NeedsTopic);
            };
            topic.used = now.instant;
            let Some((count, since)) = topic.known else {
                let refused = topic.refused(now.instant);
                let refused = refused.or(Self::refused_now(&self.refused, now.instant));
                if let Some(error) = refused.cloned() {
                    self.refuse(record, error);
                    *next += 1;
                    *wake = true;
                    continue;
                }
                self.wants_metadata = true;
                *wake = true;
                return Ok(Appended::NeedsTopic);
            };
            if now.instant.saturating_duration_since(since) >= settings.metadata_age
                && !self.wants_metadata
            {
                self.wants_metadata = true;
                *wake = true;
            }
            let wanted = record.partition.and_then(|p| usize::try_from(p).ok());
            if wanted.is_some_and(|wanted| wanted >= count) {
                self.wants_metadata = true;
                *wake = true;
                return Ok(Appended::NeedsTopic);
            }
            let bound = size_bound(record);
            if let Some(error) = too_large(settings, bound) {
                self.refuse(record, error);
                *next += 1;
                *wake = true;
                continue;
            }
            let (sticks, partition) = match (wanted, &record.key) {
                (Some(wanted), _) => (false, wanted),
                (None, Some(key)) if !settings.ignore_keys => {
                    (false, partitioner::of_key(key, count))
                }
                _ => {
                    let mut sticky = topic.sticky;
                    let full = |at: usize| topic.partitions.get(at).is_none_or(|p| p.is_full());
                    let queues = || topic.queues(settings.adaptive);
                    let at = sticky.current(settings.batch_size.max(1), count, full, queues);
                    topic.sticky = sticky;
                    (true, at)
                }
            };
            let at = At {
                topic: place,
                partition,
            };
            let Some(took) = self.write(settings, record, timestamp, at, now.instant, wake) else {
                self.blocked = true;
                // The sender tells of every look it takes: to wake it each time would have both wake each other without end.
                *wake |= !was_blocked || *next > begun;
                return Ok(Appended::NeedsRoom(bound));
            };
            if sticks && let Some(topic) = self.topics.get_mut(place) {
                topic.sticky.took(took);
            }
            *next += 1;
        }
        Ok(Appended::All)
    }

    /// Writes a record into the open batch of its partition, or begins one. `None`: there is no room for it.
    fn write(
        &mut self,
        settings: &ProduceSettings,
        record: &OutRecord,
        timestamp: i64,
        at: At,
        now: Instant,
        wake: &mut bool,
    ) -> Option<usize> {
        let limit = self.limit(settings, at.topic);
        let free = settings.buffer_memory.saturating_sub(self.used);
        let partition = self.topics.partition_mut(at)?;
        if let Some(open) = partition.queue.back_mut()
            && let Some(size) = open.room_for(record, timestamp)
        {
            if open.len() + size <= limit {
                if size > free {
                    return None;
                }
                open.add(record, timestamp);
                open.charged += size;
                self.used += size;
                return Some(size);
            }
            open.full = true;
            *wake = true;
        }
        // The bound is what Java would ask the buffer for.
        if size_bound(record) > free && self.used > 0 {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let buffer = self.buffer();
        let mut batch = Batch::new(buffer, timestamp, number, now);
        batch.add(record, timestamp);
        let size = batch.len();
        batch.charged = size;
        batch.full = size >= limit;
        self.used += size;
        self.incomplete += 1;
        self.topics.partition_mut(at)?.queue.push_back(batch);
        self.activate(at);
        *wake = true;
        Some(size - HEADER_BYTES)
    }

    /// How large a batch may become before it is compressed.
    fn limit(&mut self, settings: &ProduceSettings, topic: usize) -> usize {
        if settings.compression == Compression::None {
            return settings.batch_size;
        }
        // As Java estimates: a little less well than before.
        const CAREFUL: f32 = 1.05;
        let ratio = self.topics.get_mut(topic).map_or(1.0, |topic| topic.ratio);
        let fill = (1.0 / (ratio * CAREFUL).max(0.01)).clamp(0.5, FILL_MAX);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let limit = (settings.batch_size as f32 * fill) as usize;
        limit.min(settings.max_request_size.max(settings.batch_size))
    }

    /// Why the cluster cannot be asked, if that was found just now.
    fn refused_now(refused: &Option<(KafkaError, Instant)>, now: Instant) -> Option<&KafkaError> {
        let fresh = |at: &Instant| now.saturating_duration_since(*at) < REFUSAL;
        refused
            .as_ref()
            .filter(|(_, at)| fresh(at))
            .map(|(error, _)| error)
    }

    /// A record is answered at once: it cannot be written.
    pub(super) fn refuse(&mut self, record: &OutRecord, error: KafkaError) {
        self.metrics.fails(Instant::now(), &record.topic, 1);
        self.note_failure(&error);
        self.acks.push(Ack::of(record.ticket, Err(error)));
    }
}

fn too_large(settings: &ProduceSettings, bound: usize) -> Option<KafkaError> {
    let text = if bound > settings.max_request_size {
        format!(
            "The message is {bound} bytes when serialized which is larger than {}, which is the value of the max.request.size configuration.",
            settings.max_request_size
        )
    } else if bound > settings.buffer_memory {
        format!(
            "The message is {bound} bytes when serialized which is larger than the total memory buffer you have configured with the buffer.memory configuration."
        )
    } else {
        return None;
    };
    Some(errors::too_large(text))
}
