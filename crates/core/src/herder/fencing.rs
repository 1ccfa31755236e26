//! Rounds of zombie fencing (KIP-618, spec `distributed.md` 3.5): before source tasks of a new set start under
//! exactly-once, the producers of the old set are fenced, by the leader, once per set.

use std::collections::BTreeMap;

use super::{
    DistributedHerder, HerderEffect, Outcome, Reply, RequestError, RequestId, Sink,
    ops::{Finish, Op, answer},
};
use crate::{
    ConnectorName, Token,
    cluster::{ConfigRecord, FencingNeed},
};

/// Who waits for a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FencingWaiter {
    /// A request of another worker.
    Request(RequestId),
    /// An offset change of a stopped connector.
    OffsetChange(RequestId),
}

#[derive(Debug)]
struct Round {
    /// None once the producers are fenced and the count is being written.
    token: Option<Token>,
    /// The generation of the task set it was begun for.
    generation: Option<u32>,
    waiters: Vec<FencingWaiter>,
}

/// The rounds under way.
#[derive(Debug, Default)]
pub(super) struct Fencing {
    rounds: BTreeMap<ConnectorName, Round>,
}

const SUPERSEDED: &str =
    "Fencing failed because new task configurations were generated for the connector";

impl DistributedHerder {
    /// Fences what must be fenced, then tells the waiter. Only the leader may call this.
    pub(super) fn fence(&mut self, name: &ConnectorName, waiter: FencingWaiter, out: &mut Sink) {
        if let Some(round) = self.fencing.rounds.get_mut(name) {
            round.waiters.push(waiter);
            return;
        }
        let Some(config) = self.cluster.config(name.as_str()).cloned() else {
            let error = RequestError::no_connector(name.as_str());
            self.tell_fenced(name, waiter, Err(error), out);
            return;
        };
        let mut round = Round {
            token: None,
            generation: self.cluster.generation(name.as_str()),
            waiters: vec![waiter],
        };
        match self.cluster.fencing_need(name.as_str()) {
            FencingNeed::None => {
                for waiter in round.waiters {
                    self.tell_fenced(name, waiter, Ok(()), out);
                }
                return;
            }
            FencingNeed::RecordOnly => self.record_task_count(name),
            FencingNeed::Fence(count) => {
                let token = self.tokens.next();
                round.token = Some(token);
                let group = &self.settings.group_id;
                out.push(HerderEffect::FenceProducers {
                    token,
                    name: name.clone(),
                    config,
                    transactional_ids: (0..count)
                        .map(|task| format!("{group}-{name}-{task}"))
                        .collect(),
                });
            }
        }
        self.fencing.rounds.insert(name.clone(), round);
    }

    fn record_task_count(&mut self, name: &ConnectorName) {
        let tasks = self.cluster.task_count(name.as_str());
        self.ops.push_own(Op::write(
            vec![ConfigRecord::TaskCount {
                name: name.clone(),
                tasks,
            }],
            Finish::Fenced { name: name.clone() },
            "Error writing task count record to Kafka",
            format!("writing a task count record for connector {name} to the config topic"),
        ));
    }

    /// The outcome of fencing producers. Answers false when it was for something else.
    pub(super) fn fencing_outcome(
        &mut self,
        token: Token,
        outcome: &Outcome,
        out: &mut Sink,
    ) -> bool {
        let found = self
            .fencing
            .rounds
            .iter_mut()
            .find(|(_, round)| round.token == Some(token));
        let Some((name, round)) = found else {
            return false;
        };
        round.token = None;
        let (name, generation) = (name.clone(), round.generation);
        if *outcome != Outcome::Done {
            let text = match outcome {
                Outcome::Failed(cause) => format!("Failed to perform zombie fencing: {cause}"),
                _ => "Failed to perform zombie fencing".to_owned(),
            };
            self.fencing_over(&name, Err(RequestError::Failed(text)), out);
        } else if self.cluster.generation(name.as_str()) != generation {
            let error = RequestError::Conflict(SUPERSEDED.to_owned());
            self.fencing_over(&name, Err(error), out);
        } else {
            self.record_task_count(&name);
        }
        true
    }

    /// A new task set came: rounds begun for the old one say nothing about it.
    pub(super) fn fencing_superseded(&mut self, name: &ConnectorName, out: &mut Sink) {
        if self.fencing.rounds.contains_key(name) {
            let text =
                "Failed to complete zombie fencing because a new set of task configs was generated";
            self.fencing_over(name, Err(RequestError::Conflict(text.to_owned())), out);
        }
    }

    /// Ends a round.
    pub(super) fn fencing_over(
        &mut self,
        name: &ConnectorName,
        result: Result<(), RequestError>,
        out: &mut Sink,
    ) {
        let round = self.fencing.rounds.remove(name);
        for waiter in round.map_or_else(Vec::new, |round| round.waiters) {
            self.tell_fenced(name, waiter, result.clone(), out);
        }
    }

    fn tell_fenced(
        &mut self,
        name: &ConnectorName,
        waiter: FencingWaiter,
        result: Result<(), RequestError>,
        out: &mut Sink,
    ) {
        match waiter {
            FencingWaiter::Request(id) => answer(id, result.map(|()| Reply::Done), out),
            FencingWaiter::OffsetChange(id) => {
                let reply = match result {
                    Ok(()) => self.offsets_free(name),
                    Err(_) => Err(RequestError::Failed(
                        "Failed to perform zombie fencing for source connector prior to modifying offsets"
                            .to_owned(),
                    )),
                };
                answer(id, reply, out);
            }
        }
    }

    /// Asks the leader for a round, for source tasks of this worker that are about to start.
    pub(super) fn ask_for_fencing(&mut self, id: RequestId, name: &ConnectorName, out: &mut Sink) {
        match self.group.leader_url() {
            Some(leader_url) => {
                let token = self.tokens.next();
                self.fencing_asked.insert(token, id);
                out.push(HerderEffect::AskForFencing {
                    token,
                    leader_url,
                    name: name.clone(),
                });
            }
            None => answer(id, Err(RequestError::Elsewhere { url: None }), out),
        }
    }

    /// The leader's answer. Answers false when it was for something else.
    pub(super) fn asked_fencing_outcome(
        &mut self,
        token: Token,
        outcome: &Outcome,
        out: &mut Sink,
    ) -> bool {
        let Some(id) = self.fencing_asked.remove(&token) else {
            return false;
        };
        let reply = match outcome {
            Outcome::Done => Ok(Reply::Done),
            Outcome::Refused(error) => Err(error.clone()),
            Outcome::Failed(text) => Err(RequestError::Failed(text.clone())),
            _ => Err(RequestError::Failed(
                "Failed to perform zombie fencing".to_owned(),
            )),
        };
        answer(id, reply, out);
        true
    }
}
