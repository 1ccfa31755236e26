use super::*;
use crate::{
    effect::{Effects, Token},
    group::{GenerationId, MemberId, consumer::TopicPartition},
    time::Now,
};

/// A membership whose owner answers at once, offering one protocol and holding what it was assigned.
struct Member {
    machine: Membership,
    now: u64,
    holding: bool,
    seen: Vec<Effect>,
}

impl Member {
    fn new() -> Self {
        let machine = Membership::new(Settings::connect());
        Self {
            machine,
            now: 1_000,
            holding: false,
            seen: Vec::new(),
        }
    }

    fn step(&mut self, input: Input) -> &[Effect] {
        let mut effects = Effects::new();
        self.machine
            .step(Now::from_millis(self.now), input, &mut effects);
        self.seen = effects.into_iter().collect();
        &self.seen
    }

    fn at(&mut self, millis: u64) -> &mut Self {
        self.now = millis;
        self
    }

    fn token(&self, wanted: fn(&Effect) -> Option<Token>) -> Token {
        self.seen
            .iter()
            .find_map(wanted)
            .unwrap_or_else(|| panic!("not in {:?}", self.seen))
    }

    fn prepared(&mut self, token: Token) {
        let protocols = vec![OfferedProtocol {
            name: "sessioned".into(),
            metadata: vec![1],
        }];
        let holding = self.holding;
        self.step(Input::Prepared {
            token,
            protocols,
            holding,
        });
    }

    fn found(&mut self, token: Token) {
        let node = Node {
            id: 1,
            host: "b".into(),
            port: 9092,
        };
        self.step(Input::CoordinatorFound {
            token,
            result: Ok(node),
        });
    }

    /// From JoinGroup on its way to a stable generation, as a follower.
    fn finish(&mut self, generation: i32) {
        let token = self.token(join);
        self.step(Input::Joined {
            token,
            result: Ok(joined(generation, "m2", "m1")),
        });
        let token = self.token(sync);
        self.step(Input::Synced {
            token,
            result: Ok(vec![9]),
        });
        self.holding = true;
        assert!(
            matches!(self.seen.first(), Some(Effect::Assigned { .. })),
            "{:?}",
            self.seen
        );
    }

    fn stable() -> Self {
        let mut member = Self::new();
        member.step(Input::Join);
        let (prepare, find) = (member.token(prepare), member.token(find));
        member.prepared(prepare);
        member.found(find);
        member.finish(1);
        member
    }

    /// Beats once at this moment and gives the answer at once.
    fn beat(&mut self, millis: u64, result: Result<(), RequestFailure>) -> &[Effect] {
        self.at(millis).step(Input::Tick);
        let token = self.token(heartbeat);
        self.step(Input::HeartbeatAnswered { token, result })
    }
}

fn joined(generation: i32, member: &str, leader: &str) -> JoinAnswer {
    JoinAnswer::Joined {
        generation: GenerationId(generation),
        protocol: "sessioned".into(),
        leader: leader.into(),
        member: member.into(),
        members: Vec::new(),
    }
}

fn code(code: ErrorCode) -> RequestFailure {
    RequestFailure::Code(code)
}

fn prepare(effect: &Effect) -> Option<Token> {
    if let Effect::Prepare { token, .. } = effect {
        Some(*token)
    } else {
        None
    }
}
fn find(effect: &Effect) -> Option<Token> {
    if let Effect::FindCoordinator { token } = effect {
        Some(*token)
    } else {
        None
    }
}
fn join(effect: &Effect) -> Option<Token> {
    if let Effect::Join { token, .. } = effect {
        Some(*token)
    } else {
        None
    }
}
fn sync(effect: &Effect) -> Option<Token> {
    if let Effect::Sync { token, .. } = effect {
        Some(*token)
    } else {
        None
    }
}
fn heartbeat(effect: &Effect) -> Option<Token> {
    if let Effect::Heartbeat { token, .. } = effect {
        Some(*token)
    } else {
        None
    }
}
fn lost(effect: &Effect) -> Option<Token> {
    if let Effect::Lost { token, .. } = effect {
        Some(*token)
    } else {
        None
    }
}

#[test]
fn the_first_join_takes_the_id_the_coordinator_requires() {
    let mut member = Member::new();
    member.step(Input::Join);
    let (first, coordinator) = (member.token(prepare), member.token(find));
    member.prepared(first);
    member.found(coordinator);
    let token = member.token(join);
    let answer = Ok(JoinAnswer::MemberIdRequired("m2".into()));
    member.step(Input::Joined {
        token,
        result: answer,
    });
    let again = member.token(prepare);
    member.prepared(again);
    let Some(Effect::Join { request, .. }) = member.seen.first() else {
        panic!("no join")
    };
    assert_eq!(request.member, Some("m2".into()));
    member.finish(1);
    assert_eq!(member.machine.stable_member(), Some(&"m2".into()));
}

#[test]
fn a_leader_is_asked_to_assign_and_sends_what_it_said() {
    let mut member = Member::new();
    member.step(Input::Join);
    let (first, coordinator) = (member.token(prepare), member.token(find));
    member.prepared(first);
    member.found(coordinator);
    let token = member.token(join);
    member.step(Input::Joined {
        token,
        result: Ok(joined(4, "m1", "m1")),
    });
    let Some(Effect::Assign {
        token, generation, ..
    }) = member.seen.first()
    else {
        panic!()
    };
    assert_eq!(*generation, GenerationId(4));
    let shares: Vec<(MemberId, Vec<u8>)> = vec![("m1".into(), vec![7])];
    let token = *token;
    member.step(Input::Computed {
        token,
        assignments: Some(shares.clone()),
    });
    let Some(Effect::Sync { assignments, .. }) = member.seen.first() else {
        panic!()
    };
    assert_eq!(*assignments, shares);
}

#[test]
fn everything_stops_two_thirds_of_a_session_after_the_last_confirmed_heartbeat_was_sent() {
    let mut member = Member::stable();
    member.at(4_000).step(Input::Tick);
    let token = member.token(heartbeat);
    // Confirmed two seconds later: what counts is when it was sent.
    member.at(6_000).step(Input::HeartbeatAnswered {
        token,
        result: Ok(()),
    });
    assert_eq!(
        member.machine.fence_at(),
        Some(Now::from_millis(4_000) + Settings::connect().fence_after())
    );
    assert_eq!(
        member.at(10_666).step(Input::Tick).iter().find_map(lost),
        None
    );
    assert!(matches!(
        member.at(10_667).step(Input::Tick),
        [Effect::Lost {
            reason: LossReason::SessionLapsed,
            ..
        }]
    ));
    assert_eq!(member.machine.fence_at(), None);
    // The next round begins when everything has stopped, with the id the coordinator may still know.
    let token = member.token(lost);
    let effects = member.step(Input::Stopped { token });
    assert!(matches!(
        effects,
        [
            Effect::Prepare {
                generation: None,
                member: Some(_),
                ..
            },
            ..
        ]
    ));
}

#[test]
fn after_a_pause_of_the_process_the_fence_comes_before_anything_the_input_asks_for() {
    let mut member = Member::stable();
    member.at(4_000).step(Input::Tick);
    let token = member.token(heartbeat);
    // The answer waited in the socket while the process was stopped.
    let effects = member.at(60_000).step(Input::HeartbeatAnswered {
        token,
        result: Ok(()),
    });
    assert!(matches!(
        effects.first(),
        Some(Effect::Lost {
            reason: LossReason::SessionLapsed,
            ..
        })
    ));
}

#[test]
fn an_assignment_that_slept_on_its_way_is_not_taken() {
    let mut member = Member::new();
    member.step(Input::Join);
    let (first, coordinator) = (member.token(prepare), member.token(find));
    member.prepared(first);
    member.found(coordinator);
    let token = member.token(join);
    member.step(Input::Joined {
        token,
        result: Ok(joined(1, "m2", "m1")),
    });
    let token = member.token(sync);
    let effects = member.at(30_000).step(Input::Synced {
        token,
        result: Ok(vec![9]),
    });
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Assigned { .. }))
    );
}

#[test]
fn one_lost_heartbeat_does_not_cost_the_session() {
    let mut member = Member::stable();
    member.at(4_000).step(Input::Tick);
    assert!(
        member
            .at(7_000)
            .step(Input::Tick)
            .iter()
            .any(|e| heartbeat(e).is_some())
    );
    let token = member.token(heartbeat);
    member.step(Input::HeartbeatAnswered {
        token,
        result: Ok(()),
    });
    assert_eq!(
        member.at(9_900).step(Input::Tick).iter().find_map(lost),
        None
    );
}

#[test]
fn heartbeats_come_quickly_after_a_round_and_slow_down_to_the_interval() {
    let mut member = Member::stable();
    let mut sent = Vec::new();
    // The first one, sent with the answer to the join, is lost.
    for millis in (1_000..16_000).step_by(125) {
        let beat = member
            .at(millis)
            .step(Input::Tick)
            .iter()
            .find_map(heartbeat);
        if let Some(token) = beat {
            sent.push(millis);
            member.step(Input::HeartbeatAnswered {
                token,
                result: Ok(()),
            });
        }
    }
    let pauses: Vec<u64> = sent.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(
        pauses.starts_with(&[750, 1_500, 3_000, 3_000]),
        "{pauses:?}"
    );
}

#[test]
fn a_heartbeat_without_answer_is_followed_by_no_other_before_the_interval() {
    let mut member = Member::stable();
    let mut sent = Vec::new();
    for millis in (1_000..8_000).step_by(125) {
        let beat = member.at(millis).step(Input::Tick);
        if beat.iter().any(|effect| heartbeat(effect).is_some()) {
            sent.push(millis);
        }
    }
    assert!(
        sent.windows(2).all(|two| two[1] - two[0] >= 3_000),
        "{sent:?}"
    );
}

#[test]
fn heartbeats_go_on_while_the_group_rebalances_and_keep_the_session() {
    let mut member = Member::stable();
    let rebalancing = Err(code(ErrorCode::REBALANCE_IN_PROGRESS));
    member.beat(4_000, rebalancing);
    let token = member.token(prepare);
    member.prepared(token);
    let waiting = member.token(join);
    for second in [7, 10, 13, 16, 19] {
        member.beat(second * 1_000, rebalancing);
        assert_eq!(member.seen.iter().find_map(lost), None);
    }
    member.step(Input::Joined {
        token: waiting,
        result: Ok(joined(2, "m2", "m1")),
    });
    let token = member.token(sync);
    member.step(Input::Synced {
        token,
        result: Ok(vec![9]),
    });
    assert!(matches!(
        member.seen.first(),
        Some(Effect::Assigned {
            generation: GenerationId(2),
            ..
        })
    ));
}

#[test]
fn a_join_whose_answer_was_lost_is_sent_again() {
    let mut member = Member::stable();
    member.beat(4_000, Err(code(ErrorCode::REBALANCE_IN_PROGRESS)));
    let token = member.token(prepare);
    member.prepared(token);
    member.beat(7_000, Err(code(ErrorCode::ILLEGAL_GENERATION)));
    assert_eq!(member.seen.iter().find_map(prepare), None);
    member.beat(10_000, Err(code(ErrorCode::ILLEGAL_GENERATION)));
    let effects = member.at(10_100).step(Input::Tick);
    assert!(
        effects.iter().any(|effect| prepare(effect).is_some()),
        "{effects:?}"
    );
}

#[test]
fn a_member_the_coordinator_dropped_stops_before_it_joins_as_a_new_one() {
    let mut member = Member::stable();
    let effects = member.beat(4_000, Err(code(ErrorCode::UNKNOWN_MEMBER_ID)));
    assert!(matches!(
        effects,
        [Effect::Lost {
            reason: LossReason::Dropped,
            ..
        }]
    ));
    let token = member.token(lost);
    assert!(matches!(
        member.at(5_000).step(Input::Stopped { token }),
        [Effect::Prepare {
            generation: None,
            member: None,
            ..
        }]
    ));
}

#[test]
fn a_lost_generation_is_told_to_the_owner_and_the_id_kept() {
    let mut member = Member::stable();
    member.beat(4_000, Err(code(ErrorCode::ILLEGAL_GENERATION)));
    let effects = member.at(4_100).step(Input::Tick);
    assert!(matches!(
        effects,
        [Effect::Prepare {
            generation: None,
            member: Some(_),
            ..
        }]
    ));
}

#[test]
fn a_coordinator_that_moved_is_looked_up_and_the_work_goes_on() {
    let mut member = Member::stable();
    member.beat(4_000, Err(code(ErrorCode::NOT_COORDINATOR)));
    let token = member.token(find);
    assert_eq!(member.machine.stable_member(), Some(&"m2".into()));
    member.found(token);
    member.token(heartbeat);
}

#[test]
fn an_owner_that_does_not_poll_loses_its_work_and_joins_again_when_it_polls() {
    let mut member = Member::stable();
    for second in (4..=58).step_by(3) {
        member.beat(second * 1_000, Ok(()));
    }
    let effects = member.at(61_000).step(Input::Tick);
    assert!(matches!(
        effects,
        [Effect::Lost {
            reason: LossReason::PollTimeout,
            ..
        }]
    ));
    let token = member.token(lost);
    assert!(member.at(62_000).step(Input::Stopped { token }).is_empty());
    let effects = member.at(90_000).step(Input::Polled);
    assert!(matches!(effects.first(), Some(Effect::Prepare { .. })));
}

#[test]
fn leaving_stops_first_beats_meanwhile_and_says_goodbye_last() {
    let mut member = Member::stable();
    member.at(2_000).step(Input::Leave {
        reason: "stop".into(),
    });
    assert!(matches!(
        &*member.seen,
        [
            Effect::Lost {
                reason: LossReason::Leaving,
                ..
            },
            ..
        ]
    ));
    let stopping = member.token(lost);
    member.at(5_000).step(Input::Tick);
    member.token(heartbeat);
    assert!(matches!(
        member.step(Input::Stopped { token: stopping }),
        [Effect::Leave { .. }]
    ));
    let Some(Effect::Leave { token, .. }) = member.seen.first() else {
        panic!()
    };
    let token = *token;
    assert_eq!(
        member.step(Input::LeaveAnswered {
            token,
            result: Ok(())
        }),
        [Effect::Left]
    );
    assert_eq!(member.machine.deadline(), None);
}

#[test]
fn a_group_that_cannot_be_used_is_reported_and_tried_again_only_when_asked() {
    let mut member = Member::new();
    member.step(Input::Join);
    let (first, coordinator) = (member.token(prepare), member.token(find));
    member.prepared(first);
    member.found(coordinator);
    let token = member.token(join);
    member.step(Input::Joined {
        token,
        result: Err(code(ErrorCode::GROUP_MAX_SIZE_REACHED)),
    });
    let token = member.token(lost);
    let error = ErrorCode::GROUP_MAX_SIZE_REACHED;
    assert_eq!(
        member.step(Input::Stopped { token }),
        [Effect::Failed { error }]
    );
    assert_eq!(member.machine.deadline(), None);
    assert!(matches!(
        member.step(Input::Join).first(),
        Some(Effect::Prepare { .. })
    ));
}

#[test]
fn a_failed_round_backs_off_and_begins_with_fresh_metadata() {
    let mut member = Member::new();
    member.step(Input::Join);
    let (first, coordinator) = (member.token(prepare), member.token(find));
    member.prepared(first);
    member.found(coordinator);
    for pause in [100, 200, 400, 800, 1_000, 1_000] {
        let token = member.token(join);
        let loading = Err(code(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        assert!(
            member
                .step(Input::Joined {
                    token,
                    result: loading
                })
                .is_empty()
        );
        assert_eq!(
            member.machine.deadline(),
            Some(Now::from_millis(member.now + pause))
        );
        let later = member.now + pause;
        member.at(later).step(Input::Tick);
        let token = member.token(prepare);
        member.prepared(token);
    }
}

#[test]
fn commits_carry_the_generation_and_their_errors_are_told_apart() {
    let mut member = Member::stable();
    let offset = OffsetToCommit {
        partition: TopicPartition::new("t", 0),
        offset: 5,
        leader_epoch: None,
        metadata: String::new(),
    };
    for (answer, expected) in [
        (ErrorCode::NONE, Ok(())),
        (
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            Err(CommitFailure::Fatal(ErrorCode::GROUP_AUTHORIZATION_FAILED)),
        ),
        (ErrorCode::ILLEGAL_GENERATION, Err(CommitFailure::Rejoin)),
    ] {
        let (request, offsets) = (RequestId(3), vec![offset.clone()]);
        member.step(Input::Commit { request, offsets });
        let Some(Effect::Commit {
            token, generation, ..
        }) = member.seen.first()
        else {
            panic!()
        };
        assert_eq!(*generation, GenerationId(1));
        let (token, answer) = (*token, Ok(vec![(offset.partition.clone(), answer)]));
        let effects = member.step(Input::CommitAnswered {
            token,
            result: answer,
        });
        assert_eq!(
            effects.first(),
            Some(&Effect::CommitDone {
                request,
                result: expected
            })
        );
    }
    let mut outside = Member::new();
    let request = RequestId(1);
    let effects = outside.step(Input::Commit {
        request,
        offsets: vec![offset],
    });
    assert_eq!(
        effects,
        [Effect::CommitDone {
            request,
            result: Err(CommitFailure::Rejoin)
        }]
    );
}
