//! A broker process is killed (SIGKILL) at random moments while an idempotent producer, a transactional one
//! and one of a compacted topic write to it. `MILENA_STORM_ROUNDS` and `MILENA_STORM_SEED` choose; the seed is
//! printed.

mod check;
mod writers;

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use milena_broker::{Broker, BrokerConfig};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use writers::{Compacted, Plain, Transactional};

use crate::client::Client;

const CHILD: &str = "MILENA_STORM_OF_BROKERS";
/// Enough to meet each kind of moment in every run of the tests.
const ROUNDS: u64 = 50;
/// The longest life of a broker.
const LIFE_MS: u64 = 700;
/// So many keys in the compacted topic.
const KEYS: u64 = 20;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: the process that the storm kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_of_the_storm() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let mut config = BrokerConfig::new(dir, "127.0.0.1:0".parse().unwrap());
    // So that there is something to compact and to recover from more than one file.
    config.log.segment_bytes = 40_000;
    config.log.retention_ms = None;
    config.maintenance = Duration::from_millis(20);
    let broker = Broker::start(config).await.unwrap();
    println!("\nlistens {}", broker.bootstrap());
    std::future::pending::<()>().await;
}

fn start(dir: &Path) -> (Process, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "storm::broker_of_the_storm", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let process = Process(child);
    let mut listens = lines.map_while(Result::ok).filter_map(|line| {
        let address = line.strip_prefix("listens ")?;
        Some(address.to_owned())
    });
    let address = listens.next().expect("the broker starts again");
    (process, address)
}

/// In memory where there is such a place: a killed process leaves the same behind there as on a disk.
fn quick_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn from_environment(name: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or_else(otherwise, |text| text.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_brokers_lose_nothing_and_tell_nothing_twice() {
    let rounds = from_environment("MILENA_STORM_ROUNDS", || ROUNDS);
    let seed = from_environment("MILENA_STORM_SEED", rand::random);
    println!("MILENA_STORM_SEED={seed} MILENA_STORM_ROUNDS={rounds}");
    let mut random = StdRng::seed_from_u64(seed);
    let dir = quick_dir();
    let (mut plain, mut tx, mut compacted) = (
        Plain::default(),
        Transactional::default(),
        Compacted::default(),
    );
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let begun = Instant::now();
        let (process, address) = start(dir.path());
        slowest = slowest.max(begun.elapsed());
        if round == 0 {
            writers::create_topics(&mut Client::connect(&address).await).await;
        }
        // What the last life left half done is ended or repeated first, and counts then.
        let lives = Duration::from_millis(random.random_range(1..LIFE_MS));
        let choices: u64 = random.random();
        let killer = std::thread::spawn(move || {
            std::thread::park_timeout(lives);
            drop(process);
        });
        tokio::join!(
            plain.write(&address),
            tx.write(&address, StdRng::seed_from_u64(choices)),
            compacted.write(&address),
        );
        killer.join().unwrap();
        if round % 10 == 9 || round + 1 == rounds {
            let (_process, address) = start(dir.path());
            plain.finish(&address).await;
            tx.finish(&address).await;
            check::plain(&address, &plain).await;
            check::transactions(&address, &tx).await;
            check::compacted(&address, &compacted).await;
        }
    }
    println!(
        "{rounds} rounds: {} records, {} transactions committed, {} aborted, {} undecided, \
         {} of the compacted topic; the slowest start took {} ms",
        plain.acknowledged.len(),
        tx.committed.len(),
        tx.aborted.len(),
        tx.undecided.len(),
        compacted.written,
        slowest.as_millis(),
    );
    let written = (plain.acknowledged.len(), tx.committed.len());
    assert!(
        written.0 > 10 && written.1 > 10,
        "the storm did nothing: {written:?}"
    );
}
