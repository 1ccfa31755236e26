//! What may be sent now: the order within a partition, sequences, transactions and the brokers decide.
//!
//! Answers to `RecordAccumulator.ready` and `drain`.

use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::{
    batch::Batch,
    errors,
    nodes::Reach,
    partition::ProducerId,
    settings::ProduceSettings,
    state::{Identity, Phase, State, TxnPhase},
    topics::At,
};

/// A batch that is under way.
pub(super) struct Sent {
    pub(super) at: At,
    pub(super) topic: Arc<str>,
    pub(super) batch: Batch,
}

/// A request to be made.
pub(super) struct Outgoing {
    pub(super) broker: i32,
    /// Sorted by topic.
    pub(super) batches: Vec<Sent>,
    /// Brokers add partitions to the transaction by themselves.
    pub(super) v2: bool,
}

/// What is to be done now.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) requests: Vec<Outgoing>,
    pub(super) connect: Vec<i32>,
    /// An id has to be asked for.
    pub(super) identity: bool,
    /// Partitions to be added to the transaction.
    pub(super) add: Vec<At>,
    /// When something may change by time alone.
    pub(super) next: Option<Instant>,
}

impl Plan {
    pub(super) fn not_before(&mut self, at: Instant) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

impl State {
    /// Takes what may be sent out of the queues: at most one request for each broker.
    pub(super) fn drain(
        &mut self,
        settings: &ProduceSettings,
        now: Instant,
        reach: &mut dyn FnMut(i32) -> Reach,
    ) -> Plan {
        let mut plan = Plan::default();
        if self.phase == Phase::Abandoned {
            return plan;
        }
        match (&self.txn.phase, &self.identity) {
            (TxnPhase::Failed(error) | TxnPhase::Fatal(error), _)
            | (_, Identity::Refused(error)) => {
                let error = error.clone();
                self.fail_queued(&error);
                return plan;
            }
            (TxnPhase::Aborting, _) => {
                self.fail_queued(&errors::aborted());
                return plan;
            }
            (_, Identity::Wanted) if !self.active.is_empty() => {
                self.identity = Identity::Asked;
                plan.identity = true;
            }
            _ => {}
        }
        if !self.active.is_empty() {
            self.active.rotate_left(1);
        }
        // By broker: the place of its request and its bytes.
        let mut open: HashMap<i32, (usize, usize)> = HashMap::new();
        let mut index = 0;
        while let Some(at) = self.active.get(index).copied() {
            self.expire_heads(settings, at, now, &mut plan);
            self.mend(at);
            if let Some(broker) = self.may_send(settings, at, now, &mut plan)
                && self.fits(settings, at, broker, &open, &mut plan, reach)
                && let Some(sent) = self.take(settings, at, broker)
            {
                let length = sent.batch.len();
                let (request, bytes) = open.entry(broker).or_insert((plan.requests.len(), 0));
                *bytes += length;
                match plan.requests.get_mut(*request) {
                    Some(request) => request.batches.push(sent),
                    None => plan.requests.push(Outgoing {
                        broker,
                        batches: vec![sent],
                        v2: self.txn.v2,
                    }),
                }
            }
            match self.topics.partition_mut(at) {
                Some(partition) if !partition.queue.is_empty() => index += 1,
                Some(partition) => {
                    partition.active = false;
                    self.active.remove(index);
                }
                None => drop(self.active.remove(index)),
            }
        }
        for request in &mut plan.requests {
            request.batches.sort_by_key(|sent| sent.at);
        }
        if !self.txn.adding && !self.txn.to_add.is_empty() {
            self.txn.adding = true;
            self.txn.started = true;
            plan.add = self.txn.to_add.iter().copied().collect();
        }
        plan
    }

    /// What has waited for `delivery.timeout.ms` fails.
    fn expire_heads(&mut self, settings: &ProduceSettings, at: At, now: Instant, plan: &mut Plan) {
        let within = settings.delivery_timeout;
        while let Some(partition) = self.topics.partition_mut(at) {
            let head = partition.queue.front();
            if !head.is_some_and(|batch| batch.is_expired(within, now)) {
                if let Some(end) = head.and_then(|batch| batch.created.checked_add(within)) {
                    plan.not_before(end);
                }
                break;
            }
            let Some(batch) = partition.queue.pop_front() else {
                break;
            };
            self.expire(at, batch, now);
        }
    }

    /// A row of sequences with a hole begins anew as soon as nothing of it is under way.
    fn mend(&mut self, at: At) {
        let Some(current) = self.producer_id() else {
            return;
        };
        let transactional = self.is_transactional();
        let Some(partition) = self.topics.partition_mut(at) else {
            return;
        };
        if partition.on_wire > 0 {
            return;
        }
        let stamped = partition.has_stamped();
        let row = &mut partition.sequences;
        if !row.is_of(current) {
            // What was tried under an older epoch is still that epoch's, unless its row has a hole.
            if !stamped || row.reset {
                partition.begin_anew(current);
            }
            return;
        }
        if row.unresolved && !stamped {
            if row.is_whole() {
                row.unresolved = false;
            } else if transactional {
                self.txn.bump = true;
                self.note_failure(&errors::unresolved());
                return;
            } else {
                row.reset = true;
            }
        }
        if row.reset && !transactional {
            // Without a transactional id the epoch is the producer's own affair (KIP-360).
            match current.epoch.checked_add(1) {
                Some(epoch) => {
                    let next = ProducerId { epoch, ..current };
                    self.identity = Identity::Known(next);
                    partition.begin_anew(next);
                }
                None => self.identity = Identity::Wanted,
            }
        }
    }

    pub(super) const fn producer_id(&self) -> Option<ProducerId> {
        match self.identity {
            Identity::Known(id) => Some(id),
            _ => None,
        }
    }

    /// The broker to whom the first batch of a partition may be sent, as far as the partition itself is concerned.
    fn may_send(
        &mut self,
        settings: &ProduceSettings,
        at: At,
        now: Instant,
        plan: &mut Plan,
    ) -> Option<i32> {
        let hurry = self.hurries();
        let adds = self.is_transactional() && !self.txn.v2 && !self.txn.added.contains(&at);
        let current = self.producer_id();
        let partition = self.topics.partition_mut(at)?;
        if let Err(at) = partition.ready(settings.linger, now, hurry) {
            if !partition.queue.is_empty() {
                plan.not_before(at);
            }
            return None;
        }
        let leader = partition.leader;
        if partition.on_wire > 0 {
            // One at a time keeps the order; so does waiting for what was sent to another broker.
            let other = partition.wire_leader != leader;
            if settings.in_flight == 1 || other || partition.has_stamped() {
                return None;
            }
        }
        if settings.idempotent {
            let (row, current) = (&partition.sequences, current?);
            let ready = row.is_of(current) && !row.unresolved && !row.reset;
            if !ready && (row.reset || !partition.has_stamped()) {
                return None;
            }
        }
        if leader.is_none() {
            self.wants_metadata = true;
        }
        let leader = leader?;
        if adds {
            self.txn.to_add.insert(at);
            return None;
        }
        Some(leader)
    }

    /// Whether the broker takes it now, and its request has room.
    fn fits(
        &mut self,
        settings: &ProduceSettings,
        at: At,
        broker: i32,
        open: &HashMap<i32, (usize, usize)>,
        plan: &mut Plan,
        reach: &mut dyn FnMut(i32) -> Reach,
    ) -> bool {
        if let Some((_, bytes)) = open.get(&broker) {
            let partition = self.topics.partition_mut(at);
            let head = partition.and_then(|partition| partition.queue.front().map(Batch::len));
            return bytes + head.unwrap_or(0) <= settings.max_request_size;
        }
        match reach(broker) {
            Reach::Ready => true,
            Reach::Busy => false,
            Reach::Unconnected => {
                if !plan.connect.contains(&broker) {
                    plan.connect.push(broker);
                }
                false
            }
            Reach::NotBefore(at) => {
                plan.not_before(at);
                false
            }
        }
    }

    /// Takes the first batch of a partition.
    fn take(&mut self, settings: &ProduceSettings, at: At, broker: i32) -> Option<Sent> {
        let transactional = self.is_transactional();
        let topic = self.topics.name(at);
        let partition = self.topics.partition_mut(at)?;
        let mut batch = partition.queue.pop_front()?;
        batch.full = true;
        batch.attempts = batch.attempts.saturating_add(1);
        if settings.idempotent && batch.stamp.is_none() {
            batch.stamp = partition.sequences.stamp(batch.count, transactional);
        }
        partition.on_wire += 1;
        partition.wire_leader = Some(broker);
        if transactional {
            self.txn.started = true;
        }
        Some(Sent { at, topic, batch })
    }
}
