//! One worker in a world without faults: what a user sees of the herder.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::*;
use crate::{
    ConnectorName, Effects, Now, TaskId, WallClock,
    cluster::{RawProps, RestartRequest, TargetState},
    group::{
        GenerationId, MemberId,
        connect::WorkerSettings,
        membership::{Effect, Input, JoinAnswer, MemberMetadata, Node, Settings},
        protocol::connect::ConnectProtocol,
    },
    status::StatusState,
};

mod fragments;
mod healing;
mod offsets;
mod settled;

struct World {
    herder: DistributedHerder,
    now: Now,
    generation: i32,
    offset: i64,
    config_log: Vec<TopicRecord>,
    delivered: usize,
    status_log: Vec<TopicRecord>,
    status_delivered: usize,
    status_read: usize,
    /// How many statuses the herder had not read back when it gave an answer.
    unread_at_answer: BTreeMap<u64, usize>,
    /// Connectors end when they are told to, not when they are asked to; what they will say then.
    ending: Option<Vec<HerderInput>>,
    /// What the connector's `task_configs` answers.
    tasks: usize,
    too_many: bool,
    fail_tasks: bool,
    answers: BTreeMap<u64, Answer>,
    /// Runs by name of instance: what was started and not ended.
    running: BTreeMap<String, Incarnation>,
    history: Vec<String>,
    stopped: bool,
    last_request: u64,
}

fn name(name: &str) -> ConnectorName {
    name.into()
}

fn props(pairs: &[(&str, &str)]) -> RawProps {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned())))
        .collect()
}

impl World {
    fn new() -> Self {
        Self::with(ExactlyOnceMode::Disabled)
    }

    fn with(exactly_once: ExactlyOnceMode) -> Self {
        let mut world = Self::starting(exactly_once);
        world.input(HerderInput::Loaded);
        world
    }

    fn starting(exactly_once: ExactlyOnceMode) -> Self {
        let settings = HerderSettings {
            worker_id: "w:8083".to_owned(),
            group_id: "g".to_owned(),
            exactly_once,
            key_ttl: Duration::from_secs(3600),
            key_algorithm: "HmacSHA256".to_owned(),
            key_bytes: None,
            topic_tracking: true,
            topic_tracking_reset: true,
            rebalance_delay_max: Duration::from_secs(300),
            task_restarts: None,
        };
        let group = WorkerSettings {
            membership: Settings::connect(),
            protocol: ConnectProtocol::Sessioned,
            url: "http://w:8083/".to_owned(),
            scheduled_rebalance_max_delay: Duration::from_secs(300),
        };
        Self {
            herder: DistributedHerder::new(settings, group),
            now: Now::from_millis(1),
            generation: 0,
            offset: 0,
            config_log: Vec::new(),
            delivered: 0,
            status_log: Vec::new(),
            status_delivered: 0,
            status_read: 0,
            unread_at_answer: BTreeMap::new(),
            ending: None,
            tasks: 2,
            too_many: false,
            fail_tasks: false,
            answers: BTreeMap::new(),
            running: BTreeMap::new(),
            history: Vec::new(),
            stopped: false,
            last_request: 0,
        }
    }

    /// One input, and everything that follows until all is quiet.
    fn input(&mut self, input: HerderInput) {
        let mut inputs = std::collections::VecDeque::from([input]);
        let mut steps = 0;
        while let Some(input) = inputs.pop_front() {
            steps += 1;
            assert!(steps < 10_000, "the herder never comes to rest");
            self.now = self.now + Duration::from_millis(1);
            if let HerderInput::StatusRecords(records) = &input {
                self.status_read += records.len();
            }
            let wall =
                WallClock::since_epoch(Duration::from_secs(1_700_000_000) + self.now.elapsed());
            let mut out = Effects::new();
            self.herder.step(self.now, wall, input, &mut out);
            for effect in out {
                self.act(effect, &mut inputs);
            }
            if inputs.is_empty() {
                self.tail(&mut inputs);
            }
        }
    }

    fn tail(&mut self, inputs: &mut std::collections::VecDeque<HerderInput>) {
        let config = self.config_log.split_off(self.delivered);
        if !config.is_empty() {
            self.config_log.extend(config.iter().cloned());
            self.delivered = self.config_log.len();
            inputs.push_back(HerderInput::ConfigRecords(config));
        }
        let status = self.status_log.split_off(self.status_delivered);
        if !status.is_empty() {
            self.status_log.extend(status.iter().cloned());
            self.status_delivered = self.status_log.len();
            inputs.push_back(HerderInput::StatusRecords(status));
        }
    }

    fn record(&mut self, record: crate::cluster::KeyValue) -> TopicRecord {
        self.offset += 1;
        TopicRecord {
            offset: self.offset,
            key: Some(record.key.into_bytes()),
            value: record.value,
        }
    }

    fn act(&mut self, effect: HerderEffect, inputs: &mut std::collections::VecDeque<HerderInput>) {
        let mut done = |token, outcome| inputs.push_back(HerderInput::Outcome { token, outcome });
        match effect {
            HerderEffect::Network(effect) => {
                if let Some(input) = self.network(effect) {
                    inputs.push_back(HerderInput::Network(input));
                }
            }
            HerderEffect::Instance(act) => inputs.extend(self.instance(act)),
            HerderEffect::WriteConfig { token, records, .. } => {
                done(token, Outcome::Done);
                for record in records {
                    let record = self.record(record);
                    self.config_log.push(record);
                }
            }
            HerderEffect::ReadConfigToEnd { token } => {
                self.tail(inputs);
                inputs.push_back(HerderInput::Outcome {
                    token,
                    outcome: Outcome::Done,
                });
            }
            HerderEffect::WriteStatus(record) => {
                let record = self.record(record.encode());
                self.status_log.push(record);
            }
            HerderEffect::GenerateTaskConfigs { token, .. } if self.too_many => {
                done(token, Outcome::TooManyTasks("too many".to_owned()));
            }
            HerderEffect::GenerateTaskConfigs { token, .. } => {
                let config = |task: usize| props(&[("task", &task.to_string())]);
                done(
                    token,
                    Outcome::TaskConfigs((0..self.tasks).map(config).collect()),
                );
            }
            HerderEffect::GenerateSessionKey { token } => {
                done(token, Outcome::SessionKey("AAAA".to_owned()));
            }
            HerderEffect::FenceProducers {
                token,
                transactional_ids,
                ..
            } => {
                self.history
                    .push(format!("fence {}", transactional_ids.join(" ")));
                done(token, Outcome::Done);
            }
            HerderEffect::FlushStatus { token } => {
                self.tail(inputs);
                inputs.push_back(HerderInput::Outcome {
                    token,
                    outcome: Outcome::Done,
                });
            }
            HerderEffect::ClaimPrivilege { token }
            | HerderEffect::SendTaskConfigs { token, .. }
            | HerderEffect::AskForFencing { token, .. }
            | HerderEffect::Validate { token, .. } => done(token, Outcome::Done),
            HerderEffect::SetLoggerLevel { namespace, level } => {
                self.history.push(format!("logger {namespace} {level}"));
            }
            HerderEffect::Answer { id, answer } => {
                let unread = self.status_log.len() - self.status_read;
                self.unread_at_answer.insert(id.0, unread);
                assert!(
                    self.answers.insert(id.0, answer).is_none(),
                    "answered twice"
                );
            }
            HerderEffect::Stopped => self.stopped = true,
            HerderEffect::GroupFailed { error } => panic!("{error}"),
            HerderEffect::Warn(text) => self.history.push(text),
            HerderEffect::Note(_) => {}
        }
    }

    fn network(&mut self, effect: Effect) -> Option<Input> {
        let node = Node {
            id: 1,
            host: "h".to_owned(),
            port: 1,
        };
        let member = MemberId::from("m1");
        Some(match effect {
            Effect::FindCoordinator { token } => Input::CoordinatorFound {
                token,
                result: Ok(node),
            },
            Effect::Join { token, request, .. } => {
                self.generation += 1;
                let offered = request.protocols.first().expect("a protocol").clone();
                Input::Joined {
                    token,
                    result: Ok(JoinAnswer::Joined {
                        generation: GenerationId(self.generation),
                        protocol: offered.name,
                        leader: member.clone(),
                        member: member.clone(),
                        members: vec![MemberMetadata {
                            member,
                            instance: None,
                            metadata: offered.metadata,
                        }],
                    }),
                }
            }
            Effect::Sync {
                token, assignments, ..
            } => Input::Synced {
                token,
                result: Ok(assignments.first().expect("ours").1.clone()),
            },
            Effect::Heartbeat { token, .. } => Input::HeartbeatAnswered {
                token,
                result: Ok(()),
            },
            Effect::Leave { token, .. } => Input::LeaveAnswered {
                token,
                result: Ok(()),
            },
            _ => return None,
        })
    }

    fn instance(&mut self, act: InstanceEffect) -> Option<HerderInput> {
        let version = Some("1".to_owned());
        let connector = |name, incarnation, event| HerderInput::Connector {
            name,
            incarnation,
            event,
        };
        Some(match act {
            InstanceEffect::StartConnector {
                name,
                incarnation,
                target,
                ..
            } => {
                let before = self.running.insert(name.to_string(), incarnation);
                assert_eq!(before, None, "{name} runs twice");
                self.history.push(format!("start {name}"));
                connector(
                    name,
                    incarnation,
                    ConnectorEvent::Reached { target, version },
                )
            }
            InstanceEffect::TargetConnector {
                name,
                incarnation,
                target,
            } => {
                self.history.push(format!("{} {name}", target.as_str()));
                connector(
                    name,
                    incarnation,
                    ConnectorEvent::Reached { target, version },
                )
            }
            InstanceEffect::StopConnector { name, incarnation } => {
                assert_eq!(self.running.remove(name.as_str()), Some(incarnation));
                self.history.push(format!("stop {name}"));
                let failure = None;
                let ended = connector(
                    name,
                    incarnation,
                    ConnectorEvent::Ended { failure, version },
                );
                if let Some(later) = &mut self.ending {
                    later.push(ended);
                    return None;
                }
                ended
            }
            InstanceEffect::StartTask {
                id,
                incarnation,
                target,
                ..
            } => {
                self.history.push(format!("start {id}"));
                let event = match target {
                    _ if self.fail_tasks => TaskEvent::Failed {
                        trace: "boom".to_owned(),
                        version,
                    },
                    TargetState::Started => TaskEvent::Running { version },
                    _ => TaskEvent::Paused { version },
                };
                if !self.fail_tasks {
                    let before = self.running.insert(id.to_string(), incarnation);
                    assert_eq!(before, None, "{id} runs twice");
                }
                HerderInput::Task {
                    id,
                    incarnation,
                    event,
                }
            }
            InstanceEffect::TargetTask {
                id,
                incarnation,
                target,
            } => {
                self.history.push(format!("{} {id}", target.as_str()));
                let event = match target {
                    TargetState::Started => TaskEvent::Running { version },
                    _ => TaskEvent::Paused { version },
                };
                HerderInput::Task {
                    id,
                    incarnation,
                    event,
                }
            }
            InstanceEffect::StopTask { id, incarnation } => {
                assert_eq!(self.running.remove(&id.to_string()), Some(incarnation));
                self.history.push(format!("stop {id}"));
                HerderInput::Task {
                    id,
                    incarnation,
                    event: TaskEvent::Ended { version },
                }
            }
        })
    }

    fn ask(&mut self, request: Request) -> Answer {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.input(HerderInput::Request { id, request });
        self.answers.remove(&id.0).expect("answered")
    }

    fn create(&mut self, connector: &str) -> Answer {
        self.ask(Request::PutConnector {
            name: name(connector),
            config: props(&[("k", "v")]),
            target: None,
            replace: false,
        })
    }

    fn running(&self) -> Vec<&str> {
        self.running.keys().map(String::as_str).collect()
    }

    fn forget_history(&mut self) -> Vec<String> {
        std::mem::take(&mut self.history)
    }

    fn states(&mut self, connector: &str) -> (StatusState, Vec<StatusState>) {
        match self.ask(Request::ConnectorStatus(name(connector))) {
            Ok(Reply::Status(status)) => (
                status.connector.state,
                status.tasks.iter().map(|(_, s)| s.state).collect(),
            ),
            other => panic!("{other:?}"),
        }
    }
}

use StatusState::{Failed, Paused, Running, Stopped};

#[test]
fn a_created_connector_runs_with_its_tasks() {
    let mut world = World::new();
    let reply = world.create("c").expect("created");
    let Reply::Connector { created, info } = reply else {
        panic!("{reply:?}");
    };
    assert!(created);
    assert_eq!(info.config, Arc::new(props(&[("k", "v")])));
    assert_eq!(world.running(), ["c", "c-0", "c-1"]);
    assert_eq!(world.states("c"), (Running, vec![Running, Running]));
    assert_eq!(
        world.create("c"),
        Err(RequestError::Conflict(
            "Connector c already exists".to_owned()
        ))
    );
    assert_eq!(
        world.ask(Request::ListConnectors),
        Ok(Reply::Connectors(vec![name("c")]))
    );
}

#[test]
fn a_change_to_one_connector_leaves_the_others_alone() {
    let mut world = World::new();
    for connector in ["a", "b", "c"] {
        world.create(connector).expect("created");
    }
    world.forget_history();
    world.create("d").expect("created");
    world
        .ask(Request::PutConnector {
            name: name("a"),
            config: props(&[("k", "w")]),
            target: None,
            replace: true,
        })
        .expect("replaced");
    world
        .ask(Request::DeleteConnector(name("b")))
        .expect("deleted");
    let history = world.forget_history();
    assert!(
        history.iter().all(|act| !act.contains(" c")),
        "c was touched: {history:?}"
    );
    assert_eq!(
        world.running(),
        ["a", "a-0", "a-1", "c", "c-0", "c-1", "d", "d-0", "d-1"]
    );
}

#[test]
fn a_changed_configuration_restarts_the_connector_and_its_tasks_once() {
    let mut world = World::new();
    world.create("a").expect("created");
    world.forget_history();
    let reply = world.ask(Request::PutConnector {
        name: name("a"),
        config: props(&[("k", "w")]),
        target: None,
        replace: true,
    });
    assert!(matches!(reply, Ok(Reply::Connector { created: false, .. })));
    assert_eq!(
        world.forget_history(),
        [
            "stop a",
            "start a",
            "stop a-0",
            "stop a-1",
            "start a-0",
            "start a-1"
        ]
    );
}

#[test]
fn pause_resume_and_stop_hold() {
    let mut world = World::new();
    world.create("c").expect("created");
    let target = |target| Request::SetTarget {
        name: name("c"),
        target,
    };
    world.ask(target(TargetState::Paused)).expect("paused");
    assert_eq!(world.states("c"), (Paused, vec![Paused, Paused]));
    world.ask(target(TargetState::Started)).expect("resumed");
    assert_eq!(world.states("c"), (Running, vec![Running, Running]));
    world
        .ask(Request::StopConnector(name("c")))
        .expect("stopped");
    assert_eq!(world.running(), ["c"]);
    assert_eq!(world.states("c"), (Stopped, vec![]));
    assert!(matches!(
        world.ask(offset_change(true)),
        Ok(Reply::OffsetsFree(_))
    ));
    world.ask(target(TargetState::Started)).expect("resumed");
    assert_eq!(world.running(), ["c", "c-0", "c-1"]);
    assert_eq!(world.states("c"), (Running, vec![Running, Running]));
    assert!(matches!(
        world.ask(offset_change(true)),
        Err(RequestError::BadRequest(_))
    ));
    assert_eq!(
        world.ask(Request::SetTarget {
            name: name("x"),
            target: TargetState::Paused
        }),
        Err(RequestError::NotFound("Unknown connector x".to_owned()))
    );
}

#[test]
fn a_deleted_connector_leaves_nothing_behind() {
    let mut world = World::new();
    world.create("c").expect("created");
    world
        .ask(Request::DeleteConnector(name("c")))
        .expect("deleted");
    assert!(world.running().is_empty());
    assert_eq!(
        world.ask(Request::ConnectorStatus(name("c"))),
        Err(RequestError::NotFound(
            "No status found for connector c".to_owned()
        ))
    );
    assert_eq!(
        world.ask(Request::DeleteConnector(name("c"))),
        Err(RequestError::NotFound("Connector c not found".to_owned()))
    );
}

#[test]
fn fewer_tasks_leave_no_status_behind() {
    let mut world = World::new();
    world.create("c").expect("created");
    world.tasks = 1;
    world
        .ask(Request::RestartConnector(name("c")))
        .expect("restarted");
    assert_eq!(world.running(), ["c", "c-0"]);
    assert_eq!(world.states("c"), (Running, vec![Running]));
}

#[test]
fn a_restart_by_plan_restarts_what_failed() {
    let mut world = World::new();
    world.fail_tasks = true;
    world.create("c").expect("created");
    assert_eq!(world.states("c"), (Running, vec![Failed, Failed]));
    world.fail_tasks = false;
    world.forget_history();
    let reply = world.ask(Request::RestartAll(RestartRequest {
        connector: name("c"),
        include_tasks: true,
        only_failed: true,
    }));
    let Ok(Reply::Status(status)) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(status.connector.state, Running);
    assert!(
        status
            .tasks
            .iter()
            .all(|(_, task)| task.state == StatusState::Restarting && task.trace.is_some())
    );
    assert_eq!(world.forget_history(), ["start c-0", "start c-1"]);
    assert_eq!(world.states("c"), (Running, vec![Running, Running]));
}

fn offset_change(is_source: bool) -> Request {
    Request::PrepareOffsetChange {
        name: name("c"),
        is_source,
    }
}

#[test]
fn a_task_restart_replaces_that_task_only() {
    let mut world = World::new();
    world.create("c").expect("created");
    world.forget_history();
    let task: TaskId = name("c").task(1);
    world.ask(Request::RestartTask(task)).expect("restarted");
    assert_eq!(world.forget_history(), ["stop c-1", "start c-1"]);
    assert_eq!(
        world.ask(Request::RestartTask(name("c").task(7))),
        Err(RequestError::NotFound("Unknown task: c-7".to_owned()))
    );
}

#[test]
fn too_many_tasks_fail_the_connector() {
    let mut world = World::new();
    world.too_many = true;
    world.create("c").expect("created");
    assert_eq!(world.states("c"), (Failed, vec![]));
}

#[test]
fn a_patch_merges_and_removes() {
    let mut world = World::new();
    world.create("c").expect("created");
    let mut patch = props(&[("x", "1")]);
    patch.insert("k".to_owned(), None);
    let patch = Request::PatchConnector {
        name: name("c"),
        patch,
    };
    world.ask(patch).expect("patched");
    let Ok(Reply::Connector { info, .. }) = world.ask(Request::ConnectorInfo(name("c"))) else {
        panic!("no connector");
    };
    assert_eq!(*info.config, props(&[("x", "1")]));
}

#[test]
fn a_session_key_is_distributed_by_the_leader() {
    let mut world = World::new();
    let check = |world: &mut World| world.ask(Request::SignatureCheck);
    assert!(matches!(
        check(&mut world),
        Ok(Reply::Signatures(SignatureCheck::Key(_)))
    ));
    let keys = |world: &World| {
        let is_key = |r: &&TopicRecord| r.key.as_deref() == Some(b"session-key");
        world.config_log.iter().filter(is_key).count()
    };
    assert_eq!(keys(&world), 1);
    // It is renewed when its time has come, not before.
    world.now = world.now + Duration::from_secs(3500);
    world.input(HerderInput::Tick);
    assert_eq!(keys(&world), 1);
    world.now = world.now + Duration::from_secs(101);
    world.input(HerderInput::Tick);
    assert_eq!(keys(&world), 2);
}

#[test]
fn zombies_are_fenced_once_per_task_set() {
    let mut world = World::with(ExactlyOnceMode::Enabled);
    world.create("c").expect("created");
    let fence = |world: &mut World| world.ask(Request::FenceBeforeStart(name("c")));
    // The first set has no forerunner: its size is recorded, nobody is fenced.
    fence(&mut world).expect("fenced");
    assert!(
        !world
            .forget_history()
            .iter()
            .any(|act| act.contains("fence"))
    );
    world.tasks = 3;
    world
        .ask(Request::RestartConnector(name("c")))
        .expect("restarted");
    world.forget_history();
    fence(&mut world).expect("fenced");
    fence(&mut world).expect("fenced");
    assert_eq!(world.forget_history(), ["fence g-c-0 g-c-1"]);
}

#[test]
fn a_stopping_worker_ends_its_work_before_it_leaves() {
    let mut world = World::new();
    world.create("c").expect("created");
    world.input(HerderInput::Stop);
    assert!(world.running().is_empty());
    assert!(world.stopped);
    assert_eq!(
        world.ask(Request::DeleteConnector(name("c"))),
        Err(RequestError::Failed("Worker is shutting down".to_owned()))
    );
}

#[test]
fn many_connectors_are_created_in_a_row() {
    let mut world = World::new();
    world.tasks = 1;
    for n in 0..200 {
        world.create(&format!("c{n}")).expect("created");
    }
    assert_eq!(world.running().len(), 400);
    let stops = world
        .history
        .iter()
        .filter(|act| act.starts_with("stop"))
        .count();
    assert_eq!(stops, 0, "unrelated work was interrupted");
}

#[test]
fn a_worker_that_is_still_starting_stops_at_once() {
    let mut world = World::starting(ExactlyOnceMode::Disabled);
    world.input(HerderInput::Stop);
    assert!(world.stopped);
}
