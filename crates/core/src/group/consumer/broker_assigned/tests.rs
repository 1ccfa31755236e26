//! One member, step by step; the test plays the task and the coordinator.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::*;
use crate::{
    effect::{Effects, Token},
    group::{
        MemberId,
        consumer::{TaskEvent, TaskInput, TopicPartition},
        membership::{
            CommitFailure, ErrorCode, FetchFailure, FetchedOffset, Input, LossReason, Node,
            OffsetToCommit, RequestFailure, RequestId,
        },
    },
    time::Now,
};

const INTERVAL: Duration = Duration::from_secs(5);
const REBALANCE: Duration = Duration::from_secs(300);

fn id(name: &str) -> TopicId {
    let mut id = [0; 16];
    id[..name.len()].copy_from_slice(name.as_bytes());
    TopicId(id)
}

fn tps(list: &[(&str, i32)]) -> TopicPartitions {
    let mut all = TopicPartitions::new();
    for (topic, partition) in list {
        all.entry(id(topic)).or_default().insert(*partition);
    }
    all
}

fn names(list: &[(&str, i32)]) -> BTreeSet<TopicPartition> {
    list.iter()
        .map(|(t, p)| TopicPartition::new(*t, *p))
        .collect()
}

fn topics(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|topic| (*topic).to_owned()).collect()
}

/// A member with what it has asked for since the last look.
struct World {
    member: BrokerAssigned,
    now: Now,
    events: Vec<TaskEvent>,
    requests: Vec<GroupRequest>,
}

impl World {
    fn with(instance: Option<&str>) -> Self {
        let settings = BrokerAssignedSettings {
            member: MemberId::from("m"),
            instance: instance.map(str::to_owned),
            rack: Some("r".to_owned()),
            assignor: Some("uniform".to_owned()),
            rebalance_timeout: REBALANCE,
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
        };
        Self {
            member: BrokerAssigned::new(settings),
            now: Now::from_millis(1000),
            events: Vec::new(),
            requests: Vec::new(),
        }
    }

    fn step(&mut self, input: MemberInput) {
        let mut out = Effects::new();
        self.member.step(self.now, input, &mut out);
        for output in out {
            match output {
                MemberOutput::Task(event) => self.events.push(event),
                MemberOutput::Request(request) => self.requests.push(request),
            }
        }
    }

    fn tell(&mut self, input: TaskInput) {
        self.step(MemberInput::Task(input));
    }

    fn answer(&mut self, answer: GroupAnswer) {
        self.step(MemberInput::Answer(answer));
    }

    fn after(&mut self, pause: Duration) {
        self.now = self.now + pause;
        self.tell(TaskInput::Tick);
    }

    fn find(&mut self) {
        let Some(GroupRequest::FindCoordinator { token }) = self.requests.pop() else {
            panic!("no search for the coordinator");
        };
        let result = Ok(Node {
            id: 1,
            host: "h".to_owned(),
            port: 9092,
        });
        self.answer(GroupAnswer::Coordinator { token, result });
    }

    fn heartbeat(&mut self) -> (Token, HeartbeatContent) {
        match self.requests.pop() {
            Some(GroupRequest::Heartbeat { token, content, .. }) => (token, content),
            other => panic!("no heartbeat but {other:?}"),
        }
    }

    fn beaten(&mut self, token: Token, epoch: i32, assignment: Option<&[(&str, i32)]>) {
        self.answer(GroupAnswer::Heartbeat {
            token,
            result: Ok(HeartbeatAnswer {
                member: Some(MemberId::from("m")),
                epoch,
                interval: INTERVAL,
                assignment: assignment.map(tps),
            }),
        });
    }

    fn refused(&mut self, token: Token, failure: RequestFailure) {
        let said = Some("because".to_owned());
        let result = Err(HeartbeatRefusal { failure, said });
        self.answer(GroupAnswer::Heartbeat { token, result });
    }

    fn name(&mut self, list: &[&str]) {
        let at = |r: &GroupRequest| matches!(r, GroupRequest::NameTopics { .. });
        let at = self.requests.iter().position(at).expect("a question");
        let GroupRequest::NameTopics { token, .. } = self.requests.remove(at) else {
            panic!();
        };
        let names: BTreeMap<TopicId, String> = list
            .iter()
            .map(|name| (id(name), (*name).to_owned()))
            .collect();
        self.answer(GroupAnswer::Topics {
            token,
            names: Some(names),
        });
    }

    fn event(&mut self) -> TaskEvent {
        assert_eq!(self.events.len(), 1, "{:?}", self.events);
        self.events.remove(0)
    }

    fn quiet(&self) {
        assert_eq!((&self.events, &self.requests), (&vec![], &vec![]));
    }

    /// A member of epoch 1 that holds t-0 and t-1; all is said.
    fn settled(instance: Option<&str>) -> Self {
        let mut world = Self::with(instance);
        world.tell(TaskInput::Subscribe {
            topics: topics(&["t"]),
        });
        world.find();
        let (token, _) = world.heartbeat();
        world.beaten(token, 1, Some(&[("t", 0), ("t", 1)]));
        world.events.clear();
        world.name(&["t"]);
        let (token, ack) = world.heartbeat();
        assert_eq!(ack.owned, Some(tps(&[("t", 0), ("t", 1)])));
        world.beaten(token, 1, None);
        world.events.clear();
        world.quiet();
        world
    }

    /// The next regular heartbeat brings this.
    fn hears(&mut self, epoch: i32, assignment: Option<&[(&str, i32)]>) {
        self.after(INTERVAL);
        let (token, _) = self.heartbeat();
        self.beaten(token, epoch, assignment);
    }

    fn commit(&mut self, number: u64) {
        self.tell(TaskInput::Membership(Input::Commit {
            request: RequestId(number),
            offsets: vec![OffsetToCommit {
                partition: TopicPartition::new("t", 0),
                offset: 7,
                leader_epoch: None,
                metadata: String::new(),
            }],
        }));
    }

    fn committed(&mut self, code: ErrorCode) -> i32 {
        let at = |r: &GroupRequest| matches!(r, GroupRequest::Commit { .. });
        let at = self.requests.iter().position(at).expect("a commit");
        let GroupRequest::Commit { token, epoch, .. } = self.requests.remove(at) else {
            panic!();
        };
        let result = Ok(vec![(TopicPartition::new("t", 0), code)]);
        self.answer(GroupAnswer::Committed { token, result });
        epoch
    }
}

#[test]
fn a_member_joins_with_everything_and_then_says_only_what_changed() {
    let mut world = World::with(None);
    world.tell(TaskInput::Subscribe {
        topics: topics(&["t"]),
    });
    world.find();
    let (token, join) = world.heartbeat();
    let wanted = HeartbeatContent {
        epoch: 0,
        instance: None,
        rack: Some("r".to_owned()),
        rebalance_timeout: Some(REBALANCE),
        topics: Some(topics(&["t"])),
        assignor: Some("uniform".to_owned()),
        owned: Some(TopicPartitions::new()),
    };
    assert_eq!(join, wanted);
    world.beaten(token, 3, Some(&[("t", 0)]));
    // Nothing is held before its name is known, and the task hears of the epoch.
    let TaskEvent::Assigned {
        generation, added, ..
    } = world.event()
    else {
        panic!();
    };
    assert_eq!((generation.0, added.len()), (3, 0));
    world.name(&["t"]);
    let TaskEvent::Assigned { added, all, .. } = world.event() else {
        panic!();
    };
    assert_eq!((added, all), (names(&[("t", 0)]), names(&[("t", 0)])));
    let (token, ack) = world.heartbeat();
    assert_eq!((ack.epoch, ack.owned), (3, Some(tps(&[("t", 0)]))));
    assert_eq!(
        (ack.topics, ack.rebalance_timeout, ack.rack),
        (None, None, None)
    );
    world.beaten(token, 3, None);
    world.quiet();
    world.after(INTERVAL);
    let (_, beat) = world.heartbeat();
    assert_eq!((beat.epoch, beat.owned, beat.topics), (3, None, None));
}

#[test]
fn what_is_revoked_is_given_back_before_it_is_said_and_before_anything_new_opens() {
    let mut world = World::settled(None);
    world.hears(1, Some(&[("t", 1), ("t", 2)]));
    let TaskEvent::Revoked {
        token,
        partitions,
        leaving: false,
    } = world.event()
    else {
        panic!();
    };
    assert_eq!(partitions, names(&[("t", 0)]));
    // The task takes its time: heartbeats go on and say nothing of it.
    world.after(INTERVAL);
    let (beat, content) = world.heartbeat();
    assert_eq!(content.owned, None);
    world.beaten(beat, 1, None);
    world.quiet();
    // Its last commit is in the old epoch.
    world.commit(1);
    assert_eq!(world.committed(ErrorCode::NONE), 1);
    assert_eq!(
        world.event(),
        TaskEvent::CommitDone {
            request: RequestId(1),
            result: Ok(())
        }
    );
    world.tell(TaskInput::Revoked { token });
    let TaskEvent::Assigned { added, all, .. } = world.event() else {
        panic!();
    };
    assert_eq!(added, names(&[("t", 2)]));
    assert_eq!(all, names(&[("t", 1), ("t", 2)]));
    let (token, ack) = world.heartbeat();
    assert_eq!(ack.owned, Some(tps(&[("t", 1), ("t", 2)])));
    world.beaten(token, 2, None);
    assert!(
        matches!(world.event(), TaskEvent::Assigned { generation, added, .. } if generation.0 == 2 && added.is_empty())
    );
}

#[test]
fn a_target_that_comes_while_the_task_gives_back_is_reached_afterwards() {
    let mut world = World::settled(None);
    world.hears(1, Some(&[("t", 1)]));
    let TaskEvent::Revoked { token, .. } = world.event() else {
        panic!();
    };
    // Now it gives back everything.
    world.hears(1, Some(&[]));
    world.quiet();
    world.tell(TaskInput::Revoked { token });
    let TaskEvent::Revoked {
        token, partitions, ..
    } = world.event()
    else {
        panic!();
    };
    assert_eq!(partitions, names(&[("t", 1)]));
    let (beat, ack) = world.heartbeat();
    assert_eq!(ack.owned, Some(tps(&[("t", 1)])));
    world.tell(TaskInput::Revoked { token });
    world.beaten(beat, 1, None);
    let (_, ack) = world.heartbeat();
    assert_eq!(ack.owned, Some(TopicPartitions::new()));
}

#[test]
fn another_topic_of_the_same_name_is_another_partition() {
    let mut world = World::settled(None);
    world.hears(2, Some(&[("new", 0)]));
    let TaskEvent::Revoked { token, .. } = world.event() else {
        panic!();
    };
    world.tell(TaskInput::Revoked { token });
    let at = |r: &GroupRequest| matches!(r, GroupRequest::NameTopics { .. });
    let at = world.requests.iter().position(at).unwrap();
    let GroupRequest::NameTopics { token, .. } = world.requests.remove(at) else {
        panic!();
    };
    world.events.clear();
    let names_now = Some(BTreeMap::from([(id("new"), "t".to_owned())]));
    world.answer(GroupAnswer::Topics {
        token,
        names: names_now,
    });
    assert!(
        matches!(world.event(), TaskEvent::Assigned { added, .. } if added == names(&[("t", 0)]))
    );
}

#[test]
fn a_topic_that_is_not_known_yet_is_asked_for_again() {
    let mut world = World::settled(None);
    world.hears(2, Some(&[("t", 0), ("t", 1), ("u", 0)]));
    world.events.clear();
    world.name(&["t"]);
    world.quiet();
    world.after(Duration::from_secs(1));
    world.name(&["t", "u"]);
    assert!(
        matches!(world.event(), TaskEvent::Assigned { added, .. } if added == names(&[("u", 0)]))
    );
}

#[test]
fn a_member_that_is_unknown_or_fenced_loses_everything_and_joins_anew() {
    for code in [
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::GROUP_ID_NOT_FOUND,
        ErrorCode::FENCED_MEMBER_EPOCH,
    ] {
        let mut world = World::settled(None);
        world.after(INTERVAL);
        let (token, _) = world.heartbeat();
        world.refused(token, RequestFailure::Code(code));
        let TaskEvent::Lost {
            token: Some(token),
            reason: Some(LossReason::Dropped),
            partitions,
        } = world.event()
        else {
            panic!();
        };
        assert_eq!(partitions, names(&[("t", 0), ("t", 1)]));
        // What it held may be somebody else's.
        world.commit(1);
        assert!(matches!(
            world.event(),
            TaskEvent::CommitDone {
                result: Err(CommitFailure::Rejoin),
                ..
            }
        ));
        world.tell(TaskInput::Stopped { token });
        world.quiet();
        world.after(Duration::from_millis(100));
        let (_, join) = world.heartbeat();
        assert_eq!((join.epoch, join.owned), (0, Some(TopicPartitions::new())));
    }
}

#[test]
fn who_may_not_even_join_anew_leaves_first() {
    let mut world = World::with(None);
    world.tell(TaskInput::Subscribe {
        topics: topics(&["t"]),
    });
    world.find();
    let (token, _) = world.heartbeat();
    world.refused(token, RequestFailure::Code(ErrorCode::FENCED_MEMBER_EPOCH));
    let (token, goodbye) = world.heartbeat();
    assert_eq!(
        (goodbye.epoch, goodbye.owned),
        (-1, Some(TopicPartitions::new()))
    );
    world.refused(token, RequestFailure::Code(ErrorCode::UNKNOWN_MEMBER_ID));
    world.quiet();
    world.after(Duration::from_millis(100));
    assert_eq!(world.heartbeat().1.epoch, 0);
}

#[test]
fn after_a_failure_everything_is_said_again() {
    let mut world = World::settled(None);
    world.after(INTERVAL);
    let (token, _) = world.heartbeat();
    world.refused(token, RequestFailure::Unknown);
    world.find();
    world.after(Duration::from_millis(100));
    let (token, again) = world.heartbeat();
    assert_eq!(again.owned, Some(tps(&[("t", 0), ("t", 1)])));
    assert_eq!(again.topics, Some(topics(&["t"])));
    // The coordinator has moved, and then reads its log.
    world.refused(token, RequestFailure::Code(ErrorCode::NOT_COORDINATOR));
    world.find();
    world.after(Duration::from_millis(200));
    let (token, _) = world.heartbeat();
    world.refused(
        token,
        RequestFailure::Code(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
    );
    world.after(Duration::from_millis(400));
    world.heartbeat();
    assert_eq!(world.events, vec![]);
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
    let mut world = World::settled(None);
    world.after(INTERVAL);
    let (late, _) = world.heartbeat();
    world.after(INTERVAL);
    let (token, again) = world.heartbeat();
    assert!(again.owned.is_some());
    world.beaten(late, 9, Some(&[]));
    world.quiet();
    world.beaten(token, 1, None);
    world.quiet();
}

#[test]
fn a_member_that_is_not_confirmed_stops_by_itself() {
    let mut world = World::settled(None);
    let fence = world.member.fence_at().unwrap();
    assert_eq!(fence - world.now, INTERVAL * 6);
    world.now = fence;
    world.tell(TaskInput::Tick);
    let TaskEvent::Lost {
        token: Some(token),
        reason: Some(LossReason::SessionLapsed),
        ..
    } = world.event()
    else {
        panic!();
    };
    world.requests.clear();
    world.tell(TaskInput::Stopped { token });
    world.find();
    world.after(Duration::from_millis(100));
    assert_eq!(world.heartbeat().1.epoch, 0);
}

#[test]
fn a_static_member_leaves_its_place_before_it_takes_it_again() {
    let mut world = World::settled(Some("i"));
    world.now = world.member.fence_at().unwrap();
    world.tell(TaskInput::Tick);
    let TaskEvent::Lost {
        token: Some(token), ..
    } = world.event()
    else {
        panic!();
    };
    world.requests.clear();
    world.tell(TaskInput::Stopped { token });
    world.find();
    let (token, goodbye) = world.heartbeat();
    assert_eq!(goodbye.epoch, -2);
    world.beaten(token, -2, None);
    world.after(Duration::from_millis(100));
    assert_eq!(world.heartbeat().1.epoch, 0);
}

#[test]
fn who_gives_back_too_late_is_fenced_although_it_beats() {
    let mut world = World::settled(None);
    world.hears(1, Some(&[]));
    let since = world.now;
    world.events.clear();
    while world.now - since < REBALANCE - INTERVAL {
        world.tell(TaskInput::Polled);
        world.after(INTERVAL);
        let (token, _) = world.heartbeat();
        world.beaten(token, 1, None);
    }
    world.quiet();
    world.after(INTERVAL);
    assert!(matches!(
        world.event(),
        TaskEvent::Lost {
            reason: Some(LossReason::SessionLapsed),
            ..
        }
    ));
}

#[test]
fn a_task_that_does_not_poll_gives_its_place_away_until_it_does() {
    let mut world = World::settled(None);
    let begun = world.now;
    while world.now - begun < REBALANCE - INTERVAL {
        world.hears(1, None);
    }
    world.after(INTERVAL);
    let TaskEvent::Lost {
        token: Some(token),
        reason: Some(LossReason::PollTimeout),
        ..
    } = world.event()
    else {
        panic!();
    };
    world.requests.clear();
    world.tell(TaskInput::Stopped { token });
    let (token, goodbye) = world.heartbeat();
    assert_eq!(goodbye.epoch, -1);
    world.beaten(token, -1, None);
    world.quiet();
    world.tell(TaskInput::Polled);
    assert_eq!(world.heartbeat().1.epoch, 0);
}

#[test]
fn who_leaves_gives_back_first_and_keeps_its_epoch_until_then() {
    for (instance, last) in [(None, -1), (Some("i"), -2)] {
        let mut world = World::settled(instance);
        world.tell(TaskInput::Leave {
            reason: String::new(),
        });
        let TaskEvent::Revoked {
            token,
            leaving: true,
            ..
        } = world.event()
        else {
            panic!();
        };
        world.commit(1);
        assert_eq!(world.committed(ErrorCode::NONE), 1);
        world.events.clear();
        world.hears(1, None);
        world.tell(TaskInput::Stopped { token });
        let (token, goodbye) = world.heartbeat();
        assert_eq!(goodbye.epoch, last);
        assert_eq!(goodbye.instance.as_deref(), instance);
        world.beaten(token, last, None);
        assert_eq!(world.event(), TaskEvent::Left);
        world.after(INTERVAL * 10);
        world.quiet();
    }
}

#[test]
fn who_was_never_known_leaves_without_a_word() {
    let mut world = World::with(None);
    world.tell(TaskInput::Subscribe {
        topics: topics(&["t"]),
    });
    world.tell(TaskInput::Leave {
        reason: String::new(),
    });
    assert_eq!(world.event(), TaskEvent::Left);
}

#[test]
fn what_cannot_get_better_fails_with_the_brokers_words() {
    for code in [
        ErrorCode::UNSUPPORTED_VERSION,
        ErrorCode::UNSUPPORTED_ASSIGNOR,
        ErrorCode::UNRELEASED_INSTANCE_ID,
        ErrorCode::FENCED_INSTANCE_ID,
        ErrorCode::GROUP_MAX_SIZE_REACHED,
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ErrorCode(128),
    ] {
        let mut world = World::with(None);
        world.tell(TaskInput::Subscribe {
            topics: topics(&["t"]),
        });
        world.find();
        let (token, _) = world.heartbeat();
        world.refused(token, RequestFailure::Code(code));
        let TaskEvent::Lost {
            token: Some(token), ..
        } = world.event()
        else {
            panic!();
        };
        world.tell(TaskInput::Stopped { token });
        let said = Some("because".to_owned());
        assert_eq!(world.event(), TaskEvent::Failed { error: code, said });
    }
}

#[test]
fn another_subscription_is_said_at_once() {
    let mut world = World::settled(None);
    world.tell(TaskInput::Subscribe {
        topics: topics(&["t", "u"]),
    });
    let (token, beat) = world.heartbeat();
    assert_eq!((beat.topics, beat.owned), (Some(topics(&["t", "u"])), None));
    world.beaten(token, 1, None);
    world.quiet();
}

#[test]
fn a_commit_that_is_behind_waits_for_the_epoch_and_is_sent_again() {
    let mut world = World::settled(None);
    world.commit(1);
    assert_eq!(world.committed(ErrorCode::STALE_MEMBER_EPOCH), 1);
    // The heartbeat that tells us goes at once.
    let (token, beat) = world.heartbeat();
    assert!(beat.owned.is_some());
    assert_eq!(world.events, vec![]);
    world.beaten(token, 2, None);
    world.events.clear();
    assert_eq!(world.committed(ErrorCode::NONE), 2);
    assert_eq!(
        world.event(),
        TaskEvent::CommitDone {
            request: RequestId(1),
            result: Ok(())
        }
    );
    // Fenced meanwhile: it was not ours to commit.
    world.commit(2);
    world.committed(ErrorCode::STALE_MEMBER_EPOCH);
    let (token, _) = world.heartbeat();
    world.refused(token, RequestFailure::Code(ErrorCode::FENCED_MEMBER_EPOCH));
    let done = TaskEvent::CommitDone {
        request: RequestId(2),
        result: Err(CommitFailure::Rejoin),
    };
    assert!(world.events.contains(&done));
}

#[test]
fn offsets_are_fetched_in_our_epoch() {
    let mut world = World::settled(None);
    for (code, wanted) in [
        (
            None,
            Ok(vec![(
                TopicPartition::new("t", 0),
                FetchedOffset::default(),
            )]),
        ),
        (
            Some(ErrorCode::STALE_MEMBER_EPOCH),
            Err(FetchFailure::Retriable(RequestFailure::Code(
                ErrorCode::STALE_MEMBER_EPOCH,
            ))),
        ),
        (
            Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
            Err(FetchFailure::Fatal(ErrorCode::TOPIC_AUTHORIZATION_FAILED)),
        ),
    ] {
        world.requests.clear();
        world.tell(TaskInput::Membership(Input::Fetch {
            request: RequestId(5),
            partitions: vec![TopicPartition::new("t", 0)],
        }));
        let Some(GroupRequest::Fetch {
            token, epoch: 1, ..
        }) = world.requests.pop()
        else {
            panic!();
        };
        let answer = code.map_or_else(|| Ok(FetchedOffset::default()), Err);
        let result = Ok(vec![(TopicPartition::new("t", 0), answer)]);
        world.answer(GroupAnswer::Fetched { token, result });
        let request = RequestId(5);
        assert_eq!(
            world.event(),
            TaskEvent::FetchDone {
                request,
                result: wanted
            }
        );
    }
}

#[test]
fn an_answer_that_slept_longer_than_the_session_counts_for_nothing() {
    let mut world = World::with(None);
    world.tell(TaskInput::Subscribe {
        topics: topics(&["t"]),
    });
    world.find();
    let (token, _) = world.heartbeat();
    world.now = world.now + INTERVAL * 7;
    world.tell(TaskInput::Polled);
    world.requests.clear();
    world.beaten(token, 1, Some(&[("t", 0)]));
    assert_eq!(world.events, vec![]);
}
