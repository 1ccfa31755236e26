//! Random faults on workers and Apache Kafka while sources and sinks work; then every (task, sequence number) is counted
//! where it should be: none lost, none out of order, repetitions only behind a fault and within their bound, none of an
//! exactly-once source.
//!
//! `MILENA_CHAOS_SECONDS` is how long faults happen (a few seconds in every run of the tests, 1800 by hand),
//! `MILENA_CHAOS_SEED` which. At the end a line says what happened and what was counted.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use milena_kafka::ports::{Isolation, ListAt};
use milena_testing_kafka::{KafkaBroker, oracle_is_missing, skipped};
use serde_json::{Value, json};

use crate::cluster::world::{
    Cluster, Worker, admin, create, long, own_kafka, records, rest, until,
};

/// Faults of a run of the tests.
const SECONDS: u64 = 8;
/// Records a second of each source.
const RATE: u64 = 300;
/// What one fault may repeat: what a source sends between two commits of its offsets (0.5 s), and what waited for the
/// broker while it was away.
const REPEATED_MAX: u64 = RATE * 30;

/// How long it may take until all go on: one of the last faults may have left a transaction hanging.
const HEALED: Duration = Duration::from_secs(240);

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    WorkerKilled,
    BrokerKilled,
    TaskRestarted,
    ConnectorRestarted,
    PausedAndResumed,
    Rebalanced,
}

/// The order of a run of the tests; a long one draws them.
const FAULTS: [Fault; 6] = [
    Fault::WorkerKilled,
    Fault::TaskRestarted,
    Fault::Rebalanced,
    Fault::PausedAndResumed,
    Fault::BrokerKilled,
    Fault::ConnectorRestarted,
];

/// Numbers from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// A cluster with its workers; the last of them comes and goes.
struct Fleet {
    cluster: Cluster,
    workers: Vec<Worker>,
    guest: Option<Worker>,
    started: usize,
    connectors: &'static [&'static str],
}

impl Fleet {
    fn new(
        bootstrap: &str,
        more: &[(&str, &str)],
        workers: usize,
        connectors: &'static [&'static str],
    ) -> Self {
        let mut fleet = Self {
            cluster: Cluster::new(bootstrap, more),
            workers: Vec::new(),
            guest: None,
            started: 0,
            connectors,
        };
        for _ in 0..workers {
            let worker = fleet.begin();
            fleet.workers.push(worker);
        }
        fleet
    }

    fn begin(&mut self) -> Worker {
        self.started += 1;
        let name = format!("w{}", self.started);
        self.cluster.worker(&name, &[])
    }

    /// A call that may find nobody.
    fn call(&self, method: &str, path: &str) -> Option<(u16, Value)> {
        let url = self.workers.first()?.url();
        rest(method, &format!("{url}/connectors{path}"), None)
    }

    /// A poll of this source gives one record: a transaction each would be so slow that few of them meet a fault.
    fn source(&self, name: &str) -> Value {
        json!({"name": name, "config": {
            "connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector",
            "transaction.boundary": "interval", "transaction.boundary.interval.ms": "100",
            "topic": self.cluster.topic(name), "throughput": RATE.to_string(), "tasks.max": "1"}})
    }

    /// Answers which connector it met, if any.
    fn fault(&mut self, fault: Fault, dice: &mut Dice) -> &'static str {
        let one = usize::try_from(dice.below(self.connectors.len() as u64)).unwrap();
        let connector = self.connectors[one];
        match fault {
            Fault::WorkerKilled => {
                let worker = usize::try_from(dice.below(self.workers.len() as u64)).unwrap();
                self.workers[worker].kill();
                self.workers[worker] = self.begin();
            }
            Fault::TaskRestarted => {
                self.call("POST", &format!("/{connector}/tasks/0/restart"));
            }
            Fault::ConnectorRestarted => {
                self.call("POST", &format!("/{connector}/restart?includeTasks=true"));
            }
            Fault::PausedAndResumed => {
                self.call("PUT", &format!("/{connector}/pause"));
                std::thread::park_timeout(Duration::from_millis(dice.below(1_500)));
                self.resume(connector);
            }
            Fault::Rebalanced => match self.guest.take() {
                Some(mut guest) => assert_eq!(guest.terminate().code(), Some(0)),
                None => self.guest = Some(self.begin()),
            },
            Fault::BrokerKilled => {}
        }
        connector
    }

    /// Until it is taken: the worker may be without a leader for a while.
    fn resume(&self, connector: &str) {
        until("the connector is resumed", || {
            let answer = self.call("PUT", &format!("/{connector}/resume"));
            answer.is_some_and(|(status, _)| status == 202)
        });
    }

    /// The tasks that have failed, with their traces.
    fn failed(&self) -> Vec<String> {
        let all = self.call("GET", "?expand=status");
        let all = all.map(|(_, all)| all).unwrap_or_default();
        let mut failed = Vec::new();
        for (name, of) in all.as_object().into_iter().flatten() {
            let tasks = of["status"]["tasks"].as_array();
            for task in tasks.into_iter().flatten() {
                if task["state"] == "FAILED" {
                    failed.push(format!("{name}: {}", task["trace"]));
                }
            }
        }
        failed
    }
}

/// Transactions that Apache Kafka leaves hanging when it is killed: its coordinator holds them for complete, but a marker is
/// missing, so that nobody who reads what is committed gets past them (KIP-664). They are ended as an operator would.
#[derive(Default)]
struct Hanging {
    /// By topic and partition: the first offset that is not committed, and since when it is that.
    open: BTreeMap<(String, i32), (i64, Instant)>,
    looked: Option<Instant>,
    ended: u64,
}

impl Hanging {
    /// Longer than a transaction may be open.
    const OPEN: Duration = Duration::from_secs(75);

    /// With the broker up.
    fn look(&mut self, kafka: &KafkaBroker, cluster: &Cluster) {
        let again = Duration::from_secs(5);
        if self.looked.is_some_and(|looked| looked.elapsed() < again) {
            return;
        }
        self.looked = Some(Instant::now());
        let offsets = format!("{}-offsets", cluster.id);
        let of = [
            (Arc::from(cluster.topic("e")), 0),
            (Arc::from(&*offsets), 0),
            (Arc::from(&*offsets), 1),
        ];
        let ends = admin(&cluster.client_props(), async |admin| {
            let committed = admin.list_offsets(&of, ListAt::Latest, Isolation::ReadCommitted);
            let committed = committed.await?;
            let all = admin.list_offsets(&of, ListAt::Latest, Isolation::ReadUncommitted);
            Ok::<_, milena_kafka::ports::KafkaError>((committed, all.await?))
        });
        // It may be starting.
        let Ok((committed, all)) = ends else { return };
        for (at, end) in committed {
            let key = (at.0.to_string(), at.1);
            if all.get(&at).is_none_or(|all| *all == end) {
                self.open.remove(&key);
            } else if self.open.get(&key).is_none_or(|(open, _)| *open != end) {
                self.open.insert(key, (end, Instant::now()));
            }
        }
        let late = self.open.values();
        if late.clone().all(|(_, since)| since.elapsed() < Self::OPEN) {
            return;
        }
        let tool = "org.apache.kafka.tools.TransactionsCommand";
        let id = format!("{}-e-0", cluster.id);
        let told = kafka.tool(tool, &["describe", "--transactional-id", &id]);
        let told = told.unwrap();
        let told = told.lines().find(|line| line.contains(&id)).unwrap();
        if !["Empty", "CompleteCommit", "CompleteAbort"]
            .iter()
            .any(|state| told.contains(state))
        {
            return;
        }
        for ((topic, partition), (start, _)) in std::mem::take(&mut self.open) {
            note(&format!(
                "{topic}-{partition} hangs at {start}, while {told:?}"
            ));
            let (partition, start) = (partition.to_string(), start.to_string());
            let place = ["--topic", &topic, "--partition", &partition];
            let abort = [&["abort"][..], &place, &["--start-offset", &start]];
            kafka.tool(tool, &abort.concat()).unwrap();
        }
        self.ended += 1;
    }
}

/// What was counted of one task.
#[derive(Debug, Default)]
struct Count {
    distinct: u64,
    repeated: u64,
    /// How often the numbers went back.
    returns: u64,
    /// The most that was repeated at once.
    longest: u64,
    /// Ends of writes that a kill cut off.
    torn: u64,
}

/// Judges the numbers of a task in the order of their arrival. A line that a kill cut off in the middle is no number of
/// the task: nothing may follow on it.
fn count(of: &str, numbers: &[&str], kills: u64) -> Count {
    let mut count = Count::default();
    let mut next = 0;
    for (at, text) in numbers.iter().enumerate() {
        let number: u64 = text.parse().unwrap_or(u64::MAX);
        if number > next {
            count.torn += 1;
            let around = numbers.iter().skip(at.saturating_sub(5)).take(400);
            let missing = next.to_string();
            assert!(
                count.torn <= kills,
                "{of}: {text} is where {next} should be ({}); around it: {:?}",
                match numbers.iter().skip(at).position(|later| **later == missing) {
                    Some(after) => format!("out of order: it comes {after} later"),
                    None => "lost".to_owned(),
                },
                around.collect::<Vec<_>>()
            );
            continue;
        }
        if number < next {
            count.returns += 1;
            count.longest = count.longest.max(count.distinct - number);
        }
        if number < count.distinct {
            count.repeated += 1;
        } else {
            count.distinct += 1;
        }
        next = number + 1;
    }
    assert!(
        count.longest <= REPEATED_MAX,
        "{of}: too much was repeated: {count:?}"
    );
    count
}

/// What is read when the test fails.
fn note(what: &str) {
    let line = format!("chaos: {what}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn nothing_is_lost_under_random_faults() {
    if oracle_is_missing("nothing_is_lost_under_random_faults") {
        return;
    }
    let seed = env("MILENA_CHAOS_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    let lasts = Duration::from_secs(env("MILENA_CHAOS_SECONDS").unwrap_or(SECONDS));
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut kafka = own_kafka();
    let bootstrap = kafka.bootstrap();
    let mut fleets = [
        Fleet::new(&bootstrap, &[], 2, &["s0", "s1", "k0", "k1"]),
        Fleet::new(
            &bootstrap,
            &[("exactly.once.source.support", "enabled")],
            1,
            &["e"],
        ),
    ];
    begin(&fleets);
    let mut hanging = Hanging::default();
    let happened = faults(&mut fleets, &mut kafka, lasts, &mut dice, &mut hanging);
    until("no task has failed", || {
        fleets.iter().all(|fleet| fleet.failed().is_empty())
    });
    let before = ends(&fleets);
    let healed = Instant::now();
    let mut told = false;
    while !moved(&fleets, &before) {
        hanging.look(&kafka, &fleets[1].cluster);
        if !told && healed.elapsed() > Duration::from_secs(30) {
            told = true;
            note(&format!("{before:?} became {:?}", ends(&fleets)));
            for fleet in &fleets {
                note(&format!("{:?}", fleet.call("GET", "?expand=status")));
            }
        }
        assert!(healed.elapsed() < HEALED, "never: all go on");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    let counts = counted(&fleets, &happened);
    let line = format!(
        "chaos: seed {seed}, {lasts:?}, {happened:?}, {} transactions hung in Apache Kafka\n{}",
        hanging.ended,
        counts
            .iter()
            .map(|(of, count)| format!("  {of}: {count:?}\n"))
            .collect::<String>()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert_eq!(counts["e"].repeated, 0, "exactly once");
}

/// With `MILENA_LONG`: three brokers take a while and much memory.
#[test]
fn three_brokers_are_killed_and_started_in_turn() {
    let test = "three_brokers_are_killed_and_started_in_turn";
    if oracle_is_missing(test) {
        return;
    }
    if !long() {
        skipped(test, "MILENA_LONG=1, for the long forms");
        return;
    }
    let mut brokers = KafkaBroker::three().unwrap();
    let addresses: Vec<String> = brokers.iter().map(KafkaBroker::bootstrap).collect();
    let bootstrap = addresses.join(",");
    let mut settings = vec![
        ("config.storage.replication.factor", "3"),
        ("offset.storage.replication.factor", "3"),
        ("status.storage.replication.factor", "3"),
    ];
    let at_least_once = Fleet::new(&bootstrap, &settings, 2, &["s0", "k0"]);
    settings.push(("exactly.once.source.support", "enabled"));
    let fleets = [at_least_once, Fleet::new(&bootstrap, &settings, 1, &["e"])];
    begin(&fleets);
    for round in 0..2 {
        for broker in &mut brokers {
            broker.kill();
            // Two of three are enough.
            let before = ends(&fleets);
            until("all go on without one", || moved(&fleets, &before));
            broker.restart().unwrap();
            let before = ends(&fleets);
            until("all go on with it", || moved(&fleets, &before));
            let failed: Vec<String> = fleets.iter().flat_map(Fleet::failed).collect();
            assert!(failed.is_empty(), "round {round}: {failed:?}");
        }
    }
    let counts = counted(&fleets, &BTreeMap::new());
    for (of, count) in &counts {
        let line = format!("rolling restarts: {of}: {count:?}\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(counts["e"].repeated, 0, "exactly once");
}

/// Creates the connectors; something has come to the end of each.
fn begin(fleets: &[Fleet]) {
    for fleet in fleets {
        let url = fleet.workers[0].url();
        for name in fleet.connectors {
            let connector = match name.strip_prefix('k') {
                Some(n) => {
                    let topic = fleet.cluster.topic(&format!("s{n}"));
                    fleet.cluster.sink(name, &topic, 1)
                }
                None => fleet.source(name),
            };
            create(url, &connector);
        }
    }
    until("records have come to the end", || {
        moved(fleets, &BTreeMap::new())
    });
}

/// Faults for so long; then all is whole again.
fn faults(
    fleets: &mut [Fleet; 2],
    kafka: &mut KafkaBroker,
    lasts: Duration,
    dice: &mut Dice,
    hanging: &mut Hanging,
) -> BTreeMap<Fault, u64> {
    let mut happened = BTreeMap::new();
    let begun = Instant::now();
    let mut back_at = None;
    let mut round = 0;
    while begun.elapsed() < lasts {
        let fault = match FAULTS.get(round) {
            Some(fault) => *fault,
            None => FAULTS[usize::try_from(dice.below(FAULTS.len() as u64)).unwrap()],
        };
        round += 1;
        *happened.entry(fault).or_default() += 1;
        if fault == Fault::BrokerKilled {
            kafka.kill();
            hanging.open.clear();
            note(&format!("{:?}: {fault:?}", begun.elapsed()));
            back_at = Some(Instant::now() + Duration::from_millis(500 + dice.below(4_000)));
        } else {
            let at = usize::from(dice.below(3) == 0);
            // Nobody resumes or joins without a broker.
            let needs_broker = matches!(fault, Fault::PausedAndResumed | Fault::Rebalanced);
            if needs_broker && back_at.take().is_some() {
                kafka.restart().unwrap();
                note(&format!("{:?}: the broker is back", begun.elapsed()));
            }
            let one = fleets[at].fault(fault, dice);
            note(&format!("{:?}: {fault:?} of {at} {one}", begun.elapsed()));
        }
        std::thread::park_timeout(Duration::from_millis(200 + dice.below(2_500)));
        if back_at.is_some_and(|at| at <= Instant::now()) {
            back_at = None;
            kafka.restart().unwrap();
            note(&format!("{:?}: the broker is back", begun.elapsed()));
        }
        if let Some(failed) = fleets.iter().flat_map(Fleet::failed).next() {
            panic!("a task has failed: {failed}");
        }
        if back_at.is_none() {
            hanging.look(kafka, &fleets[1].cluster);
        }
    }
    if back_at.is_some() {
        kafka.restart().unwrap();
    }
    happened
}

/// How far the sources and sinks are.
fn ends(fleets: &[Fleet]) -> BTreeMap<&'static str, u64> {
    let mut ends = BTreeMap::new();
    for fleet in fleets {
        for name in fleet.connectors {
            let at = match name.starts_with('k') {
                true => {
                    let file = fleet.cluster.at(&format!("{name}.out"));
                    fs::metadata(file).map_or(0, |meta| meta.len())
                }
                false => {
                    let answer = fleet.call("GET", &format!("/{name}/offsets"));
                    let at = answer.map(|(_, body)| body["offsets"][0]["offset"]["seqno"].as_u64());
                    at.flatten().unwrap_or(0)
                }
            };
            ends.insert(*name, at);
        }
    }
    ends
}

fn moved(fleets: &[Fleet], before: &BTreeMap<&'static str, u64>) -> bool {
    let now = ends(fleets);
    now.iter()
        .all(|(name, at)| *at > before.get(name).copied().unwrap_or(0))
}

/// Ends the sources, lets the sinks come to the end, and counts.
fn counted(fleets: &[Fleet], happened: &BTreeMap<Fault, u64>) -> BTreeMap<&'static str, Count> {
    for fleet in fleets {
        for name in fleet.connectors.iter().filter(|n| !n.starts_with('k')) {
            until("the source is paused", || {
                fleet.call("PUT", &format!("/{name}/pause"));
                let answer = fleet.call("GET", &format!("/{name}/status"));
                answer.is_some_and(|(_, status)| status["tasks"][0]["state"] == "PAUSED")
            });
        }
    }
    let kills = happened.get(&Fault::WorkerKilled).copied().unwrap_or(0);
    let mut counts = BTreeMap::new();
    for fleet in fleets {
        for name in fleet.connectors.iter().filter(|n| !n.starts_with('k')) {
            let mut props = fleet.cluster.client_props();
            let isolation = ("isolation.level", "read_committed");
            props.insert(isolation.0.to_owned(), isolation.1.to_owned());
            let values = records(&props, &fleet.cluster.topic(name));
            let values: Vec<String> = values
                .into_iter()
                .map(|(_, value)| String::from_utf8(value.unwrap().to_vec()).unwrap())
                .collect();
            let numbers: Vec<&str> = values.iter().map(String::as_str).collect();
            let source = count(name, &numbers, 0);
            if let Some(n) = name.strip_prefix('s') {
                let sink = ["k0", "k1"][n.parse::<usize>().unwrap()];
                let file = fleet.cluster.at(&format!("{sink}.out"));
                let text = || fs::read_to_string(&file).unwrap();
                let last = (source.distinct - 1).to_string();
                until("the sink has written all", || {
                    text().lines().next_back() == Some(&last)
                });
                let text = text();
                let lines: Vec<&str> = text.lines().collect();
                let sink_count = count(sink, &lines, kills);
                assert_eq!(sink_count.distinct, source.distinct, "{sink}");
                counts.insert(sink, sink_count);
            }
            counts.insert(*name, source);
        }
    }
    counts
}
