//! What the leader computes: everybody's assignment, or the word that it cannot assign yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{
    ConnectorName, TaskId,
    assign::{IncrementalAssignor, Plan, Round, RoundInput, Work, assign_eager},
    cluster::ClusterSnapshot,
    group::{
        GenerationId, MemberId,
        membership::MemberMetadata,
        protocol::connect::{
            AssignmentError, ConnectAssignment, ConnectProtocol, WorkerMetadata, read_metadata,
            write_assignment,
        },
    },
    time::Now,
};

/// The configured work, as read from the config topic so far.
pub trait ClusterView {
    /// The offset after the last record read, -1 if nothing was.
    fn config_offset(&self) -> i64;

    /// All connectors, and the tasks of those whose task configurations are consistent.
    fn configured(&self) -> Work;
}

impl ClusterView for ClusterSnapshot {
    fn config_offset(&self) -> i64 {
        self.offset()
    }

    fn configured(&self) -> Work {
        let connectors: BTreeSet<ConnectorName> = self.connectors().cloned().collect();
        let tasks = connectors
            .iter()
            .flat_map(|name| self.tasks(name.as_str()))
            .collect();
        Work { connectors, tasks }
    }
}

/// Who runs what and where, as the leader last decided; empty on every other worker. Answers where a request is
/// to be forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderState {
    urls: BTreeMap<MemberId, String>,
    connectors: BTreeMap<ConnectorName, MemberId>,
    tasks: BTreeMap<TaskId, MemberId>,
}

impl LeaderState {
    /// The address of the worker that runs this connector.
    #[must_use]
    pub fn connector_url(&self, connector: &ConnectorName) -> Option<&str> {
        self.urls
            .get(self.connectors.get(connector)?)
            .map(String::as_str)
    }

    /// The address of the worker that runs this task.
    #[must_use]
    pub fn task_url(&self, task: &TaskId) -> Option<&str> {
        self.urls.get(self.tasks.get(task)?).map(String::as_str)
    }

    /// The address of a member.
    #[must_use]
    pub fn member_url(&self, member: &MemberId) -> Option<&str> {
        self.urls.get(member).map(String::as_str)
    }

    /// An address that two members advertise, if there is one: requests to one of them reach the other.
    #[must_use]
    pub fn shared_url(&self) -> Option<&str> {
        let mut seen = BTreeSet::new();
        let mut urls = self.urls.values().map(String::as_str);
        urls.find(|url| !seen.insert(*url))
    }

    fn new(urls: BTreeMap<MemberId, String>, owners: &BTreeMap<MemberId, Work>) -> Self {
        let mut state = Self {
            urls,
            ..Self::default()
        };
        for (member, work) in owners {
            let connectors = work.connectors.iter().map(|c| (c.clone(), member.clone()));
            state.connectors.extend(connectors);
            state
                .tasks
                .extend(work.tasks.iter().map(|t| (t.clone(), member.clone())));
        }
        state
    }
}

/// A round the leader has to compute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task<'a> {
    pub(super) now: Now,
    pub(super) protocol: ConnectProtocol,
    pub(super) generation: GenerationId,
    pub(super) last_completed: Option<GenerationId>,
    pub(super) leader: &'a MemberId,
    pub(super) leader_url: &'a str,
    pub(super) members: &'a [MemberMetadata],
}

/// What came out: the bytes for each member, and who owns what (`None` if the leader is behind).
pub(super) struct Computed {
    pub(super) assignments: Vec<(MemberId, Vec<u8>)>,
    pub(super) leader_state: Option<LeaderState>,
}

/// Computes everybody's assignment (spec distributed 2.5).
///
/// A member whose metadata cannot be read gets no work and is told that the group is not ready: Java's leader dies
/// of it, and the next leader too.
pub(super) fn compute(
    task: Task<'_>,
    view: &dyn ClusterView,
    assignor: &mut IncrementalAssignor,
) -> Computed {
    let mut known: BTreeMap<MemberId, WorkerMetadata> = BTreeMap::new();
    let mut strangers: Vec<MemberId> = Vec::new();
    for member in task.members {
        match read_metadata(&member.metadata) {
            Ok(metadata) => {
                known.insert(member.member.clone(), metadata);
            }
            Err(_) => strangers.push(member.member.clone()),
        }
    }
    let newest = known.values().map(|m| m.config_offset).max().unwrap_or(-1);
    let mut shell = ConnectAssignment {
        error: AssignmentError::ConfigMismatch,
        leader: task.leader.clone(),
        leader_url: task.leader_url.to_owned(),
        config_offset: newest,
        assigned: Work::new(),
        revoked: Work::new(),
        delay: Duration::ZERO,
    };
    let refusal = write_assignment(task.protocol, &shell);
    let mut assignments: Vec<(MemberId, Vec<u8>)> = strangers
        .into_iter()
        .map(|member| (member, refusal.clone()))
        .collect();
    if view.config_offset() < newest {
        assignments.extend(known.into_keys().map(|member| (member, refusal.clone())));
        return Computed {
            assignments,
            leader_state: None,
        };
    }

    shell.error = AssignmentError::None;
    shell.config_offset = view.config_offset();
    let configured = view.configured();
    let round = match task.protocol {
        ConnectProtocol::Eager => eager_round(known.keys().cloned().collect(), &configured),
        ConnectProtocol::Compatible | ConnectProtocol::Sessioned => {
            let held = known
                .iter()
                .map(|(member, m)| {
                    let held = m.allocation.as_ref().map(|a| a.assigned.clone());
                    (member.clone(), held.unwrap_or_default())
                })
                .collect();
            assignor.round(RoundInput {
                now: task.now,
                held: &held,
                configured: &configured,
                last_completed_generation: task.last_completed.unwrap_or(GenerationId::NONE).0,
                generation: task.generation.0,
            })
        }
    };
    let urls = known
        .into_iter()
        .map(|(member, metadata)| (member, metadata.url))
        .collect();
    let leader_state = Some(LeaderState::new(urls, &round.owners));
    for (member, plan) in round.plans {
        let assignment = ConnectAssignment {
            assigned: plan.assigned,
            revoked: plan.revoked,
            delay: round.delay,
            ..shell.clone()
        };
        assignments.push((member, write_assignment(task.protocol, &assignment)));
    }
    Computed {
        assignments,
        leader_state,
    }
}

fn eager_round(members: BTreeSet<MemberId>, configured: &Work) -> Round {
    let owners = assign_eager(&members, configured);
    let plans = owners
        .iter()
        .map(|(member, work)| {
            (
                member.clone(),
                Plan {
                    assigned: work.clone(),
                    revoked: Work::new(),
                },
            )
        })
        .collect();
    Round {
        plans,
        delay: Duration::ZERO,
        owners,
    }
}
