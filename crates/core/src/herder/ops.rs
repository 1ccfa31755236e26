//! Changes to the config topic, one after another: each is a list of writes and reads with an end.
//!
//! Requests are taken up in the order in which they came; the next begins when the one before has been
//! read back. Nothing here holds up work that runs.

use std::collections::VecDeque;

use super::{
    Answer, DistributedHerder, HerderEffect, Outcome, Reply, Request, RequestError, RequestId, Sink,
};
use crate::{ConnectorName, cluster::ConfigRecord, effect::Token, time::Now};

/// One step of a change.
#[derive(Clone, Debug)]
pub(super) enum OpStep {
    /// Append records; `privileged`: only the leader may.
    Write {
        records: Vec<ConfigRecord>,
        privileged: bool,
    },
    /// Read the topic to its end, so that the change is seen here before anybody is told of it.
    ReadToEnd,
}

/// What follows a change.
#[derive(Clone, Debug)]
pub(super) enum Finish {
    /// This answer.
    Answer(RequestId, Reply),
    /// The connector as it stands now.
    Describe {
        id: RequestId,
        name: ConnectorName,
        created: bool,
    },
    /// The connector's task configurations are stored.
    TaskConfigs {
        id: Option<RequestId>,
        name: ConnectorName,
    },
    /// The restart request is stored: the answer shows what it will do.
    RestartPlanned {
        id: RequestId,
        request: crate::cluster::RestartRequest,
    },
    /// The number of tasks that may run is stored: zombies are fenced.
    Fenced { name: ConnectorName },
    /// A session key was distributed.
    SessionKey,
    /// A config topic that began anew holds again what it should.
    Restored,
}

/// A change with its end.
#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) steps: VecDeque<OpStep>,
    pub(super) finish: Finish,
    /// What the caller is told when a step fails.
    pub(super) failure: String,
    /// What the worker says it is doing, for time-out messages (Annex B of the spec).
    pub(super) stage: String,
}

impl Op {
    /// Write, read back, finish.
    pub(super) fn write(
        records: Vec<ConfigRecord>,
        finish: Finish,
        failure: &str,
        stage: String,
    ) -> Self {
        let write = OpStep::Write {
            records,
            privileged: true,
        };
        Self {
            steps: VecDeque::from([write, OpStep::ReadToEnd]),
            finish,
            failure: failure.to_owned(),
            stage,
        }
    }

    /// A write that any worker may make and nobody waits to read back.
    pub(super) fn unprivileged(
        record: ConfigRecord,
        finish: Finish,
        failure: &str,
        stage: String,
    ) -> Self {
        let write = OpStep::Write {
            records: vec![record],
            privileged: false,
        };
        Self {
            steps: VecDeque::from([write]),
            finish,
            failure: failure.to_owned(),
            stage,
        }
    }
}

/// The changes that wait and the one that is under way.
#[derive(Debug, Default)]
pub(super) struct Ops {
    current: Option<(Token, Op)>,
    /// The worker's own changes; they go before requests.
    own: VecDeque<Op>,
    requests: VecDeque<(RequestId, Request)>,
}

/// More requests than this in the queue are refused: a client that floods must not fill the memory.
const REQUESTS_QUEUED_MAX: usize = 10_000;

impl Ops {
    /// What the worker is doing, if a change is under way.
    pub(super) fn stage(&self) -> Option<&str> {
        self.current.as_ref().map(|(_, op)| op.stage.as_str())
    }

    /// Whether no change is under way or waits.
    pub(super) fn is_idle(&self) -> bool {
        self.current.is_none() && self.own.is_empty()
    }

    pub(super) fn push_own(&mut self, op: Op) {
        self.own.push_back(op);
    }

    pub(super) fn push_request(
        &mut self,
        id: RequestId,
        request: Request,
    ) -> Result<(), RequestError> {
        if self.requests.len() >= REQUESTS_QUEUED_MAX {
            let text = "Too many requests are waiting on this worker; retry later";
            return Err(RequestError::Failed(text.to_owned()));
        }
        self.requests.push_back((id, request));
        Ok(())
    }

    /// Takes everything that waits, for a worker that ends.
    pub(super) fn drain(&mut self) -> (Vec<Op>, Vec<RequestId>) {
        let ops = self.current.take().map(|(_, op)| op);
        let ops = ops.into_iter().chain(self.own.drain(..)).collect();
        let ids = self.requests.drain(..).map(|(id, _)| id).collect();
        (ops, ids)
    }
}

impl DistributedHerder {
    /// Takes up the next changes while none is under way.
    pub(super) fn pump(&mut self, now: Now, out: &mut Sink) {
        while self.ops.current.is_none() && self.may_change() {
            if let Some(op) = self.ops.own.pop_front() {
                self.begin_op(op, out);
            } else if let Some((id, request)) = self.ops.requests.pop_front() {
                self.begin_request(now, id, request, out);
            } else {
                return;
            }
        }
    }

    /// Requests wait while the group settles: nobody can say who leads.
    fn may_change(&self) -> bool {
        self.is_ready() && self.group.is_stable() && !self.privilege.is_in_doubt()
    }

    /// Begins a change. None may be under way.
    pub(super) fn begin_op(&mut self, op: Op, out: &mut Sink) {
        if self.ops.current.is_some() {
            self.ops.own.push_back(op);
            return;
        }
        self.advance(op, out);
    }

    fn advance(&mut self, mut op: Op, out: &mut Sink) {
        let Some(step) = op.steps.pop_front() else {
            self.finish_op(op.finish, out);
            return;
        };
        let token = self.tokens.next();
        match step {
            OpStep::Write {
                privileged: true, ..
            } if !self.group.is_leader() => {
                let url = self.group.leader_url();
                self.refuse_op(&op, RequestError::Elsewhere { url }, out);
                return;
            }
            OpStep::Write {
                records,
                privileged,
            } => out.push(HerderEffect::WriteConfig {
                token,
                records: records.iter().map(ConfigRecord::encode).collect(),
                transactional: privileged
                    && self.settings.exactly_once.leader_writes_in_transactions(),
            }),
            OpStep::ReadToEnd => out.push(HerderEffect::ReadConfigToEnd { token }),
        }
        self.ops.current = Some((token, op));
    }

    /// An outcome for the change under way. Answers false when it was for something else.
    pub(super) fn op_outcome(&mut self, token: Token, outcome: &Outcome, out: &mut Sink) -> bool {
        match self.ops.current.take() {
            Some((current, op)) if current == token => {
                match outcome {
                    Outcome::Done => self.advance(op, out),
                    Outcome::Fenced => {
                        self.privilege.lost();
                        self.refuse_op(&op, RequestError::privileged_write(), out);
                    }
                    // Unknown is no failure of the change: it may come to light later. The caller learns that
                    // it is not certain; the topic decides (`ConfigConverges`).
                    _ => {
                        let error = RequestError::Failed(op.failure.clone());
                        self.refuse_op(&op, error, out);
                    }
                }
                true
            }
            other => {
                self.ops.current = other;
                false
            }
        }
    }

    fn finish_op(&mut self, finish: Finish, out: &mut Sink) {
        match finish {
            Finish::Answer(id, reply) => answer(id, Ok(reply), out),
            Finish::Describe { id, name, created } => {
                let info = self.describe(&name);
                let reply = info.map(|info| Reply::Connector { created, info });
                answer(id, reply, out);
            }
            Finish::TaskConfigs { id, name } => match id {
                Some(id) => answer(id, Ok(Reply::Done), out),
                None => self.reconfigured(&name),
            },
            Finish::RestartPlanned { id, request } => {
                let plan = self.restart_answer(&request);
                answer(id, plan, out);
            }
            Finish::Fenced { name } => self.fencing_over(&name, Ok(()), out),
            Finish::SessionKey => self.session.written(),
            Finish::Restored => out.push(HerderEffect::Note(
                "the config topic holds the known configurations again".to_owned(),
            )),
        }
    }

    pub(super) fn refuse_op(&mut self, op: &Op, error: RequestError, out: &mut Sink) {
        match &op.finish {
            Finish::Answer(id, _)
            | Finish::Describe { id, .. }
            | Finish::RestartPlanned { id, .. }
            | Finish::TaskConfigs { id: Some(id), .. } => answer(*id, Err(error), out),
            Finish::TaskConfigs { id: None, name } => self.reconfigure_failed(&name.clone()),
            Finish::Fenced { name } => self.fencing_over(&name.clone(), Err(error), out),
            Finish::SessionKey => self.session.failed(),
            Finish::Restored => out.push(HerderEffect::Warn(format!("{}: {error}", op.failure))),
        }
    }
}

/// Answers a request.
pub(super) fn answer(id: RequestId, answer: Answer, out: &mut Sink) {
    out.push(HerderEffect::Answer { id, answer });
}
