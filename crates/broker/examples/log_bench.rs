//! Throughput of the broker's storage alone: append, read, open, compact; wall and CPU time.
//!
//! `cargo run --release -p milena-broker --example log_bench [directory] [millions of records]`
//! `… log_bench [directory] start [topics] [partitions each] [kilobytes each]`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use milena_broker::log::batch::batches;
use milena_broker::log::{
    AppendOrigin, BatchBuilder, Isolation, LogConfig, LogStore, MarkerKind, PartitionLog,
    StoreOptions,
};

const NOW: i64 = 1_700_000_000_000;
const VALUE: usize = 200;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let root = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from)
        .join(format!("log-bench-{}", std::process::id()));
    let second = arguments.next();
    if second.as_deref() == Some("start") {
        let numbers: Vec<usize> = arguments
            .map(|text| text.parse())
            .collect::<std::result::Result<_, _>>()?;
        let [topics, partitions, kilobytes] = *numbers.as_slice() else {
            return Err("start needs topics, partitions, kilobytes".into());
        };
        start(&root, topics, partitions, kilobytes)?;
        std::fs::remove_dir_all(&root)?;
        return Ok(());
    }
    let millions: u64 = second.map_or(Ok(2), |text| text.parse())?;
    let records = millions * 1_000_000;
    for per_batch in [1, 80, 2_500] {
        let dir = root.join(format!("batches-of-{per_batch}"));
        let count = if per_batch == 1 { records / 4 } else { records };
        append_and_read(&dir, count, per_batch)?;
    }
    reopen(&root.join("batches-of-80"))?;
    transactions(&root.join("transactions"))?;
    compaction(&root.join("compaction"))?;
    std::fs::remove_dir_all(&root)?;
    Ok(())
}

fn append_and_read(dir: &Path, records: u64, per_batch: u64) -> Result<()> {
    let log = PartitionLog::open(dir, LogConfig::default())?;
    // Batches of one sequence length each, as idempotent producers send them.
    let rounds = records / per_batch;
    let prepared: Vec<Bytes> = (0..64).map(|round| produced(7, round, per_batch)).collect();
    let mut meter = Meter::start();
    let mut inside = Duration::ZERO;
    for round in 0..rounds {
        if round % 64 == 0 && round > 0 {
            // The prepared sequences start over: another producer.
            log.append_marker(7, (round / 64 % 30_000) as i16, MarkerKind::Commit, 0, NOW)?;
        }
        let slot = usize::try_from(round % 64)?;
        let batch = prepared.get(slot).cloned().unwrap_or_default();
        let batch = with_epoch(batch, round / 64 % 30_000);
        let begin = Instant::now();
        log.append(batch, AppendOrigin::Client, NOW)?;
        inside += begin.elapsed();
    }
    // The figure without what the bench does to make the next batch.
    meter.cpu = cpu().saturating_sub(inside);
    meter.wall = Instant::now().checked_sub(inside).unwrap_or(meter.wall);
    meter.report(
        &format!("append, {per_batch} records a batch"),
        rounds * per_batch,
        log.size_bytes()?,
    );
    for isolation in [Isolation::ReadUncommitted, Isolation::ReadCommitted] {
        meter = Meter::start();
        let bytes = read_all(&log, isolation)?;
        meter.report(&format!("read, {isolation:?}"), rounds * per_batch, bytes);
    }
    meter = Meter::start();
    let end = log.high_watermark()?;
    let seeks = 20_000;
    let mut offset = 1;
    for _ in 0..seeks {
        offset = (offset * 48_271) % end;
        log.read(offset, 1, Isolation::ReadUncommitted, true)?;
    }
    meter.report("seek and read one batch", seeks, 0);
    log.close()?;
    Ok(())
}

/// A prepared batch is reused with a new epoch, its checksum recomputed (counted as the bench's).
fn with_epoch(batch: Bytes, epoch: u64) -> Bytes {
    if epoch == 0 {
        return batch;
    }
    let mut bytes = Vec::from(batch);
    if let Some(field) = bytes.get_mut(51..53) {
        field.copy_from_slice(&(epoch as i16).to_be_bytes());
    }
    let crc = crc32c::crc32c(bytes.get(21..).unwrap_or_default());
    if let Some(field) = bytes.get_mut(17..21) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
    bytes.into()
}

fn produced(id: i64, round: u64, count: u64) -> Bytes {
    let mut builder = BatchBuilder::new(NOW).producer(id, 0, (round * count) as i32, false);
    for index in 0..count {
        builder.push(Some(&index.to_be_bytes()), Some(&[b'v'; VALUE]));
    }
    builder.finish()
}

fn read_all(log: &PartitionLog, isolation: Isolation) -> Result<u64> {
    let mut offset = 0;
    let mut bytes = 0;
    loop {
        let slice = log.read(offset, 1 << 20, isolation, true)?;
        bytes += slice.bytes.len() as u64;
        let last = last_batch_end(&slice.bytes)?;
        match last {
            Some(next) => offset = next,
            None => return Ok(bytes),
        }
    }
}

/// What a client would do; its cost is in the figure.
fn last_batch_end(bytes: &Bytes) -> Result<Option<i64>> {
    let mut end = None;
    for item in batches(bytes.clone()) {
        end = Some(item?.0.next_offset());
    }
    Ok(end)
}

fn reopen(dir: &Path) -> Result<()> {
    for what in ["after a stop", "without checkpoint"] {
        let meter = Meter::start();
        let log = PartitionLog::open(dir, LogConfig::default())?;
        let size = log.size_bytes()?;
        meter.report(&format!("open {what}"), 0, size);
        drop(log);
        // There is none after the second round: nothing was closed.
        let _ = std::fs::remove_file(dir.join("checkpoint"));
    }
    Ok(())
}

fn transactions(dir: &Path) -> Result<()> {
    let log = PartitionLog::open(dir, LogConfig::default())?;
    let meter = Meter::start();
    let rounds = 50_000;
    for round in 0..rounds {
        let batch = BatchBuilder::new(NOW).producer(round % 50, 0, -1, true);
        let mut batch = batch;
        batch.push(Some(b"k"), Some(&[b'v'; VALUE]));
        log.append(batch.finish(), AppendOrigin::Coordinator, NOW)?;
        let kind = if round % 2 == 0 {
            MarkerKind::Abort
        } else {
            MarkerKind::Commit
        };
        log.append_marker(round % 50, 0, kind, 0, NOW)?;
    }
    meter.report(
        "transactions of one record, half aborted",
        rounds as u64,
        log.size_bytes()?,
    );
    let meter = Meter::start();
    let bytes = read_all(&log, Isolation::ReadCommitted)?;
    meter.report("read them back, ReadCommitted", rounds as u64, bytes);
    Ok(())
}

fn compaction(dir: &Path) -> Result<()> {
    let mut config = LogConfig::default();
    for (name, value) in [("cleanup.policy", "compact"), ("segment.bytes", "67108864")] {
        config.set(name, value)?;
    }
    let log = PartitionLog::open(dir, config)?;
    let records = 1_000_000_u64;
    for round in 0..records / 100 {
        let mut builder = BatchBuilder::new(NOW);
        for index in 0..100 {
            let key = (round * 100 + index).wrapping_mul(2_654_435_761) % 100_000;
            builder.push(Some(&key.to_be_bytes()), Some(&[b'v'; VALUE]));
        }
        log.append(builder.finish(), AppendOrigin::Client, NOW)?;
    }
    let size = log.size_bytes()?;
    let meter = Meter::start();
    let freed = log.compact(NOW)?;
    meter.report("compact, 100,000 keys", records, size);
    println!("{:40} {} MB of {} MB freed", "", freed >> 20, size >> 20);
    Ok(())
}

/// How long a store of many partitions takes to start, after a stop and after a kill.
fn start(root: &Path, topics: usize, partitions: usize, kilobytes: usize) -> Result<()> {
    let chunk = produced(-1, 0, 50);
    let store = LogStore::open(root, StoreOptions::default(), NOW)?;
    let meter = Meter::start();
    for topic in 0..topics {
        let topic = store.create_topic(&format!("t{topic}"), partitions, BTreeMap::new())?;
        for log in topic.partitions() {
            for _ in 0..(kilobytes << 10) / chunk.len() {
                log.append(chunk.clone(), AppendOrigin::Coordinator, NOW)?;
            }
        }
    }
    meter.report(
        "create and fill",
        0,
        (topics * partitions * kilobytes) as u64 * 1024,
    );
    drop(store);
    for what in ["after a kill", "after a kill and one use", "after a stop"] {
        let meter = Meter::start();
        let store = LogStore::open(root, StoreOptions::default(), NOW)?;
        meter.report(&format!("start {what}"), 0, 0);
        let meter = Meter::start();
        for topic in store.topics() {
            for log in topic.partitions() {
                log.bounds()?;
            }
        }
        meter.report("open every partition", 0, 0);
        if what == "after a kill and one use" {
            let meter = Meter::start();
            store.close()?;
            meter.report("close", 0, 0);
        }
    }
    Ok(())
}

struct Meter {
    wall: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> Meter {
        Meter {
            wall: Instant::now(),
            cpu: cpu(),
        }
    }

    fn report(&self, what: &str, records: u64, bytes: u64) {
        let wall = self.wall.elapsed().as_secs_f64();
        let cpu = (cpu() - self.cpu).as_secs_f64();
        println!(
            "{what:40} {:7.3} s wall {cpu:7.3} s CPU {:8.0} MB/s {:8.3} CPU us/record, RSS {} MB",
            wall,
            bytes as f64 / 1e6 / wall,
            cpu * 1e6 / records.max(1) as f64,
            rss_mb()
        );
    }
}

/// Time this thread was on a processor.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|field| field.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn rss_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096 / (1 << 20)
}
