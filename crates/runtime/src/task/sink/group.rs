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
        consumer::{TaskEvent, TaskGroup, TaskGroupSettings, TaskInput},
        membership::Input,
    },
    time::Now,
};
use milena_kafka::ports::GroupChannel;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tracing::Instrument as _;

use crate::group_net::GroupNet;

/// Inputs waiting for the membership; it takes them at once, so a short queue is enough.
const INPUTS: usize = 64;
/// Owner effects waiting for the task: the machine has at most a few under way.
const EVENTS: usize = 256;
const NEVER: u64 = u64::MAX;

/// The engine's end of a membership.
pub(super) struct Group {
    pub(super) events: mpsc::Receiver<TaskEvent>,
    inputs: mpsc::Sender<TaskInput>,
    fence_at: Arc<AtomicU64>,
    origin: Instant,
    actor: JoinHandle<()>,
}

impl Group {
    /// Begins to join, for these topics.
    pub(super) fn join(
        channel: Arc<dyn GroupChannel>,
        settings: TaskGroupSettings,
        topics: BTreeSet<String>,
    ) -> Self {
        let (inputs, received) = mpsc::channel(INPUTS);
        let (answers, answered) = mpsc::channel(INPUTS);
        let (owner, events) = mpsc::channel(EVENTS);
        let fence_at = Arc::new(AtomicU64::new(NEVER));
        let origin = Instant::now();
        let net = GroupNet::new(channel, settings.membership.protocol_type, answers);
        let actor = tokio::spawn(
            drive(
                TaskGroup::new(settings),
                net,
                (received, answered),
                owner,
                Arc::clone(&fence_at),
                origin,
            )
            .in_current_span(),
        );
        let group = Self {
            events,
            inputs,
            fence_at,
            origin,
            actor,
        };
        // The queue is empty: the first input fits.
        let _ = group.inputs.try_send(TaskInput::Subscribe { topics });
        group
    }

    /// Tells the membership something.
    pub(super) async fn tell(&self, input: TaskInput) {
        // A membership that is gone has told so by an event.
        let _ = self.inputs.send(input).await;
    }

    /// Whether the lease on the assignment is over: nothing may be put or committed any more. Must be asked
    /// before each effect, since the whole process may have been stopped meanwhile (`AtMostOneRunning`).
    pub(super) fn fenced(&self) -> bool {
        let now = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(NEVER);
        now >= self.fence_at.load(Ordering::Acquire)
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

async fn drive(
    mut group: TaskGroup,
    net: GroupNet,
    (mut inputs, mut answers): (mpsc::Receiver<TaskInput>, mpsc::Receiver<Input>),
    owner: mpsc::Sender<TaskEvent>,
    fence_at: Arc<AtomicU64>,
    origin: Instant,
) {
    let mut events = Effects::new();
    loop {
        let deadline = group.deadline().map(|at| origin + at.elapsed());
        let input = tokio::select! {
            input = inputs.recv() => match input {
                Some(input) => input,
                None => return,
            },
            Some(answer) = answers.recv() => TaskInput::Membership(answer),
            () = crate::task::source::at(deadline) => TaskInput::Tick,
        };
        group.step(Now::since_start(origin.elapsed()), input, &mut events);
        let fence = group.membership().fence_at().map_or(NEVER, |at| {
            u64::try_from(at.elapsed().as_millis()).unwrap_or(NEVER)
        });
        fence_at.store(fence, Ordering::Release);
        for event in events.drain() {
            let done = match event {
                TaskEvent::Network(effect) => {
                    // The group machine hands out what is the owner's under names of its own.
                    let _ = net.execute(effect);
                    continue;
                }
                event => owner.send(event).await,
            };
            if done.is_err() {
                return;
            }
        }
    }
}
