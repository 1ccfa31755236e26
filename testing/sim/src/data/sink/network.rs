//! What the sink tasks say and hear: requests to the modelled coordinator and its answers, any of which may be lost.

use std::sync::Arc;

use milena_core::{
    effect::Token,
    group::{
        GenerationId, MemberId,
        consumer::{TaskInput, TopicPartition, Topics},
        membership::{
            Effect, ErrorCode, FetchedOffset, Input, Node, OffsetToCommit, RequestFailure,
        },
    },
};

use super::{Event, PATIENCE, World};
use crate::coordinator::ReplyTo;

impl World {
    pub(super) fn send(&mut self, of: usize, effect: Effect) {
        let Some(token) = token_of(&effect) else {
            return;
        };
        let to = ReplyTo {
            worker: of,
            process: 0,
            token,
        };
        if let Some(task) = self.tasks.get_mut(of) {
            task.waiting.insert(token);
        }
        let patience = match effect {
            Effect::Join { .. } => PATIENCE + 35_000,
            _ => PATIENCE,
        };
        if let Some(failed) = failure(&effect, RequestFailure::Unknown) {
            self.queue.after(
                patience,
                Event::Reply {
                    to,
                    input: Box::new(failed),
                },
            );
        }
        if self.loses(20) {
            self.report.seen("requests of sinks lost");
            return;
        }
        let delay = self.rng.between(1, 20);
        self.queue.after(
            delay,
            Event::Arrive {
                to,
                effect: Box::new(effect),
            },
        );
    }

    pub(super) fn arrive(&mut self, to: ReplyTo, effect: Effect) {
        let (now, token, mut replies) = (self.queue.now, to.token, Vec::new());
        self.coordinator.tick(now, &mut replies);
        match effect {
            Effect::FindCoordinator { .. } => {
                let node = Node {
                    id: 1,
                    host: "b".to_owned(),
                    port: 1,
                };
                replies.push((
                    to,
                    Input::CoordinatorFound {
                        token,
                        result: Ok(node),
                    },
                ));
            }
            Effect::Join { request, .. } => self.coordinator.join(now, request, to, &mut replies),
            Effect::Sync {
                generation,
                member,
                assignments,
                ..
            } => self
                .coordinator
                .sync(now, &member, generation, assignments, to, &mut replies),
            Effect::Heartbeat {
                generation, member, ..
            } => {
                let result = self.coordinator.heartbeat(now, &member, generation);
                replies.push((to, Input::HeartbeatAnswered { token, result }));
            }
            Effect::Leave { member, .. } => {
                let result = self.coordinator.leave(now, &member, &mut replies);
                replies.push((to, Input::LeaveAnswered { token, result }));
            }
            Effect::Commit {
                generation,
                member,
                offsets,
                ..
            } => {
                let result = Ok(self.commits(generation, &member, offsets));
                replies.push((to, Input::CommitAnswered { token, result }));
            }
            Effect::Fetch { partitions, .. } => {
                let offset = |partition: TopicPartition| {
                    let key = (Arc::clone(&partition.topic), partition.partition);
                    let offset = self.committed.get(&key).copied();
                    let found = FetchedOffset {
                        offset,
                        ..FetchedOffset::default()
                    };
                    (partition, Ok(found))
                };
                let result = Ok(partitions.into_iter().map(offset).collect());
                replies.push((to, Input::FetchAnswered { token, result }));
            }
            _ => {}
        }
        self.answer(replies);
    }

    /// OffsetCommit: only of a member, in its generation.
    fn commits(
        &mut self,
        generation: GenerationId,
        member: &MemberId,
        offsets: Vec<OffsetToCommit>,
    ) -> Vec<(TopicPartition, ErrorCode)> {
        let code = self
            .coordinator
            .commit_code(self.queue.now, member, generation);
        let mut codes = Vec::with_capacity(offsets.len());
        for commit in offsets {
            if code == ErrorCode::NONE {
                let key = (
                    Arc::clone(&commit.partition.topic),
                    commit.partition.partition,
                );
                let written = self.written.get(&key).copied().unwrap_or(0);
                if commit.offset > written {
                    let text = format!(
                        "{key:?}: {} is committed, the target has {written}",
                        commit.offset
                    );
                    self.report.broken("SinkNeverAhead", self.queue.now, text);
                }
                let before = self.committed.insert(key, commit.offset).unwrap_or(0);
                if commit.offset < before {
                    self.report.seen("commits of sinks set back");
                }
                self.report.seen("commits of sinks");
            } else {
                self.report.seen("commits of sinks refused");
            }
            codes.push((commit.partition, code));
        }
        codes
    }

    pub(super) fn answer(&mut self, replies: Vec<(ReplyTo, Input)>) {
        for (to, input) in replies {
            if self.loses(15) {
                self.report.seen("answers to sinks lost");
                continue;
            }
            let delay = self.rng.between(1, 20);
            self.queue.after(
                delay,
                Event::Reply {
                    to,
                    input: Box::new(input),
                },
            );
        }
        if let Some(at) = self.coordinator.deadline() {
            let wait = at.saturating_sub(self.queue.now).max(1);
            let (now, at) = (self.queue.now, self.queue.now + wait);
            if self.coordinates_at <= now || at < self.coordinates_at {
                self.coordinates_at = at;
                self.queue.after(wait, Event::Coordinator);
            }
        }
    }

    pub(super) fn reply(&mut self, to: ReplyTo, input: Input) {
        if let Some(rest) = self.frozen(to.worker) {
            self.queue.after(
                rest,
                Event::Reply {
                    to,
                    input: Box::new(input),
                },
            );
            return;
        }
        let Some(task) = self.tasks.get_mut(to.worker) else {
            return;
        };
        if task.waiting.remove(&to.token) {
            self.report.mix(self.queue.now ^ (to.worker as u64) << 40);
            self.tell(to.worker, TaskInput::Membership(input));
        }
    }
}

pub(super) fn counted(token: Token, topics: &Topics) -> TaskInput {
    TaskInput::Counted {
        token,
        topics: Some(topics.clone()),
    }
}

const fn token_of(effect: &Effect) -> Option<Token> {
    match effect {
        Effect::FindCoordinator { token }
        | Effect::Join { token, .. }
        | Effect::Sync { token, .. }
        | Effect::Heartbeat { token, .. }
        | Effect::Leave { token, .. }
        | Effect::Commit { token, .. }
        | Effect::Fetch { token, .. } => Some(*token),
        _ => None,
    }
}

fn failure(effect: &Effect, failure: RequestFailure) -> Option<Input> {
    let token = token_of(effect)?;
    Some(match effect {
        Effect::FindCoordinator { .. } => Input::CoordinatorFound {
            token,
            result: Err(failure),
        },
        Effect::Join { .. } => Input::Joined {
            token,
            result: Err(failure),
        },
        Effect::Sync { .. } => Input::Synced {
            token,
            result: Err(failure),
        },
        Effect::Heartbeat { .. } => Input::HeartbeatAnswered {
            token,
            result: Err(failure),
        },
        Effect::Leave { .. } => Input::LeaveAnswered {
            token,
            result: Err(failure),
        },
        Effect::Commit { .. } => Input::CommitAnswered {
            token,
            result: Err(failure),
        },
        _ => Input::FetchAnswered {
            token,
            result: Err(failure),
        },
    })
}
