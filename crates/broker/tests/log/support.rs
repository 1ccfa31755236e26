//! Logs in temporary directories, and reading them back record by record.

use std::path::Path;

use bytes::{Buf, Bytes};
use kafka_protocol::records::RecordBatchDecoder;
use milena_broker::log::batch::batches;
use milena_broker::log::{
    AppendError, AppendOrigin, Appended, BatchBuilder, Isolation, LogConfig, PartitionLog,
};

/// The clock of the tests.
pub(crate) const NOW: i64 = 1_700_000_000_000;

/// A directory for a test that syncs thousands of times: in memory where there is such a place. A
/// killed process leaves the same behind there as on a disk.
pub(crate) fn quick_dir() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// One record as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

pub(crate) fn open(dir: &Path, config: LogConfig) -> PartitionLog {
    PartitionLog::open(dir, config).unwrap()
}

pub(crate) fn config(settings: &[(&str, &str)]) -> LogConfig {
    let mut config = LogConfig::default();
    for (name, value) in settings {
        assert!(config.set(name, value).unwrap(), "{name}");
    }
    config
}

/// A batch of keyed records.
pub(crate) fn batch(records: &[(&str, Option<&str>)]) -> Bytes {
    let mut builder = BatchBuilder::new(NOW);
    for (key, value) in records {
        builder.push(Some(key.as_bytes()), value.map(str::as_bytes));
    }
    builder.finish()
}

/// A batch of `count` records of a producer.
pub(crate) fn produced(
    id: i64,
    epoch: i16,
    sequence: i32,
    count: usize,
    transactional: bool,
) -> Bytes {
    let mut builder = BatchBuilder::new(NOW).producer(id, epoch, sequence, transactional);
    for index in 0..count {
        let value = format!("p{id}-{}", i64::from(sequence) + index as i64);
        builder.push(Some(b"k"), Some(value.as_bytes()));
    }
    builder.finish()
}

pub(crate) fn append(log: &PartitionLog, bytes: Bytes) -> Appended {
    try_append(log, bytes).unwrap()
}

pub(crate) fn try_append(log: &PartitionLog, bytes: Bytes) -> Result<Appended, AppendError> {
    log.append(bytes, AppendOrigin::Client, NOW)
}

/// All records from `offset`, read in slices of `max_bytes`, aborted transactions left out when
/// `isolation` asks for it, as a consumer does.
pub(crate) fn read_from(
    log: &PartitionLog,
    mut offset: i64,
    max_bytes: usize,
    isolation: Isolation,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    loop {
        let slice = log.read(offset, max_bytes, isolation, true).unwrap();
        let mut next = offset;
        let mut aborted = slice.aborted.clone();
        let mut skipping = std::collections::HashSet::new();
        for item in batches(slice.bytes.clone()) {
            let (header, bytes) = item.unwrap();
            assert!(header.last_offset() >= offset);
            next = header.next_offset();
            aborted.retain(|txn| {
                let reached = txn.first_offset <= header.last_offset();
                if reached {
                    skipping.insert(txn.producer_id);
                }
                !reached
            });
            if header.is_control() {
                skipping.remove(&header.producer_id);
                continue;
            }
            if header.is_transactional() && skipping.contains(&header.producer_id) {
                continue;
            }
            if header.records_count == 0 {
                continue;
            }
            for record in RecordBatchDecoder::decode(&mut bytes.clone())
                .unwrap()
                .records
            {
                if record.offset < offset {
                    continue;
                }
                seen.push(Seen {
                    offset: record.offset,
                    timestamp: record.timestamp,
                    key: text(record.key),
                    value: text(record.value),
                });
            }
        }
        if next == offset {
            return seen;
        }
        offset = next;
    }
}

pub(crate) fn read_all(log: &PartitionLog) -> Vec<Seen> {
    let start = log.log_start_offset().unwrap();
    read_from(log, start, 1 << 20, Isolation::ReadUncommitted)
}

pub(crate) fn values(seen: &[Seen]) -> Vec<String> {
    seen.iter()
        .map(|record| record.value.clone().unwrap_or_default())
        .collect()
}

fn text(bytes: Option<Bytes>) -> Option<String> {
    bytes.map(|mut bytes| {
        String::from_utf8(bytes.copy_to_bytes(bytes.remaining()).to_vec()).unwrap()
    })
}

/// Files with the ending, sorted.
pub(crate) fn files(dir: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// A copy of a directory, as a kill at this moment would leave it.
pub(crate) fn copy_dir(from: &Path) -> tempfile::TempDir {
    let to = quick_dir();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.path().join(entry.file_name())).unwrap();
    }
    to
}
