use std::time::Duration;

use super::*;
use crate::{
    ConnectorName,
    assign::Work,
    effect::{Effects, Token},
    group::{
        GenerationId,
        membership::{Effect, Input, JoinAnswer, MemberMetadata, Node, Settings},
        protocol::connect::{
            AssignmentError, ConnectAssignment, ConnectProtocol, WorkerMetadata, read_assignment,
            read_metadata, write_assignment, write_metadata,
        },
    },
    time::Now,
};

struct View(i64, Work);

impl ClusterView for View {
    fn config_offset(&self) -> i64 {
        self.0
    }

    fn configured(&self) -> Work {
        self.1.clone()
    }
}

fn work(tasks: &[u32]) -> Work {
    let connector = ConnectorName::from("c");
    Work {
        connectors: [].into(),
        tasks: tasks.iter().map(|t| connector.task(*t)).collect(),
    }
}

fn told(assigned: Work, revoked: Work) -> ConnectAssignment {
    ConnectAssignment {
        error: AssignmentError::None,
        leader: "m1".into(),
        leader_url: "http://m1/".into(),
        config_offset: 7,
        assigned,
        revoked,
        delay: Duration::ZERO,
    }
}

struct Worker {
    group: WorkerGroup,
    view: View,
    seen: Vec<WorkerEvent>,
}

impl Worker {
    fn new(protocol: ConnectProtocol) -> Self {
        let settings = WorkerSettings {
            membership: Settings::connect(),
            protocol,
            url: "http://me/".into(),
            scheduled_rebalance_max_delay: Duration::from_secs(300),
        };
        let mut worker = Self {
            group: WorkerGroup::new(settings),
            view: View(7, work(&[0, 1])),
            seen: vec![],
        };
        worker.step(WorkerInput::Join);
        let node = Node {
            id: 0,
            host: "b".into(),
            port: 1,
        };
        let token = worker.token(|e| match e {
            Effect::FindCoordinator { token } => Some(*token),
            _ => None,
        });
        worker.step(WorkerInput::Network(Input::CoordinatorFound {
            token,
            result: Ok(node),
        }));
        worker
    }

    fn step(&mut self, input: WorkerInput) {
        let mut events = Effects::new();
        self.group
            .step(Now::from_millis(1_000), input, &self.view, &mut events);
        self.seen = events.into_iter().collect();
    }

    fn token(&self, of: impl Fn(&Effect) -> Option<Token>) -> Token {
        let found = self.seen.iter().find_map(|event| match event {
            WorkerEvent::Network(effect) => of(effect),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("not in {:?}", self.seen))
    }

    fn offered(&self) -> Vec<(String, WorkerMetadata)> {
        let found = self.seen.iter().find_map(|event| match event {
            WorkerEvent::Network(Effect::Join { request, .. }) => Some(request.protocols.clone()),
            _ => None,
        });
        let found = found.unwrap_or_else(|| panic!("no join in {:?}", self.seen));
        found
            .into_iter()
            .map(|p| (p.name, read_metadata(&p.metadata).unwrap()))
            .collect()
    }

    fn joined(
        &mut self,
        generation: i32,
        protocol: ConnectProtocol,
        leader: &str,
        members: Vec<MemberMetadata>,
    ) {
        let token = self.token(|e| match e {
            Effect::Join { token, .. } => Some(*token),
            _ => None,
        });
        let answer = JoinAnswer::Joined {
            generation: GenerationId(generation),
            protocol: protocol.name().into(),
            leader: leader.into(),
            member: "me".into(),
            members,
        };
        self.step(WorkerInput::Network(Input::Joined {
            token,
            result: Ok(answer),
        }));
    }

    fn follow(&mut self, generation: i32, protocol: ConnectProtocol, told: &ConnectAssignment) {
        self.joined(generation, protocol, "m1", Vec::new());
        let token = self.token(|e| match e {
            Effect::Sync { token, .. } => Some(*token),
            _ => None,
        });
        let result = Ok(write_assignment(protocol, told));
        self.step(WorkerInput::Network(Input::Synced { token, result }));
    }

    fn revoking(&self) -> (Token, Work) {
        let found = self.seen.iter().find_map(|event| match event {
            WorkerEvent::Revoke { token, work } => Some((*token, work.clone())),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("no revocation in {:?}", self.seen))
    }

    fn rejoin(&mut self) {
        self.step(WorkerInput::Rejoin {
            reason: String::new(),
        });
    }
}

#[test]
fn a_worker_offers_its_protocol_and_all_below() {
    let names = |setting| {
        let offered = Worker::new(setting).offered();
        offered
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(ConnectProtocol::Sessioned),
        ["sessioned", "compatible", "default"]
    );
    assert_eq!(
        names(ConnectProtocol::Compatible),
        ["compatible", "default"]
    );
    assert_eq!(names(ConnectProtocol::Eager), ["default"]);
}

#[test]
fn cooperative_work_goes_on_through_a_round_and_is_told_to_the_leader() {
    let sessioned = ConnectProtocol::Sessioned;
    let mut worker = Worker::new(sessioned);
    worker.follow(1, sessioned, &told(work(&[0, 1]), Work::new()));
    worker.rejoin();
    assert_eq!(
        worker.offered()[0].1.allocation.as_ref().unwrap().assigned,
        work(&[0, 1])
    );
    worker.follow(2, sessioned, &told(work(&[2]), Work::new()));
    assert_eq!(worker.group.held().unwrap().assigned, work(&[0, 1, 2]));
}

#[test]
fn a_round_waits_until_what_the_last_one_revoked_has_stopped() {
    let sessioned = ConnectProtocol::Sessioned;
    let mut worker = Worker::new(sessioned);
    worker.follow(1, sessioned, &told(work(&[0, 1]), Work::new()));
    worker.rejoin();
    worker.follow(2, sessioned, &told(Work::new(), work(&[1])));
    let (token, revoked) = worker.revoking();
    assert_eq!(revoked, work(&[1]));
    assert!(
        !worker
            .seen
            .iter()
            .any(|event| matches!(event, WorkerEvent::Assigned(_)))
    );
    worker.rejoin();
    assert!(
        worker.seen.is_empty(),
        "joined while work was stopping: {:?}",
        worker.seen
    );
    worker.step(WorkerInput::Revoked { token });
    assert!(
        worker
            .seen
            .iter()
            .any(|event| matches!(event, WorkerEvent::Assigned(_)))
    );
    assert_eq!(
        worker.offered()[0].1.allocation.as_ref().unwrap().assigned,
        work(&[0])
    );
}

#[test]
fn an_eager_group_stops_everything_before_it_joins() {
    let eager = ConnectProtocol::Eager;
    let mut worker = Worker::new(ConnectProtocol::Sessioned);
    worker.follow(1, eager, &told(work(&[0, 1]), Work::new()));
    worker.rejoin();
    let (token, revoked) = worker.revoking();
    assert_eq!(revoked, work(&[0, 1]));
    worker.step(WorkerInput::Revoked { token });
    assert!(
        worker
            .offered()
            .iter()
            .all(|(_, metadata)| metadata.allocation.is_none())
    );
}

#[test]
fn falling_back_to_eager_stops_what_the_leader_cannot_know_of() {
    let mut worker = Worker::new(ConnectProtocol::Sessioned);
    worker.follow(
        1,
        ConnectProtocol::Sessioned,
        &told(work(&[0, 1]), Work::new()),
    );
    worker.rejoin();
    worker.follow(2, ConnectProtocol::Eager, &told(work(&[1]), Work::new()));
    let (token, revoked) = worker.revoking();
    assert_eq!(revoked, work(&[0, 1]));
    worker.step(WorkerInput::Revoked { token });
    assert_eq!(worker.group.held().unwrap().assigned, work(&[1]));
}

#[test]
fn a_leader_that_is_behind_says_mismatch_and_keeps_what_runs_running() {
    let sessioned = ConnectProtocol::Sessioned;
    let mut worker = Worker::new(sessioned);
    let ahead = WorkerMetadata {
        url: "http://m2/".into(),
        config_offset: 9,
        allocation: None,
    };
    let members = [("me", worker.offered()[0].1.clone()), ("m2", ahead)]
        .map(|(id, metadata)| MemberMetadata {
            member: id.into(),
            instance: None,
            metadata: write_metadata(sessioned, &metadata),
        })
        .to_vec();
    worker.joined(1, sessioned, "me", members.clone());
    let sent = |worker: &Worker| {
        let found = worker.seen.iter().find_map(|event| match event {
            WorkerEvent::Network(Effect::Sync { assignments, .. }) => Some(assignments.clone()),
            _ => None,
        });
        let found = found.unwrap_or_else(|| panic!("no sync in {:?}", worker.seen));
        found
            .into_iter()
            .map(|(_, bytes)| read_assignment(&bytes).unwrap())
            .collect::<Vec<_>>()
    };
    for assignment in sent(&worker) {
        assert_eq!(assignment.error, AssignmentError::ConfigMismatch);
        assert_eq!(
            (assignment.config_offset, assignment.assigned),
            (9, Work::new())
        );
    }
    worker.view.0 = 9;
    let mut caught_up = Worker::new(sessioned);
    caught_up.view.0 = 9;
    caught_up.joined(1, sessioned, "me", members);
    let given = sent(&caught_up);
    assert!(
        given
            .iter()
            .all(|a| a.error == AssignmentError::None && a.config_offset == 9)
    );
    assert_eq!(
        Work::union_of(given.iter().map(|a| &a.assigned)),
        work(&[0, 1])
    );
    let task = ConnectorName::from("c").task(0);
    assert!(caught_up.group.leader_state().task_url(&task).is_some());
}
