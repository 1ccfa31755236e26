//! The state alone against a model of a broker that loses requests, answers and connections, and takes things late.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use kafka_protocol::messages::{
    BrokerId, MetadataResponse, TopicName,
    metadata_response::{MetadataResponsePartition, MetadataResponseTopic},
};
use kafka_protocol::protocol::StrBytes;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::time::Instant;

use super::{
    append::{Appended, Now},
    drain::Sent,
    nodes::Reach,
    partition::ProducerId,
    settings::ProduceSettings,
    settle::Outcome,
    state::{Identity, State},
};
use crate::{
    ports::{Ack, OutRecord},
    records::Stamp,
};

const RECORDS: u64 = 400;
const NOT_LEADER: i16 = 6;

/// A partition at the broker.
#[derive(Default)]
struct Log {
    epoch: i16,
    /// The last batches: first and last sequence, offset.
    last: VecDeque<(i32, i32, i64)>,
    tickets: Vec<u64>,
    /// The most records of a batch, if it is that strict; it never takes the one with the poisoned ticket.
    most: Option<usize>,
}

const POISONED: u64 = 41;
const TOO_LARGE: i16 = 10;

impl Log {
    fn take(&mut self, stamp: Option<Stamp>, tickets: &[u64]) -> Outcome {
        let refused = |code| Outcome::Refused { code, said: None };
        let offset = i64::try_from(self.tickets.len()).unwrap();
        if let Some(most) = self.most
            && (tickets.len() > most || tickets.contains(&POISONED))
        {
            return refused(TOO_LARGE);
        }
        if let Some(stamp) = stamp {
            let count = i32::try_from(tickets.len()).unwrap();
            let last = stamp.sequence + count - 1;
            if stamp.epoch < self.epoch {
                return refused(47);
            }
            if stamp.epoch > self.epoch {
                if stamp.sequence != 0 {
                    return refused(45);
                }
                (self.epoch, self.last) = (stamp.epoch, VecDeque::new());
            }
            let known = self
                .last
                .iter()
                .find(|(a, b, _)| (*a, *b) == (stamp.sequence, last));
            if let Some((.., offset)) = known {
                return Outcome::Written(*offset);
            }
            let next = self.last.back().map_or(0, |(_, last, _)| last + 1);
            if stamp.sequence != next {
                return refused(if last < next { 46 } else { 45 });
            }
            self.last.push_back((stamp.sequence, last, offset));
            if self.last.len() > 5 {
                self.last.pop_front();
            }
        }
        self.tickets.extend(tickets);
        Outcome::Written(offset)
    }
}

struct Sim {
    random: StdRng,
    settings: ProduceSettings,
    state: State,
    now: Instant,
    logs: [Log; 2],
    wire: VecDeque<Vec<Sent>>,
    /// What the broker has of requests whose connection is gone, and takes late.
    late: Vec<(usize, Option<Stamp>, Vec<u64>)>,
    acks: Vec<Ack>,
    sent: u64,
}

fn tickets(sent: &Sent) -> Vec<u64> {
    let mut acks = Vec::new();
    sent.batch.written(0, -1, &mut acks);
    acks.into_iter()
        .flat_map(Ack::each)
        .map(|ack| ack.ticket)
        .collect()
}

impl Sim {
    fn new(seed: u64, props: &[(&str, &str)]) -> Self {
        let pairs = props
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let settings = ProduceSettings::from_props(&pairs.collect()).unwrap();
        let mut state = State::new(&settings);
        if settings.idempotent {
            state.identity = Identity::Known(ProducerId { id: 9, epoch: 0 });
        }
        let now = Instant::now();
        state.topics.place(&Arc::from("t"), now);
        let partitions = (0..2).map(|at| {
            MetadataResponsePartition::default()
                .with_partition_index(at)
                .with_leader_id(BrokerId(1))
        });
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
            .with_partitions(partitions.collect());
        state
            .topics
            .learn(&MetadataResponse::default().with_topics(vec![topic]), now);
        Self {
            random: StdRng::seed_from_u64(seed),
            settings,
            state,
            now,
            logs: Default::default(),
            wire: VecDeque::new(),
            late: Vec::new(),
            acks: Vec::new(),
            sent: 0,
        }
    }

    fn append(&mut self) {
        let until = (self.sent + self.random.random_range(1..12)).min(RECORDS);
        let topic: Arc<str> = "t".into();
        let records = (self.sent..until).map(|ticket| OutRecord {
            topic: Arc::clone(&topic),
            partition: Some(i32::try_from(ticket % 2).unwrap()),
            value: Some(vec![0; 20].into()),
            ticket,
            ..OutRecord::default()
        });
        let records: Vec<_> = records.collect();
        let now = Now {
            instant: self.now,
            millis: 1,
        };
        let (mut next, mut wake) = (0, false);
        let outcome = self
            .state
            .append(&self.settings, &records, &mut next, now, &mut wake);
        assert_eq!(outcome.unwrap(), Appended::All);
        self.sent = until;
    }

    fn drain(&mut self) {
        let most = self.settings.in_flight as usize;
        loop {
            let free = self.wire.len() < most;
            let mut reach = |_| if free { Reach::Ready } else { Reach::Busy };
            let plan = self.state.drain(&self.settings, self.now, &mut reach);
            if plan.requests.is_empty() {
                return;
            }
            for mut request in plan.requests {
                for sent in &mut request.batches {
                    sent.batch.wire(self.settings.compression).unwrap();
                }
                self.wire.push_back(request.batches);
            }
        }
    }

    fn settle(&mut self, sent: Sent, outcome: Outcome) {
        self.state.settle(&self.settings, sent, outcome, self.now);
    }

    fn take(&mut self, sent: &Sent) -> Outcome {
        let log = &mut self.logs[sent.at.partition];
        log.take(sent.batch.stamp, &tickets(sent))
    }

    fn answer(&mut self, refuses: bool) {
        for sent in self.wire.pop_front().unwrap_or_default() {
            let outcome = match refuses && self.random.random_bool(0.5) {
                true => Outcome::Refused {
                    code: NOT_LEADER,
                    said: None,
                },
                false => self.take(&sent),
            };
            self.settle(sent, outcome);
        }
    }

    /// The broker has read a part of what was sent; another part it takes late, or never.
    fn cut(&mut self) {
        let read = self.random.random_range(0..=self.wire.len());
        for (at, request) in std::mem::take(&mut self.wire).into_iter().enumerate() {
            for sent in request {
                if at < read {
                    self.take(&sent);
                } else if at == read && self.random.random_bool(0.3) {
                    let late = (sent.at.partition, sent.batch.stamp, tickets(&sent));
                    self.late.push(late);
                }
                self.settle(sent, Outcome::Lost);
            }
        }
    }

    fn run(&mut self, faults: bool) {
        for step in 0_u32.. {
            assert!(step < 200_000, "it does not end");
            self.now += Duration::from_millis(self.random.random_range(0..30));
            if self.sent < RECORDS {
                self.append();
            }
            self.drain();
            match self.random.random_range(0..20) {
                0 if faults => self.cut(),
                1 | 2 if faults => self.answer(true),
                3 if !self.late.is_empty() => {
                    let (partition, stamp, tickets) = self.late.remove(0);
                    self.logs[partition].take(stamp, &tickets);
                }
                _ => self.answer(false),
            }
            self.acks.append(&mut self.state.acks);
            if self.sent == RECORDS && self.state.incomplete == 0 {
                break;
            }
        }
        assert!(self.wire.is_empty() && self.state.active.is_empty());
        assert_eq!(self.state.used, 0);
    }

    fn answered(&self) -> Vec<(u64, bool)> {
        let each = self.acks.iter().cloned().flat_map(Ack::each);
        let mut each: Vec<_> = each.map(|ack| (ack.ticket, ack.outcome.is_ok())).collect();
        each.sort_unstable();
        each
    }
}

fn all_of(partition: u64) -> Vec<u64> {
    (0..RECORDS)
        .filter(|ticket| ticket % 2 == partition)
        .collect()
}

#[test]
fn with_sequences_everything_is_there_once_and_in_order() {
    for seed in 0..150 {
        let mut sim = Sim::new(seed, &[("batch.size", "150"), ("linger.ms", "3")]);
        sim.run(true);
        for partition in 0..2_u64 {
            let log = &sim.logs[usize::try_from(partition).unwrap()];
            assert_eq!(log.tickets, all_of(partition), "seed {seed}");
        }
        let all: Vec<_> = (0..RECORDS).map(|ticket| (ticket, true)).collect();
        assert_eq!(sim.answered(), all, "seed {seed}");
    }
}

#[test]
fn one_at_a_time_everything_is_there_and_in_order() {
    for seed in 0..150 {
        let mut sim = Sim::new(
            seed,
            &[
                ("batch.size", "150"),
                ("enable.idempotence", "false"),
                ("max.in.flight.requests.per.connection", "1"),
            ],
        );
        sim.run(true);
        for partition in 0..2_u64 {
            let mut seen = Vec::new();
            for ticket in &sim.logs[usize::try_from(partition).unwrap()].tickets {
                if !seen.contains(ticket) {
                    seen.push(*ticket);
                }
            }
            assert_eq!(seen, all_of(partition), "seed {seed}");
        }
        assert!(sim.answered().iter().all(|(_, written)| *written));
        assert_eq!(sim.answered().len() as u64, RECORDS);
    }
}

/// Under a deadline records fail; what was answered as written is there, once and in order, and the row goes on.
#[test]
fn what_expires_leaves_no_hole_that_holds_up_the_rest() {
    for seed in 0..150 {
        let mut sim = Sim::new(
            seed,
            &[
                ("batch.size", "150"),
                ("linger.ms", "0"),
                ("request.timeout.ms", "100"),
                ("delivery.timeout.ms", "100"),
            ],
        );
        sim.run(true);
        let answered = sim.answered();
        assert_eq!(answered.len() as u64, RECORDS, "seed {seed}");
        for (ticket, written) in answered {
            let log = &sim.logs[usize::try_from(ticket % 2).unwrap()];
            let times = log.tickets.iter().filter(|at| **at == ticket).count();
            assert!(
                times <= 1 && (times == 1 || !written),
                "seed {seed} {ticket}"
            );
        }
        for log in &sim.logs {
            assert!(log.tickets.is_sorted(), "seed {seed}");
        }
    }
}

#[test]
fn what_is_too_large_is_halved_until_it_fits_and_only_what_never_does_fails() {
    for seed in 0..100 {
        let mut sim = Sim::new(seed, &[("batch.size", "600"), ("linger.ms", "20")]);
        for log in &mut sim.logs {
            log.most = Some(3);
        }
        sim.run(seed % 2 == 0);
        let failed = sim.answered().into_iter().filter(|(_, written)| !written);
        assert_eq!(
            failed.collect::<Vec<_>>(),
            [(POISONED, false)],
            "seed {seed}"
        );
        for partition in 0..2_u64 {
            let log = &sim.logs[usize::try_from(partition).unwrap()];
            let wanted = all_of(partition)
                .into_iter()
                .filter(|ticket| *ticket != POISONED);
            assert_eq!(log.tickets, wanted.collect::<Vec<_>>(), "seed {seed}");
        }
    }
}
