//! The membership of a sink task, on a task of its own: heartbeats go on while `put` takes its time.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use milena_core::{
    effect::Effects,
    group::{
        consumer::{TaskEvent, TaskGroup, TaskInput},
        membership::Input,
    },
    time::{Deadline, Now},
};
use milena_kafka::ports::GroupChannel;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tracing::Instrument as _;

use super::{broker_assigned::BrokerAssignedTask, membership::GroupSettings};
use crate::group_net::GroupNet;

/// Inputs waiting for the membership; it takes them at once, so a short queue is enough.
const INPUTS: usize = 64;
/// Owner effects waiting for the task: the machine has at most a few under way.
const EVENTS: usize = 256;
const NEVER: u64 = u64::MAX;

/// The engine's end of a membership.
pub(super) struct Group {
    id: String,
    pub(super) events: mpsc::Receiver<TaskEvent>,
    inputs: mpsc::Sender<TaskInput>,
    fence: Arc<Fence>,
    actor: JoinHandle<()>,
}

/// Until when the task may act.
struct Fence {
    /// In milliseconds after the origin.
    at: AtomicU64,
    /// Losses that were told and are not over: until then nothing may be done for what is lost.
    losses: AtomicU64,
    origin: Instant,
}

/// A membership and its network.
pub(super) trait Member: Send {
    /// What its network answers.
    type Answer: Send;
    /// Takes something from the task, and answers what is the task's to do.
    fn take(&mut self, now: Now, input: TaskInput) -> Vec<TaskEvent>;
    /// Takes an answer.
    fn answer(&mut self, now: Now, answer: Self::Answer) -> Vec<TaskEvent>;
    /// When to step next, at the latest.
    fn deadline(&self) -> Option<Deadline>;
    /// Until when the task may act on what it holds.
    fn fence_at(&self) -> Option<Deadline>;
}

/// Membership by the classic protocol.
struct Classic {
    group: TaskGroup,
    net: GroupNet,
}

impl Member for Classic {
    type Answer = Input;

    fn take(&mut self, now: Now, input: TaskInput) -> Vec<TaskEvent> {
        let mut events = Effects::new();
        self.group.step(now, input, &mut events);
        let mut own = Vec::new();
        for event in events {
            match event {
                TaskEvent::Network(effect) => {
                    // The group machine hands out what is the owner's under names of its own.
                    let _ = self.net.execute(effect);
                }
                event => own.push(event),
            }
        }
        own
    }

    fn answer(&mut self, now: Now, answer: Input) -> Vec<TaskEvent> {
        self.take(now, TaskInput::Membership(answer))
    }

    fn deadline(&self) -> Option<Deadline> {
        self.group.deadline()
    }

    fn fence_at(&self) -> Option<Deadline> {
        self.group.membership().fence_at()
    }
}

impl Group {
    /// Begins to join, for these topics.
    pub(super) fn join(
        channel: Arc<dyn GroupChannel>,
        id: String,
        settings: GroupSettings,
        topics: BTreeSet<String>,
    ) -> Self {
        let (inputs, received) = mpsc::channel(INPUTS);
        let (owner, events) = mpsc::channel(EVENTS);
        let fence = Arc::new(Fence {
            at: AtomicU64::new(NEVER),
            losses: AtomicU64::new(0),
            origin: Instant::now(),
        });
        let ends = (received, owner, Arc::clone(&fence));
        let actor = match settings {
            GroupSettings::Classic { settings, instance } => {
                let (answers, answered) = mpsc::channel(INPUTS);
                let of_type = settings.membership.protocol_type;
                let net = GroupNet::new(channel, of_type, answers).with_instance(instance);
                let group = TaskGroup::new(settings);
                tokio::spawn(drive(Classic { group, net }, answered, ends).in_current_span())
            }
            GroupSettings::BrokerAssigned(settings) => {
                let (answers, answered) = mpsc::channel(INPUTS);
                let member = BrokerAssignedTask::new(settings, channel, answers);
                tokio::spawn(drive(member, answered, ends).in_current_span())
            }
        };
        let group = Self {
            id,
            events,
            inputs,
            fence,
            actor,
        };
        // The queue is empty: the first input fits.
        let _ = group.inputs.try_send(TaskInput::Subscribe { topics });
        group
    }

    /// `group.id`.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Tells the membership something.
    pub(super) async fn tell(&self, input: TaskInput) {
        // A membership that is gone has told so by an event.
        let _ = self.inputs.send(input).await;
    }

    /// Whether the lease on the assignment is over: nothing may be put or committed any more. Must be asked
    /// before each effect, since the whole process may have been stopped meanwhile (`AtMostOneRunning`).
    pub(super) fn fenced(&self) -> bool {
        let fence = &self.fence;
        let now = u64::try_from(fence.origin.elapsed().as_millis()).unwrap_or(NEVER);
        fence.losses.load(Ordering::Acquire) > 0 || now >= fence.at.load(Ordering::Acquire)
    }

    /// What [`TaskEvent::Lost`] named is closed.
    pub(super) fn lost(&self) {
        self.fence.losses.fetch_sub(1, Ordering::AcqRel);
    }

    /// The next owner effect.
    pub(super) async fn event(&mut self) -> Option<TaskEvent> {
        self.events.recv().await
    }

    /// Leaves the group, waiting a little for the coordinator to hear of it.
    pub(super) async fn leave(&mut self, reason: &str, within: Duration) {
        self.tell(TaskInput::Leave {
            reason: reason.to_owned(),
        })
        .await;
        let left = async {
            while let Some(event) = self.events.recv().await {
                match event {
                    // Everything was closed before: there is nothing to do but to say so.
                    TaskEvent::Revoked {
                        token,
                        leaving: true,
                        ..
                    }
                    | TaskEvent::Lost {
                        token: Some(token), ..
                    } => self.tell(TaskInput::Stopped { token }).await,
                    TaskEvent::Revoked { token, .. } => {
                        self.tell(TaskInput::Revoked { token }).await;
                    }
                    TaskEvent::Left | TaskEvent::Failed { .. } => return,
                    _ => {}
                }
            }
        };
        // Without the coordinator's ear the session ends by itself.
        let _ = tokio::time::timeout(within, left).await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.actor.abort();
    }
}

async fn drive<M: Member>(
    mut member: M,
    mut answers: mpsc::Receiver<M::Answer>,
    (mut inputs, owner, fence): (
        mpsc::Receiver<TaskInput>,
        mpsc::Sender<TaskEvent>,
        Arc<Fence>,
    ),
) {
    loop {
        let deadline = member.deadline().map(|at| fence.origin + at.elapsed());
        let now = || Now::since_start(fence.origin.elapsed());
        let events = tokio::select! {
            input = inputs.recv() => match input {
                Some(input) => member.take(now(), input),
                None => return,
            },
            Some(answer) = answers.recv() => member.answer(now(), answer),
            () = crate::task::source::at(deadline) => member.take(now(), TaskInput::Tick),
        };
        // Before the fence is lifted: what is lost must not be acted on before the task has heard of it.
        let losses = events
            .iter()
            .filter(|event| matches!(event, TaskEvent::Lost { .. }));
        let losses = u64::try_from(losses.count()).unwrap_or(u64::MAX);
        fence.losses.fetch_add(losses, Ordering::AcqRel);
        let until = member.fence_at().map_or(NEVER, |at| {
            u64::try_from(at.elapsed().as_millis()).unwrap_or(NEVER)
        });
        fence.at.store(until, Ordering::Release);
        for event in events {
            if owner.send(event).await.is_err() {
                return;
            }
        }
    }
}
