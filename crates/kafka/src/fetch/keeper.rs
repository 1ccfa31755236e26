//! The keeper: sees that every partition has a leader and a position, and every leader a task that reads from it. It owns
//! all tasks: when it is aborted, all end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{task::JoinSet, time::Instant};

use super::{
    broker::read_from,
    offsets::{Check, Lookup},
    settings::PAUSE_MIN,
    state::Shared,
};
use crate::ports::KafkaError;

/// What is to be done now.
#[derive(Default)]
struct Plan {
    /// Whose leaders are to be asked for.
    topics: BTreeSet<Arc<str>>,
    /// Whose are only old.
    aged: BTreeSet<Arc<str>>,
    lookups: BTreeMap<i32, Vec<Lookup>>,
    checks: BTreeMap<i32, Vec<Check>>,
    brokers: Vec<i32>,
    until: Option<Instant>,
}

/// What a task of the keeper's ended as.
enum Ended {
    /// Leaders were asked for.
    Leaders(Result<(), KafkaError>),
    /// Anything else, which told the state itself.
    Other,
}

/// When leaders are asked for.
struct Metadata {
    asking: bool,
    not_before: Instant,
    next_full: Instant,
    /// Times in a row that something was left to ask.
    failures: u32,
}

/// Works until it is aborted.
pub(super) async fn keep(shared: Arc<Shared>) {
    let mut tasks: JoinSet<Ended> = JoinSet::new();
    let now = Instant::now();
    let mut metadata = Metadata {
        asking: false,
        not_before: now,
        next_full: now + shared.cluster.settings().metadata_age,
        failures: 0,
    };
    loop {
        let bell = shared.work.notified();
        tokio::pin!(bell);
        bell.as_mut().enable();
        let until = begin(&shared, &mut tasks, &mut metadata);
        let alarm = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bell => {}
            () = alarm => {}
            Some(ended) = tasks.join_next() => {
                if let Ok(Ended::Leaders(result)) = ended {
                    metadata.asked(&shared, result);
                }
            }
        }
    }
}

impl Metadata {
    fn asked(&mut self, shared: &Shared, result: Result<(), KafkaError>) {
        self.asking = false;
        self.failures = self.failures.saturating_add(1);
        let settings = shared.cluster.settings();
        // Asked again at once only if nobody knew of a reason: `retry.backoff.ms` between two.
        let pause = settings.backoff.after(self.failures - 1);
        self.not_before = Instant::now() + pause.max(PAUSE_MIN);
        match result {
            Ok(()) => {}
            Err(error) => {
                tracing::debug!(%error, "nobody tells who leads the partitions");
                if !error.is_retriable() {
                    shared.lock().failure = Some(error);
                    shared.news.notify_waiters();
                }
            }
        }
    }
}

/// Begins what is to be done; answers when to look again at the latest.
fn begin(
    shared: &Arc<Shared>,
    tasks: &mut JoinSet<Ended>,
    metadata: &mut Metadata,
) -> Option<Instant> {
    let now = Instant::now();
    let mut plan = plan(shared, now);
    let mut until = plan.until;
    let mut at = |then: Instant| until = Some(until.map_or(then, |until| until.min(then)));
    if plan.topics.is_empty() {
        metadata.failures = 0;
    }
    if now >= metadata.next_full {
        plan.topics.append(&mut plan.aged);
    } else {
        at(metadata.next_full);
    }
    if !plan.topics.is_empty() && !metadata.asking {
        if now < metadata.not_before {
            at(metadata.not_before);
        } else {
            metadata.asking = true;
            if now >= metadata.next_full {
                metadata.next_full = now + shared.cluster.settings().metadata_age;
            }
            let shared = Arc::clone(shared);
            let topics: Vec<Arc<str>> = plan.topics.into_iter().collect();
            tasks.spawn(async move { Ended::Leaders(shared.ask_leaders(&topics).await) });
        }
    }
    for (broker, lookups) in plan.lookups {
        let shared = Arc::clone(shared);
        tasks.spawn(async move {
            shared.look_up(broker, lookups).await;
            Ended::Other
        });
    }
    for (broker, checks) in plan.checks {
        let shared = Arc::clone(shared);
        tasks.spawn(async move {
            shared.validate(broker, checks).await;
            Ended::Other
        });
    }
    for broker in plan.brokers {
        let shared = Arc::clone(shared);
        tasks.spawn(async move {
            read_from(shared, broker).await;
            Ended::Other
        });
    }
    until
}

fn plan(shared: &Shared, now: Instant) -> Plan {
    let mut plan = Plan::default();
    let mut state = shared.lock();
    let state = &mut *state;
    for (key, partition) in &mut state.partitions {
        let known = partition.leader.filter(|_| !partition.stale);
        let Some(leader) = known else {
            plan.topics.insert(Arc::clone(&key.0));
            continue;
        };
        plan.aged.insert(Arc::clone(&key.0));
        if let Some(broker) = partition.source(now)
            && state.brokers.insert(broker)
        {
            plan.brokers.push(broker);
        }
        if let Some(then) = partition.waits(now) {
            let due = partition.reset.is_some() || partition.needs_validation();
            if due {
                plan.until = Some(plan.until.map_or(then, |until| until.min(then)));
            }
            continue;
        }
        if let Some(to) = partition.reset.filter(|_| !partition.looking) {
            partition.looking = true;
            plan.lookups.entry(leader.broker).or_default().push(Lookup {
                key: key.clone(),
                generation: partition.generation,
                leader_epoch: leader.epoch,
                to,
            });
        }
        if partition.needs_validation() && !partition.validating {
            partition.validating = true;
            plan.checks.entry(leader.broker).or_default().push(Check {
                key: key.clone(),
                generation: partition.generation,
                leader_epoch: leader.epoch,
                position_epoch: partition.position_epoch.unwrap_or(-1),
            });
        }
    }
    plan
}
