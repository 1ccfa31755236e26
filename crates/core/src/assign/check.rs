//! What every round of an assignor promises, as one predicate: the assertion of the core, the checker of the
//! simulator and the property of the tests are this same function.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Round, Work};
use crate::{ConnectorName, TaskId, group::MemberId};

/// A broken promise of an assignment, by the name of the invariant (`reliability.md`).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A connector would have two owners.
    #[error("AssignmentDisjoint: connector {connector} would run on {first} and on {second}")]
    ConnectorTwice {
        /// The connector.
        connector: ConnectorName,
        /// One owner.
        first: MemberId,
        /// The other.
        second: MemberId,
    },
    /// A task would have two owners.
    #[error("AssignmentDisjoint: task {task} would run on {first} and on {second}")]
    TaskTwice {
        /// The task.
        task: TaskId,
        /// One owner.
        first: MemberId,
        /// The other.
        second: MemberId,
    },
    /// Work is given to a member in the round in which another still runs it.
    #[error("RevokedBeforeStarted: {member} is given {work:?}, which a member still runs")]
    StillRunning {
        /// Who is given the work.
        member: MemberId,
        /// The work.
        work: Work,
    },
    /// Work nobody configured is given out.
    #[error("AssignmentDisjoint: {member} is given {work:?}, which is not configured")]
    NotConfigured {
        /// Who is given the work.
        member: MemberId,
        /// The work.
        work: Work,
    },
    /// Work is given to nobody although no delay is running and nothing was revoked.
    #[error("AssignmentDisjoint: nobody runs {work:?} although no delay is running")]
    Incomplete {
        /// The work.
        work: Work,
    },
    /// A settled round leaves one member with at least two more connectors or tasks than another.
    #[error("Balanced: members run between {least} and {most} {kind} in a settled round")]
    Unbalanced {
        /// "connectors" or "tasks".
        kind: &'static str,
        /// The smallest number on a member.
        least: usize,
        /// The largest.
        most: usize,
    },
}

/// Checks one round: `held` is what each member said it runs, `configured` what exists, `round` the result.
///
/// # Errors
/// The first invariant the round breaks.
pub fn check_round(
    held: &BTreeMap<MemberId, Work>,
    configured: &Work,
    round: &Round,
) -> Result<(), Violation> {
    let active = Work::union_of(held.values());
    let mut connectors: BTreeMap<&ConnectorName, &MemberId> = BTreeMap::new();
    let mut tasks: BTreeMap<&TaskId, &MemberId> = BTreeMap::new();
    for (member, plan) in &round.plans {
        let running = plan.assigned.intersect(&active);
        if !running.is_empty() {
            return Err(Violation::StillRunning {
                member: member.clone(),
                work: running,
            });
        }
        let unknown = plan.assigned.minus(configured);
        if !unknown.is_empty() {
            return Err(Violation::NotConfigured {
                member: member.clone(),
                work: unknown,
            });
        }
    }
    for (member, owned) in &round.owners {
        for connector in &owned.connectors {
            if let Some(first) = connectors.insert(connector, member) {
                return Err(Violation::ConnectorTwice {
                    connector: connector.clone(),
                    first: first.clone(),
                    second: member.clone(),
                });
            }
        }
        for task in &owned.tasks {
            if let Some(first) = tasks.insert(task, member) {
                return Err(Violation::TaskTwice {
                    task: task.clone(),
                    first: first.clone(),
                    second: member.clone(),
                });
            }
        }
    }
    let settled = round.delay.is_zero() && round.plans.values().all(|plan| plan.revoked.is_empty());
    if !settled || round.plans.is_empty() {
        return Ok(());
    }
    let missing = configured.minus(&Work::union_of(round.owners.values()));
    if !missing.is_empty() {
        return Err(Violation::Incomplete { work: missing });
    }
    balanced(
        "connectors",
        round.owners.values().map(|owned| owned.connectors.len()),
    )?;
    balanced(
        "tasks",
        round.owners.values().map(|owned| owned.tasks.len()),
    )
}

fn balanced(
    kind: &'static str,
    loads: impl Iterator<Item = usize> + Clone,
) -> Result<(), Violation> {
    let least = loads.clone().min().unwrap_or(0);
    let most = loads.max().unwrap_or(0);
    if most.saturating_sub(least) > 1 {
        return Err(Violation::Unbalanced { kind, least, most });
    }
    Ok(())
}
