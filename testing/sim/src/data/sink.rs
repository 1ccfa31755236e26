//! A group of sink tasks: real memberships, assignors and books, the modelled coordinator, and a target that keeps what it
//! was told to keep. Members are killed, frozen, added; answers are lost.

mod network;
mod trouble;

pub use trouble::{SinkTrouble, run_sink_through};

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use milena_core::{
    Effects, Now,
    effect::Token,
    group::{
        consumer::{
            Assignor, TaskEvent, TaskGroup, TaskGroupSettings, TaskInput, TopicPartition, Topics,
        },
        membership::{Effect, FetchedOffset, Input, OffsetToCommit, RequestId, Settings},
    },
    task::{SinkOffsets, SinkPartition},
};

use self::{network::counted, trouble::Under};
use super::{Careless, DataOptions, DataReport, queue::Queue};
use crate::{
    coordinator::{Coordinator, ReplyTo},
    rng::Rng,
};

const PARTITIONS: i32 = 5;
const PATIENCE: u64 = 10_000;
const POLL: u64 = 100;
const COMMIT: u64 = 1_000;
const FETCH_AGAIN: u64 = 100;
const MORE_AT_THE_END: i64 = 20;
const SETTLES_WITHIN: u64 = 10 * 60_000;

type Book = BTreeMap<SinkPartition, i64>;

enum Event {
    Tick {
        of: usize,
    },
    Arrive {
        to: ReplyTo,
        effect: Box<Effect>,
    },
    Reply {
        to: ReplyTo,
        input: Box<Input>,
    },
    Coordinator,
    Poll {
        of: usize,
    },
    Commit {
        of: usize,
    },
    Fetch {
        of: usize,
        asked: BTreeSet<TopicPartition>,
    },
    Start {
        slot: usize,
    },
    Fault,
    Heal,
    End,
    /// The one trouble of a history without other faults begins or is over.
    Trouble {
        begins: bool,
    },
}

/// A task: its process number is its index in the list of all that ever were.
struct Task {
    slot: usize,
    group: TaskGroup,
    book: SinkOffsets,
    alive: bool,
    frozen_until: u64,
    /// The moment of the one tick that is on its way.
    tick_at: u64,
    waiting: BTreeSet<Token>,
    /// Taken by `put`, not yet written to the target.
    buffer: Book,
    /// Read, and refused by `put`: the batch that is given again.
    refused: Book,
    opening: BTreeMap<RequestId, BTreeSet<TopicPartition>>,
    committing: BTreeMap<RequestId, Book>,
    requests: u64,
}

struct World {
    queue: Queue<Event>,
    rng: Rng,
    careless: Careless,
    report: DataReport,
    coordinator: Coordinator,
    /// The moment of the one look at it that is on its way.
    coordinates_at: u64,
    tasks: Vec<Task>,
    slots: usize,
    /// The end of each partition.
    ends: Book,
    /// The target: everything before this is in it, by what was written and from where.
    written: BTreeMap<SinkPartition, i64>,
    committed: Book,
    healed: bool,
    ended: bool,
    /// `None`: faults come at random.
    under: Option<Under>,
}

fn topic() -> Arc<str> {
    Arc::from("t")
}

/// Runs one history.
#[must_use]
pub fn run_sink(options: DataOptions) -> DataReport {
    let mut rng = Rng::new(options.seed ^ 0x73_69_6e_6b);
    let slots = usize::try_from(rng.between(1, 4)).unwrap_or(2);
    let mut world = World::new(rng, slots, options.careless);
    world.queue.after(5_000, Event::Fault);
    world.run(options.minutes * 60_000)
}

impl World {
    fn new(rng: Rng, slots: usize, careless: Careless) -> Self {
        let zero: Book = (0..PARTITIONS).map(|p| ((topic(), p), 0)).collect();
        let mut world = Self {
            queue: Queue::new(),
            rng,
            careless,
            report: DataReport::default(),
            coordinator: Coordinator::new(0),
            coordinates_at: 0,
            tasks: Vec::new(),
            slots,
            ends: zero.clone(),
            written: zero.clone(),
            committed: zero,
            healed: false,
            ended: false,
            under: None,
        };
        for slot in 0..slots {
            world.queue.after(slot as u64 * 50, Event::Start { slot });
        }
        world
    }

    /// Until this moment there are faults; then all must come to its end.
    fn run(mut self, end: u64) -> DataReport {
        let world = &mut self;
        world.queue.after(end, Event::Heal);
        world.queue.after(end + SETTLES_WITHIN, Event::End);
        while !world.ended && world.report.violation.is_none() {
            let Some(event) = world.queue.pop() else {
                break;
            };
            world.report.steps += 1;
            world.happens(event);
        }
        let rounds = world.coordinator.rounds;
        world.report.sometimes.insert("rounds of sinks", rounds);
        world
            .report
            .sometimes
            .insert("sessions of sinks expired", world.coordinator.expired);
        world.report.mix(world.queue.now);
        self.report
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Tick { of } => self.tick(of),
            Event::Arrive { to, effect } => self.arrive(to, *effect),
            Event::Reply { to, input } => self.reply(to, *input),
            Event::Coordinator if self.coordinates_at == self.queue.now => {
                let (now, mut replies) = (self.queue.now, Vec::new());
                self.coordinator.tick(now, &mut replies);
                self.answer(replies);
            }
            Event::Coordinator => {}
            Event::Poll { of } => self.poll(of),
            Event::Commit { of } => self.commit_soon(of),
            Event::Fetch { of, asked } => self.fetch(of, asked),
            Event::Start { slot } => self.start(slot),
            Event::Fault => self.fault(),
            Event::Trouble { begins } => self.trouble(begins),
            Event::Heal => {
                self.healed = true;
                for end in self.ends.values_mut() {
                    *end += MORE_AT_THE_END;
                }
            }
            Event::End => self.end(),
        }
        if self.healed && self.committed == self.ends {
            self.ended = true;
        }
    }

    fn end(&mut self) {
        self.ended = true;
        let now = self.queue.now;
        let text = format!("committed {:?} of {:?}", self.committed, self.ends);
        self.report.broken("Progresses", now, text);
    }

    fn start(&mut self, slot: usize) {
        let of = self.tasks.len();
        let assignors = match self.slots % 2 {
            0 => vec![Assignor::CooperativeSticky],
            _ => vec![Assignor::Range],
        };
        let membership = Settings {
            session_timeout: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(3),
            rebalance_timeout: Duration::from_secs(30),
            ..Settings::consumer()
        };
        self.tasks.push(Task {
            slot,
            group: TaskGroup::new(TaskGroupSettings {
                membership,
                assignors,
                rack: None,
            }),
            book: SinkOffsets::default(),
            alive: true,
            frozen_until: 0,
            tick_at: 0,
            waiting: BTreeSet::new(),
            buffer: Book::new(),
            refused: Book::new(),
            opening: BTreeMap::new(),
            committing: BTreeMap::new(),
            requests: 0,
        });
        let topics = BTreeSet::from(["t".to_owned()]);
        self.tell(of, TaskInput::Subscribe { topics });
        self.queue.after(POLL, Event::Poll { of });
        self.queue.after(COMMIT, Event::Commit { of });
    }

    fn fault(&mut self) {
        if self.healed {
            return;
        }
        let pause = self.rng.between(5_000, 60_000);
        self.queue.after(pause, Event::Fault);
        let alive: Vec<usize> = (0..self.tasks.len())
            .filter(|of| self.tasks.get(*of).is_some_and(|task| task.alive))
            .collect();
        let until = self.queue.now + self.rng.between(1_000, 40_000);
        let freezes = self.rng.permille(500);
        let Some(task) = self.rng.pick(&alive).and_then(|of| self.tasks.get_mut(*of)) else {
            return;
        };
        if freezes {
            task.frozen_until = until;
            self.report.seen("sink tasks frozen");
        } else {
            // What was not written is gone with it.
            task.alive = false;
            let slot = task.slot;
            self.report.seen("sink tasks killed");
            self.queue.after(500, Event::Start { slot });
        }
    }

    fn frozen(&self, of: usize) -> Option<u64> {
        let until = self.tasks.get(of)?.frozen_until;
        (until > self.queue.now).then(|| until - self.queue.now)
    }

    fn tick(&mut self, of: usize) {
        let now = self.queue.now;
        let due = self
            .tasks
            .get(of)
            .is_some_and(|task| task.alive && task.tick_at == now);
        if !due {
            return;
        }
        if let Some(rest) = self.frozen(of) {
            self.tick_in(of, rest);
        } else {
            self.tell(of, TaskInput::Tick);
        }
    }

    /// One tick is on its way: a later one is forgotten for an earlier one.
    fn tick_in(&mut self, of: usize, wait: u64) {
        let now = self.queue.now;
        if let Some(task) = self.tasks.get_mut(of)
            && (task.tick_at <= now || now + wait < task.tick_at)
        {
            task.tick_at = now + wait;
            self.queue.after(wait, Event::Tick { of });
        }
    }

    fn tell(&mut self, of: usize, input: TaskInput) {
        if self.frozen(of).is_some() {
            return;
        }
        let now = Now::from_millis(self.queue.now);
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(task) = self.tasks.get_mut(of).filter(|task| task.alive) else {
                return;
            };
            let mut events = Effects::new();
            task.group.step(now, input, &mut events);
            for event in events {
                inputs.extend(self.take(of, event));
            }
        }
        self.check_owners();
        let deadline = self.tasks.get(of).and_then(|task| task.group.deadline());
        if let Some(at) = deadline {
            let wait = u64::try_from(at.since(now).as_millis()).unwrap_or(1).max(1);
            self.tick_in(of, wait);
        }
    }

    /// `AtMostOneRunning`: of the tasks whose lease holds, no two have the same partition.
    fn check_owners(&mut self) {
        let now = Now::from_millis(self.queue.now);
        let mut owners: BTreeMap<&SinkPartition, usize> = BTreeMap::new();
        let mut twice = None;
        for (of, task) in self.tasks.iter().enumerate().filter(|(_, task)| task.alive) {
            if task
                .group
                .membership()
                .fence_at()
                .is_none_or(|at| at <= now)
            {
                continue;
            }
            for partition in task.book.assigned() {
                if let Some(other) = owners.insert(partition, of) {
                    twice = Some(format!("{partition:?} is {other}'s and {of}'s"));
                }
            }
        }
        if let Some(twice) = twice {
            self.report
                .broken("AssignmentDisjoint", self.queue.now, twice);
        }
    }

    fn take(&mut self, of: usize, event: TaskEvent) -> Option<TaskInput> {
        match event {
            TaskEvent::Network(effect) => self.send(of, effect),
            TaskEvent::CountPartitions { token, .. } => {
                let topics = Topics::from([(topic(), PARTITIONS)]);
                return Some(counted(token, &topics));
            }
            TaskEvent::Revoked {
                token,
                partitions,
                leaving,
            } => {
                self.report.seen("sink partitions revoked");
                // Written, and committed in this generation, before it is given back.
                self.write(of);
                self.commit(of);
                self.drop_partitions(of, &partitions);
                return Some(match leaving {
                    true => TaskInput::Stopped { token },
                    false => TaskInput::Revoked { token },
                });
            }
            TaskEvent::Lost {
                token, partitions, ..
            } => {
                self.report.seen("sink partitions lost");
                self.drop_partitions(of, &partitions);
                return token.map(|token| TaskInput::Stopped { token });
            }
            TaskEvent::Assigned { added, .. } if !added.is_empty() => {
                let task = self.tasks.get_mut(of)?;
                task.requests += 1;
                let request = RequestId(task.requests);
                let partitions = added.iter().cloned().collect();
                task.opening.insert(request, added);
                return Some(TaskInput::Membership(Input::Fetch {
                    request,
                    partitions,
                }));
            }
            TaskEvent::FetchDone { request, result } => {
                return self.opened(of, request, result.ok());
            }
            TaskEvent::CommitDone { request, result } => {
                let task = self.tasks.get_mut(of)?;
                let offsets = task.committing.remove(&request);
                if let (Some(offsets), Ok(())) = (offsets, result) {
                    task.book.committed(&offsets);
                }
            }
            TaskEvent::Failed { error, .. } => {
                let text = format!("a task cannot use its group: {error}");
                self.report.broken("Progresses", self.queue.now, text);
            }
            TaskEvent::Assigned { .. } | TaskEvent::Left => {}
        }
        None
    }

    fn drop_partitions(&mut self, of: usize, partitions: &BTreeSet<TopicPartition>) {
        let Some(task) = self.tasks.get_mut(of) else {
            return;
        };
        for opening in task.opening.values_mut() {
            opening.retain(|partition| !partitions.contains(partition));
        }
        for partition in partitions {
            let partition = (Arc::clone(&partition.topic), partition.partition);
            task.book.remove(&partition);
            task.buffer.remove(&partition);
            task.refused.remove(&partition);
        }
    }

    fn opened(
        &mut self,
        of: usize,
        request: RequestId,
        fetched: Option<Vec<(TopicPartition, FetchedOffset)>>,
    ) -> Option<TaskInput> {
        let task = self.tasks.get_mut(of)?;
        let asked = task.opening.remove(&request)?;
        let Some(fetched) = fetched else {
            self.queue.after(FETCH_AGAIN, Event::Fetch { of, asked });
            return None;
        };
        for (partition, offset) in fetched {
            if asked.contains(&partition) {
                let partition = (partition.topic, partition.partition);
                task.book.assign(partition, offset.offset.unwrap_or(0));
            }
        }
        None
    }

    /// Asks again for what could not be had, of what is still its own.
    fn fetch(&mut self, of: usize, asked: BTreeSet<TopicPartition>) {
        if let Some(rest) = self.frozen(of) {
            self.queue.after(rest, Event::Fetch { of, asked });
            return;
        }
        let Some(task) = self.tasks.get_mut(of).filter(|task| task.alive) else {
            return;
        };
        let owned = task.group.owned();
        let asked: BTreeSet<_> = asked.into_iter().filter(|p| owned.contains(p)).collect();
        if asked.is_empty() {
            return;
        }
        task.requests += 1;
        let request = RequestId(task.requests);
        let partitions = asked.iter().cloned().collect();
        task.opening.insert(request, asked);
        self.tell(
            of,
            TaskInput::Membership(Input::Fetch {
                request,
                partitions,
            }),
        );
    }

    fn poll(&mut self, of: usize) {
        if self.tasks.get(of).is_none_or(|task| !task.alive) {
            return;
        }
        self.queue
            .after(self.frozen(of).unwrap_or(POLL), Event::Poll { of });
        if self.frozen(of).is_some() {
            return;
        }
        self.tell(of, TaskInput::Polled);
        if !self.healed {
            for end in self.ends.values_mut() {
                *end += match self.under {
                    // What an hour leaves behind must be read within minutes.
                    Some(_) => i64::from(self.rng.permille(100)),
                    None => i64::try_from(self.rng.between(0, 1)).unwrap_or(0),
                };
            }
        }
        let refuses = self.refuses();
        let Some(task) = self.tasks.get_mut(of) else {
            return;
        };
        let fenced = task.group.membership().fence_at();
        if fenced.is_none_or(|at| at <= Now::from_millis(self.queue.now)) {
            return;
        }
        if task.refused.is_empty() {
            for (partition, position) in task.book.current() {
                let end = self.ends.get(&partition).copied().unwrap_or(0);
                task.refused.insert(partition, (position + 7).min(end));
            }
        }
        if refuses {
            // Nothing more is read: the same batch comes again.
            self.report.seen("batches refused");
            return;
        }
        for (partition, next) in std::mem::take(&mut task.refused) {
            task.book.delivered(&partition, next);
            task.buffer.insert(partition, next);
        }
        if self.rng.permille(200) {
            self.write(of);
        }
    }

    /// The plugin writes what it took into the target.
    fn write(&mut self, of: usize) {
        let Some(task) = self.tasks.get_mut(of) else {
            return;
        };
        for (partition, next) in std::mem::take(&mut task.buffer) {
            // It got everything from where its group was: what it writes has no gap.
            let written = self.written.entry(partition).or_default();
            *written = (*written).max(next);
        }
    }

    fn commit_soon(&mut self, of: usize) {
        if self.tasks.get(of).is_none_or(|task| !task.alive) {
            return;
        }
        self.queue
            .after(self.frozen(of).unwrap_or(COMMIT), Event::Commit { of });
        if self.frozen(of).is_none() {
            self.commit(of);
        }
    }

    /// `pre_commit`: the plugin confirms what it wrote; the book says what of it may be committed.
    fn commit(&mut self, of: usize) {
        let now = Now::from_millis(self.queue.now);
        let Some(task) = self.tasks.get_mut(of) else {
            return;
        };
        if task
            .group
            .membership()
            .fence_at()
            .is_none_or(|at| at <= now)
        {
            return;
        }
        let mut confirmed = task.book.current();
        if self.careless != Careless::ConfirmsEarly {
            confirmed.retain(|partition, _| !task.buffer.contains_key(partition));
        }
        let offsets = task.book.committable(&confirmed);
        if offsets.is_empty() {
            return;
        }
        task.requests += 1;
        let request = RequestId(task.requests);
        let list = offsets
            .iter()
            .map(|((topic, partition), offset)| OffsetToCommit {
                partition: TopicPartition {
                    topic: Arc::clone(topic),
                    partition: *partition,
                },
                offset: *offset,
                leader_epoch: None,
                metadata: String::new(),
            });
        let offsets_to_commit = list.collect();
        task.committing.insert(request, offsets);
        let mut events = Effects::new();
        let input = TaskInput::Membership(Input::Commit {
            request,
            offsets: offsets_to_commit,
        });
        task.group.step(now, input, &mut events);
        for event in events {
            if let Some(input) = self.take(of, event) {
                self.tell(of, input);
            }
        }
    }
}
