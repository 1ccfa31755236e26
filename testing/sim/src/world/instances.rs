//! Plugins: they start, take a while to stop, and know how many tasks their configuration asks for.

use milena_core::{
    ConnectorName,
    cluster::{RawProps, TargetState},
    herder::{ConnectorEvent, HerderInput, Incarnation, InstanceEffect, Outcome, TaskEvent},
};

use super::{
    engine::{Event, World},
    host::Run,
};

impl World {
    pub(super) fn instance(&mut self, worker: usize, process: u32, act: InstanceEffect) {
        let version = Some("1".to_owned());
        match act {
            InstanceEffect::StartConnector {
                name,
                incarnation,
                target,
                ..
            } => {
                self.begin(worker, name.to_string(), incarnation, 0);
                let event = ConnectorEvent::Reached { target, version };
                self.report(
                    worker,
                    process,
                    HerderInput::Connector {
                        name,
                        incarnation,
                        event,
                    },
                );
            }
            InstanceEffect::TargetConnector {
                name,
                incarnation,
                target,
            } => {
                let event = ConnectorEvent::Reached { target, version };
                self.report(
                    worker,
                    process,
                    HerderInput::Connector {
                        name,
                        incarnation,
                        event,
                    },
                );
            }
            InstanceEffect::StopConnector { name, incarnation } => {
                let run = (name.to_string(), incarnation);
                let event = ConnectorEvent::Ended {
                    failure: None,
                    version,
                };
                self.end(
                    worker,
                    process,
                    run,
                    HerderInput::Connector {
                        name,
                        incarnation,
                        event,
                    },
                );
            }
            InstanceEffect::StartTask {
                id,
                incarnation,
                target,
                task_config,
                ..
            } => {
                self.check_set(worker, &id, &task_config);
                self.begin(worker, id.to_string(), incarnation, set_of(&task_config));
                let event = running(target, version);
                self.report(
                    worker,
                    process,
                    HerderInput::Task {
                        id,
                        incarnation,
                        event,
                    },
                );
            }
            InstanceEffect::TargetTask {
                id,
                incarnation,
                target,
            } => {
                let event = running(target, version);
                self.report(
                    worker,
                    process,
                    HerderInput::Task {
                        id,
                        incarnation,
                        event,
                    },
                );
            }
            InstanceEffect::StopTask { id, incarnation } => {
                let run = (id.to_string(), incarnation);
                let event = TaskEvent::Ended { version };
                self.end(
                    worker,
                    process,
                    run,
                    HerderInput::Task {
                        id,
                        incarnation,
                        event,
                    },
                );
            }
        }
    }

    fn begin(&mut self, worker: usize, name: String, incarnation: Incarnation, set: u64) {
        self.seen("runs started");
        if let Some(host) = self.hosts.get_mut(worker) {
            host.runs.insert(
                (name.clone(), incarnation),
                Run {
                    set,
                    stopping: false,
                },
            );
        }
        self.check_alone(worker, &name);
    }

    fn report(&mut self, worker: usize, process: u32, input: HerderInput) {
        let at = self.now + self.rng.between(1, 200);
        let Some(host) = self.hosts.get_mut(worker) else {
            return;
        };
        host.reports_arrive = host.reports_arrive.max(at);
        let delay = host.reports_arrive - self.now;
        self.after(
            delay,
            Event::Input {
                worker,
                process,
                input,
            },
        );
    }

    fn end(&mut self, worker: usize, process: u32, run: (String, Incarnation), input: HerderInput) {
        if let Some(found) = self
            .hosts
            .get_mut(worker)
            .and_then(|host| host.runs.get_mut(&run))
        {
            found.stopping = true;
        }
        // Some take their time; the shell's own limit is five seconds.
        let delay = if self.slow_stops {
            self.seen("slow stops");
            5_000
        } else if self.rng.permille(50) {
            self.rng.between(500, 5_000)
        } else {
            self.rng.between(1, 300)
        };
        self.after(
            delay,
            Event::RunEnded {
                worker,
                process,
                run,
                input,
            },
        );
    }

    /// What the connector's plugin makes of its configuration.
    pub(super) fn generate(&mut self, worker: usize, name: &ConnectorName) -> Outcome {
        if self.faults.plugins && self.rng.permille(50) {
            self.seen("plugins failed");
            return Outcome::Failed("the plugin has a bad day".to_owned());
        }
        let herder = self.hosts.get(worker).and_then(|host| host.herder.as_ref());
        let config = herder.and_then(|herder| herder.cluster().config(name.as_str()));
        let tasks = config.and_then(|config| config.get("tasks").cloned().flatten());
        let tasks: usize = tasks.and_then(|tasks| tasks.parse().ok()).unwrap_or(0);
        let set = config.and_then(|config| config.get("set").cloned().flatten());
        let one = |number: usize| {
            let task = ("task".to_owned(), Some(number.to_string()));
            RawProps::from([task, ("set".to_owned(), set.clone())])
        };
        Outcome::TaskConfigs((0..tasks).map(one).collect())
    }
}

/// Which set of task configurations this one is of.
pub(super) fn set_of(config: &RawProps) -> u64 {
    let text = config.get("set").and_then(Option::as_deref);
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn running(target: TargetState, version: Option<String>) -> TaskEvent {
    match target {
        TargetState::Started => TaskEvent::Running { version },
        _ => TaskEvent::Paused { version },
    }
}
