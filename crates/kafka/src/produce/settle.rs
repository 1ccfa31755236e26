//! What an answer means for a batch: written, to be tried again, to be halved, or failed.
//!
//! Answers to `Sender.completeBatch` and `TransactionManager.canRetry`, `handleFailedBatch`.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    batch::Batch,
    drain::Sent,
    errors,
    settings::ProduceSettings,
    state::{Identity, Phase, State},
    topics::At,
};
use crate::{
    ports::{KafkaError, KafkaErrorKind},
    wire::codes,
};

const MESSAGE_TOO_LARGE: i16 = 10;
const OUT_OF_ORDER_SEQUENCE: i16 = 45;
const DUPLICATE_SEQUENCE: i16 = 46;
const UNKNOWN_PRODUCER_ID: i16 = 59;
/// The end of the transaction before is still being written: that takes no longer.
pub(super) const CONCURRENT: Duration = Duration::from_millis(20);
/// What the leader of a partition may say when its state, not the record, stands in the way.
const OF_METADATA: [i16; 11] = [3, 5, 6, 8, 9, 13, 56, 74, 75, 100, 103];

/// What became of a batch.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// It is written from this offset on; -1: the broker did not say.
    Written(i64),
    /// The broker did not write it.
    Refused { code: i16, said: Option<Arc<str>> },
    /// Nobody knows.
    Lost,
    /// It was not sent.
    Unsent,
    /// It cannot be sent at all.
    Broken(KafkaError),
}

impl State {
    /// Takes up what became of a batch that was under way.
    pub(super) fn settle(
        &mut self,
        settings: &ProduceSettings,
        sent: Sent,
        outcome: Outcome,
        now: Instant,
    ) {
        let Sent { at, topic, batch } = sent;
        if let Some(partition) = self.topics.partition_mut(at) {
            partition.on_wire = partition.on_wire.saturating_sub(1);
        }
        match outcome {
            Outcome::Written(offset) => self.written(settings, at, batch, offset),
            // Written by an attempt whose answer was lost.
            Outcome::Refused {
                code: DUPLICATE_SEQUENCE,
                ..
            } => self.written(settings, at, batch, -1),
            Outcome::Refused { code, said } => {
                self.refused(settings, at, &topic, batch, code, said.as_deref(), now);
            }
            Outcome::Lost => {
                self.wants_metadata = true;
                match self.may_retry(settings, &batch, now) {
                    true => self.again(settings, at, batch, now),
                    false => self.lost(settings, at, batch, now),
                }
            }
            Outcome::Unsent => {
                self.wants_metadata = true;
                self.again(settings, at, batch, now);
            }
            Outcome::Broken(error) => self.hole(at, batch, &error),
        }
    }

    fn written(&mut self, settings: &ProduceSettings, at: At, batch: Batch, offset: i64) {
        if let Some(stamp) = &batch.stamp
            && let Some(partition) = self.topics.partition_mut(at)
        {
            partition.sequences.acknowledge(stamp, batch.count);
        }
        let partition = i32::try_from(at.partition).unwrap_or(-1);
        batch.written(partition, offset, &mut self.acks);
        self.release(batch, settings.batch_size.saturating_mul(2));
    }

    fn may_retry(&self, settings: &ProduceSettings, batch: &Batch, now: Instant) -> bool {
        self.phase != Phase::Abandoned
            && batch.attempts <= settings.retries
            && !batch.is_expired(settings.delivery_timeout, now)
    }

    fn again(&mut self, settings: &ProduceSettings, at: At, batch: Batch, now: Instant) {
        let attempts = batch.attempts.saturating_sub(1);
        let wait = settings.backoff.after(attempts);
        self.again_after(wait, at, batch, now);
    }

    fn again_after(&mut self, wait: Duration, at: At, mut batch: Batch, now: Instant) {
        batch.retry_at = Some(now + wait);
        if let Some(partition) = self.topics.partition_mut(at) {
            partition.put_back(batch);
        }
        self.activate(at);
    }

    /// It may have been written, and is not tried again.
    fn lost(&mut self, settings: &ProduceSettings, at: At, batch: Batch, now: Instant) {
        if batch.is_expired(settings.delivery_timeout, now) {
            return self.expire(at, batch, now);
        }
        let error = match self.phase {
            Phase::Abandoned => errors::closed_forcefully(),
            _ => errors::network(),
        };
        self.doubt(at, &batch);
        self.fail(at, batch, &error);
    }

    /// Whether it was written nobody knows, if it was ever sent.
    pub(super) fn doubt(&mut self, at: At, batch: &Batch) {
        if batch.stamp.is_some() {
            self.txn.bump = true;
            if let Some(partition) = self.topics.partition_mut(at) {
                partition.sequences.unresolved = true;
            }
        }
    }

    /// It is not written for certain, and is not tried again: those behind it need new sequences.
    fn hole(&mut self, at: At, batch: Batch, error: &KafkaError) {
        if batch.stamp.is_some() {
            self.txn.bump = true;
            if let Some(partition) = self.topics.partition_mut(at) {
                partition.sequences.reset = true;
            }
        }
        self.fail(at, batch, error);
    }

    #[expect(clippy::too_many_arguments, reason = "one answer and what it is about")]
    fn refused(
        &mut self,
        settings: &ProduceSettings,
        at: At,
        topic: &str,
        batch: Batch,
        code: i16,
        said: Option<&str>,
        now: Instant,
    ) {
        if OF_METADATA.contains(&code) {
            self.wants_metadata = true;
        }
        if code == MESSAGE_TOO_LARGE
            && batch.count > 1
            && let Some(halves) = batch.halved()
        {
            return self.halve(at, halves);
        }
        let what = format!("{topic}-{}", at.partition);
        let error = codes::error(code, &what, said);
        let in_row = code == OUT_OF_ORDER_SEQUENCE || code == UNKNOWN_PRODUCER_ID;
        if in_row && settings.idempotent && self.may_retry(settings, &batch, now) {
            let transactional = self.is_transactional();
            if let Some(partition) = self.topics.partition_mut(at)
                && let Some(stamp) = &batch.stamp
            {
                let row = &mut partition.sequences;
                let expected = row.expects(stamp);
                // Something before it is missing that may still come.
                if code == OUT_OF_ORDER_SEQUENCE && !expected && !row.unresolved {
                    return self.again(settings, at, batch, now);
                }
                if !transactional {
                    row.reset = true;
                    return self.again(settings, at, batch, now);
                }
            }
        } else if code == codes::CONCURRENT_TRANSACTIONS && self.may_retry(settings, &batch, now) {
            return self.again_after(CONCURRENT, at, batch, now);
        } else if error.is_retriable() && self.may_retry(settings, &batch, now) {
            return self.again(settings, at, batch, now);
        } else if error.is_retriable() {
            // An attempt before may have been written although this one was not.
            if batch.is_expired(settings.delivery_timeout, now) {
                return self.expire(at, batch, now);
            }
            self.doubt(at, &batch);
            return self.fail(at, batch, &error);
        }
        // Of what a whole client may not do nothing else can be tried.
        if code == codes::CLUSTER_AUTHORIZATION_FAILED && settings.idempotent {
            self.identity = Identity::Refused(error.clone());
        }
        let error = match code {
            MESSAGE_TOO_LARGE => KafkaError {
                kind: KafkaErrorKind::Fatal,
                class: "org.apache.kafka.common.errors.RecordTooLargeException",
                message: "The request included a message larger than the max message size the server will accept.".to_owned(),
            },
            codes::TOPIC_AUTHORIZATION_FAILED => KafkaError {
                message: format!("Not authorized to access topics: [{topic}]"),
                ..error
            },
            _ => error,
        };
        self.hole(at, batch, &error);
    }

    /// Two for one, in its place, with its sequences.
    fn halve(&mut self, at: At, halves: [Batch; 2]) {
        self.incomplete += 1;
        self.metrics.halves(Instant::now());
        if let Some(topic) = self.topics.get_mut(at.topic) {
            topic.ratio = 1.0;
            if let Some(partition) = topic.partitions.get_mut(at.partition) {
                for half in halves.into_iter().rev() {
                    partition.put_back(half);
                }
            }
        }
        self.activate(at);
    }
}
