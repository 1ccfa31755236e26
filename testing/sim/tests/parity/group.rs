//! The group coordinator, classic protocol.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use milena_core::{
    Token,
    group::{
        GenerationId, MemberId,
        membership::{ErrorCode, Input, JoinAnswer, JoinRequest, OfferedProtocol, RequestFailure},
    },
};
use milena_kafka::ports::{self, GroupChannel, GroupOffset};
use milena_sim::coordinator::{Coordinator, Replies, ReplyTo};
use milena_testing_kafka::{KafkaBroker, oracle_is_missing};
use tokio::sync::mpsc;

use super::{PATIENCE, create, kafka, props};

const SESSION: Duration = Duration::from_secs(30);
const REBALANCE: Duration = Duration::from_secs(60);
const TOPIC: &str = "parity-commits";

/// What a member asks.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// With this metadata.
    Join(&'static str),
    /// In this generation; the leader's plan names each of these members.
    Sync(i32, &'static [&'static str]),
    Heartbeat(i32),
    Commit(i32),
    Leave,
    /// Nothing: time passes until somebody is told.
    Wait,
    /// In this generation, again and again until it is refused.
    BeatUntilRefused(i32),
}

/// What a member hears, without what differs from run to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Heard {
    IdRequired,
    Joined {
        generation: i32,
        protocol: String,
        leads: bool,
        members: BTreeSet<(String, String)>,
    },
    Assigned(String),
    Done,
    Refused(i16),
}

type Said = (&'static str, Heard);

use Ask::{BeatUntilRefused, Commit, Heartbeat, Join, Leave, Sync, Wait};

/// Who asks what, one after another; what is not answered at once is answered by what follows.
const SCRIPT: &[(&str, Ask)] = &[
    ("x", Heartbeat(1)),
    ("x", Leave),
    // The first member: an id, a round of one.
    ("a", Join("one")),
    ("a", Join("one")),
    ("a", Heartbeat(1)),
    ("a", Commit(1)),
    ("a", Sync(2, &["a"])),
    ("a", Sync(1, &["a"])),
    ("a", Commit(1)),
    ("a", Sync(1, &[])),
    ("x", Sync(1, &[])),
    ("x", Commit(1)),
    // A second one comes: nobody goes on in the old generation.
    ("b", Join("one")),
    ("b", Join("one")),
    ("a", Heartbeat(1)),
    ("a", Commit(1)),
    ("a", Sync(1, &[])),
    ("a", Join("two")),
    // The follower syncs first, and waits for the leader's plan.
    ("b", Sync(2, &[])),
    ("a", Heartbeat(1)),
    ("a", Sync(1, &["a", "b"])),
    ("a", Heartbeat(2)),
    ("a", Commit(2)),
    ("a", Sync(2, &["a", "b"])),
    ("b", Heartbeat(2)),
    // A follower that asks again the same is told again the same; one with news begins a round.
    ("b", Join("one")),
    ("b", Join("two")),
    ("a", Sync(2, &[])),
    ("a", Join("two")),
    // The leader begins a round even with nothing new.
    ("a", Sync(3, &["a"])),
    ("b", Sync(3, &[])),
    ("a", Join("two")),
    ("b", Heartbeat(3)),
    ("b", Join("two")),
    // A third one comes while the plan is awaited: who waits for it joins again.
    ("b", Sync(4, &[])),
    ("c", Join("one")),
    ("c", Join("one")),
    ("a", Join("two")),
    ("b", Join("two")),
    ("a", Sync(5, &["a", "b", "c"])),
    ("c", Sync(5, &[])),
    ("b", Sync(5, &[])),
    // A follower leaves, then the leader.
    ("c", Leave),
    ("c", Heartbeat(5)),
    ("a", Heartbeat(5)),
    ("b", Join("two")),
    ("a", Join("two")),
    ("a", Sync(6, &["a", "b"])),
    ("b", Sync(6, &[])),
    ("a", Leave),
    ("b", Heartbeat(6)),
    ("b", Join("two")),
    ("b", Sync(7, &["b"])),
    // An empty group has a generation of its own.
    ("b", Leave),
    ("b", Sync(8, &[])),
    ("d", Join("one")),
    ("d", Join("one")),
    ("d", Sync(9, &["d"])),
    ("d", Heartbeat(8)),
    ("d", Heartbeat(9)),
];

/// A group whose members are late: rounds end after 2 s, the sessions of `q` and `r` after 1 s.
const LATE: &[(&str, Ask)] = &[
    ("p", Join("one")),
    ("p", Join("one")),
    ("p", Sync(1, &["p"])),
    // A member that is silent is gone with its session.
    ("q", Join("one")),
    ("q", Join("one")),
    ("p", Join("one")),
    ("p", Sync(2, &["p", "q"])),
    ("q", Sync(2, &[])),
    ("p", BeatUntilRefused(2)),
    ("q", Heartbeat(2)),
    ("q", Join("one")),
    ("p", Join("one")),
    ("p", Sync(3, &["p"])),
    // A member that does not join again is left behind when the round's time is over.
    ("s", Join("one")),
    ("s", Join("one")),
    ("s", Wait),
    ("p", Heartbeat(3)),
    ("s", Sync(4, &["s"])),
    // Who has an id and does not come with it holds up the round for a session.
    ("r", Join("one")),
    ("s", Join("two")),
    ("s", Wait),
    ("r", Join("one")),
    ("s", Sync(5, &["s"])),
    ("s", Heartbeat(5)),
    // One that leaves with no more than an id holds up nothing.
    ("t", Join("one")),
    ("s", Join("three")),
    ("t", Leave),
    ("s", Sync(6, &["s"])),
    // Who never asks for its assignment is thrown out when the time of a round is over.
    ("u", Join("one")),
    ("u", Join("one")),
    ("s", Join("three")),
    ("s", Sync(7, &["s", "u"])),
    ("s", Heartbeat(7)),
    ("s", BeatUntilRefused(7)),
    ("u", Heartbeat(7)),
    ("s", Join("three")),
    ("s", Sync(8, &["s"])),
    // So is a leader that never brings its plan.
    ("v", Join("one")),
    ("v", Join("one")),
    ("s", Join("three")),
    ("v", Sync(9, &[])),
    ("v", Wait),
    ("s", Heartbeat(9)),
    ("v", Join("one")),
    ("v", Sync(10, &["v"])),
];

/// Session and rebalance timeout.
fn times(who: &str) -> (Duration, Duration) {
    match who {
        "a" | "b" | "c" | "d" | "x" => (SESSION, REBALANCE),
        "q" | "r" => (Duration::from_secs(1), Duration::from_secs(2)),
        _ => (SESSION, Duration::from_secs(2)),
    }
}

/// Whom ids belong to.
#[derive(Default)]
struct Names(BTreeMap<&'static str, String>);

impl Names {
    fn id(&self, who: &str) -> String {
        self.0.get(who).cloned().unwrap_or_default()
    }

    /// What a member without an id of the coordinator calls itself outside of a join.
    fn id_or_nobody(&self, who: &str) -> String {
        let nobody = || "nobody".to_owned();
        self.0.get(who).cloned().unwrap_or_else(nobody)
    }

    fn name(&self, id: &str) -> String {
        let found = self.0.iter().find(|(_, known)| *known == id);
        found.map_or_else(|| id.to_owned(), |(name, _)| (*name).to_owned())
    }
}

struct Model {
    group: Coordinator,
    names: Names,
    asked: Vec<&'static str>,
    /// Milliseconds.
    now: u64,
}

impl Model {
    fn play(&mut self, who: &'static str, ask: Ask) -> Vec<Said> {
        let to = ReplyTo {
            worker: self.asked.len(),
            process: 0,
            token: Token(self.asked.len() as u64),
        };
        self.asked.push(who);
        let mut replies = Replies::new();
        if let Wait | BeatUntilRefused(_) = ask {
            self.now = self.group.deadline().expect("something is due");
            self.group.tick(self.now, &mut replies);
        }
        let now = self.now;
        let id = MemberId::from(self.names.id_or_nobody(who));
        let told = |result: Result<(), RequestFailure>| match result {
            Ok(()) => Heard::Done,
            Err(failure) => refused(&failure),
        };
        let at_once = match ask {
            Join(metadata) => {
                let known = self.names.0.get(who);
                let request = JoinRequest {
                    member: known.map(|id| MemberId::from(id.clone())),
                    protocol_type: "connect",
                    session_timeout: times(who).0,
                    rebalance_timeout: times(who).1,
                    protocols: vec![OfferedProtocol {
                        name: "p".to_owned(),
                        metadata: metadata.as_bytes().to_vec(),
                    }],
                    reason: String::new(),
                };
                self.group.join(now, request, to, &mut replies);
                None
            }
            Sync(generation, plan) => {
                let plan = plan.iter();
                let plan = plan.map(|who| (MemberId::from(self.names.id(who)), work_of(who)));
                let generation = GenerationId(generation);
                let plan = plan.collect();
                self.group
                    .sync(now, &id, generation, plan, to, &mut replies);
                None
            }
            Wait => None,
            Heartbeat(generation) | BeatUntilRefused(generation) => {
                let generation = GenerationId(generation);
                Some(told(self.group.heartbeat(now, &id, generation)))
            }
            Commit(generation) => {
                let code = self.group.commit_code(now, &id, GenerationId(generation));
                Some(coded(code.0))
            }
            Leave => Some(told(self.group.leave(now, &id, &mut replies))),
        };
        let mut said: Vec<Said> = at_once.map(|heard| (who, heard)).into_iter().collect();
        for (to, input) in replies {
            let who = self.asked[to.worker];
            said.push((who, self.heard(who, input)));
        }
        said
    }

    fn heard(&mut self, who: &'static str, input: Input) -> Heard {
        match input {
            Input::Joined { result, .. } => match result {
                Ok(JoinAnswer::MemberIdRequired(id)) => {
                    self.names.0.insert(who, id.as_str().to_owned());
                    Heard::IdRequired
                }
                Ok(JoinAnswer::Joined {
                    generation,
                    protocol,
                    leader,
                    member,
                    members,
                }) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let members = members.iter();
                    Heard::Joined {
                        generation: generation.0,
                        protocol,
                        leads: leader == member,
                        members: members
                            .map(|m| (self.names.name(m.member.as_str()), text(&m.metadata)))
                            .collect(),
                    }
                }
                Err(failure) => refused(&failure),
            },
            Input::Synced { result, .. } => match result {
                Ok(bytes) => Heard::Assigned(String::from_utf8_lossy(&bytes).into_owned()),
                Err(failure) => refused(&failure),
            },
            other => panic!("{other:?}"),
        }
    }
}

fn work_of(who: &str) -> Vec<u8> {
    format!("the work of {who}").into_bytes()
}

fn coded(code: i16) -> Heard {
    match code {
        0 => Heard::Done,
        code => Heard::Refused(code),
    }
}

fn refused(failure: &RequestFailure) -> Heard {
    match failure {
        RequestFailure::Code(ErrorCode(code)) => Heard::Refused(*code),
        other => panic!("{other:?}"),
    }
}

/// A member's two channels: what waits does not hold up its heartbeats.
struct Real {
    group: &'static str,
    kafka: Arc<KafkaBroker>,
    channels: BTreeMap<&'static str, Arc<dyn GroupChannel>>,
    names: Names,
    answers: mpsc::UnboundedSender<(&'static str, RealAnswer)>,
    arrived: mpsc::UnboundedReceiver<(&'static str, RealAnswer)>,
}

enum RealAnswer {
    Joined(ports::JoinResponse),
    Synced(i16, Bytes),
    Code(i16),
}

impl Real {
    async fn channel(&mut self, who: &'static str) -> Arc<dyn GroupChannel> {
        if let Some(known) = self.channels.get(who) {
            return Arc::clone(known);
        }
        let props = props(&self.kafka, &[]);
        let clients = milena_kafka::clients();
        let channel = clients.group(&props, self.group).await.unwrap();
        // The coordinator's topic may still be on its way.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = channel.find_coordinator().await;
            let heard = channel.heartbeat(0, "nobody", None).await;
            // A coordinator that still reads its log finds every heartbeat right.
            let knows = |code| code == ErrorCode::UNKNOWN_MEMBER_ID.0;
            if found.is_ok() && heard.is_ok_and(knows) {
                break;
            }
            assert!(Instant::now() < deadline, "no coordinator");
        }
        self.channels.insert(who, Arc::clone(&channel));
        channel
    }

    async fn ask(&mut self, who: &'static str, ask: Ask) {
        let channel = self.channel(who).await;
        let answers = self.answers.clone();
        let (id, nobody) = (self.names.id(who), self.names.id_or_nobody(who));
        let plan = match ask {
            Sync(_, plan) => plan
                .iter()
                .map(|who| (self.names.id(who), Bytes::from(work_of(who))))
                .collect(),
            _ => Vec::new(),
        };
        tokio::spawn(async move {
            let answer = match ask {
                Wait => return,
                Join(metadata) => RealAnswer::Joined(join(&*channel, who, id, metadata).await),
                Sync(generation, _) => {
                    let request = ports::SyncRequest {
                        generation,
                        member_id: nobody,
                        instance_id: None,
                        protocol_type: "connect".to_owned(),
                        protocol: "p".to_owned(),
                        assignments: plan,
                    };
                    let (code, bytes) = channel.sync(request).await.unwrap();
                    RealAnswer::Synced(code, bytes)
                }
                Heartbeat(generation) => {
                    let code = channel.heartbeat(generation, &nobody, None).await;
                    RealAnswer::Code(code.unwrap())
                }
                BeatUntilRefused(generation) => loop {
                    let code = channel.heartbeat(generation, &nobody, None).await;
                    match code.unwrap() {
                        0 => tokio::time::sleep(Duration::from_millis(50)).await,
                        code => break RealAnswer::Code(code),
                    }
                },
                Commit(generation) => {
                    let offset = GroupOffset {
                        topic: TOPIC.to_owned(),
                        partition: 0,
                        offset: 1,
                        metadata: None,
                        error: 0,
                    };
                    let committed = channel
                        .commit_offsets(generation, &nobody, None, vec![offset])
                        .await;
                    RealAnswer::Code(committed.unwrap()[0].error)
                }
                Leave => RealAnswer::Code(channel.leave(&nobody, "it leaves").await.unwrap()),
            };
            // The test may be over.
            let _ = answers.send((who, answer));
        });
    }

    async fn heard(&mut self) -> Said {
        let (who, answer) = tokio::time::timeout(PATIENCE, self.arrived.recv())
            .await
            .expect("Kafka answers where the model does")
            .unwrap();
        (who, self.told(who, answer))
    }

    fn told(&mut self, who: &'static str, answer: RealAnswer) -> Heard {
        match answer {
            RealAnswer::Joined(answer) if answer.error == ErrorCode::MEMBER_ID_REQUIRED.0 => {
                self.names.0.insert(who, answer.member_id);
                Heard::IdRequired
            }
            RealAnswer::Joined(answer) if answer.error == 0 => {
                let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
                let members = answer.members.iter();
                Heard::Joined {
                    generation: answer.generation,
                    protocol: answer.protocol,
                    leads: answer.leader == answer.member_id,
                    members: members
                        .map(|m| (self.names.name(&m.id), text(&m.metadata)))
                        .collect(),
                }
            }
            RealAnswer::Joined(answer) => Heard::Refused(answer.error),
            RealAnswer::Synced(0, bytes) => {
                Heard::Assigned(String::from_utf8_lossy(&bytes).into_owned())
            }
            RealAnswer::Synced(code, _) => Heard::Refused(code),
            RealAnswer::Code(code) => coded(code),
        }
    }
}

async fn join(
    channel: &dyn GroupChannel,
    who: &str,
    id: String,
    metadata: &'static str,
) -> ports::JoinResponse {
    let request = ports::JoinRequest {
        session_timeout: times(who).0,
        rebalance_timeout: times(who).1,
        member_id: id,
        instance_id: None,
        protocol_type: "connect".to_owned(),
        protocols: vec![("p".to_owned(), Bytes::from_static(metadata.as_bytes()))],
        reason: None,
    };
    channel.join(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_coordinator_answers_as_kafka_does() {
    if oracle_is_missing("the_coordinator_answers_as_kafka_does") {
        return;
    }
    let kafka = kafka();
    create(&kafka, TOPIC, &[]).await;
    compare(kafka, "parity", SCRIPT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_coordinator_loses_patience_as_kafka_does() {
    if oracle_is_missing("the_coordinator_loses_patience_as_kafka_does") {
        return;
    }
    compare(kafka(), "parity-late", LATE).await;
}

/// Plays a script to both, each step when the one before is answered.
async fn compare(kafka: Arc<KafkaBroker>, group: &'static str, script: &[(&'static str, Ask)]) {
    let (answers, arrived) = mpsc::unbounded_channel();
    let mut real = Real {
        group,
        kafka,
        channels: BTreeMap::new(),
        names: Names::default(),
        answers,
        arrived,
    };
    let mut model = Model {
        group: Coordinator::new(0),
        names: Names::default(),
        asked: Vec::new(),
        now: 0,
    };
    let mut waits = false;
    let begun = Instant::now();
    for (step, (who, ask)) in script.iter().enumerate() {
        let mut expected = model.play(who, *ask);
        expected.sort();
        // What waits for its answer may reach Kafka after this question, which has a connection of its own: it is asked
        // again where asking changes nothing.
        let again = waits && matches!(ask, Heartbeat(_) | Commit(_) | Sync(_, []));
        let deadline = Instant::now() + PATIENCE;
        let mut heard = Vec::new();
        loop {
            heard.clear();
            real.ask(who, *ask).await;
            for _ in 0..expected.len() {
                heard.push(real.heard().await);
            }
            heard.sort();
            if heard == expected || !again || Instant::now() > deadline {
                break;
            }
        }
        waits = expected.is_empty();
        if let Ok((early, answer)) = real.arrived.try_recv() {
            let told = real.told(early, answer);
            panic!("step {step}, {who} {ask:?}: Kafka tells {early} {told:?}, the model nothing");
        }
        assert_eq!(expected, heard, "step {step}: {who} {ask:?} (model, Kafka)");
        let took = begun.elapsed();
        assert!(
            took >= Duration::from_millis(model.now),
            "step {step}: {who} {ask:?}: Kafka lost its patience after {took:?}, the model after {} ms",
            model.now
        );
    }
}
