//! The data directory: its lock, its format version, its topics.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{ConfigError, LogConfig, PartitionLog};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Settings of topics without overrides (the broker's defaults).
    pub defaults: LogConfig,
    /// Most segment files held open at a time.
    pub open_files_max: usize,
    /// `producer.id.expiration.ms`: idle time after which a producer is forgotten.
    pub producer_id_expiration: Duration,
    /// Idle time after which an opened partition is closed again, so that memory follows use.
    pub partition_idle: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            defaults: LogConfig::default(),
            open_files_max: 512,
            producer_id_expiration: Duration::from_secs(24 * 60 * 60),
            partition_idle: Duration::from_secs(10 * 60),
        }
    }
}

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process uses it.
    #[error("data directory {} is in use by another process: stop it or choose another directory", .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// It was written by a newer program.
    #[error("data directory {} has format {found}, this program knows up to {supported}: use the newer program or an empty directory", .dir.display())]
    NewerFormat {
        /// The directory.
        dir: PathBuf,
        /// Format found.
        found: u32,
        /// Newest format known.
        supported: u32,
    },
    /// It cannot be created or written.
    #[error("data directory {} is not writable: {source}; check its owner and that the disk is not full", .dir.display())]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} is not a data directory of this program: {reason}; choose an empty directory", .dir.display())]
    Foreign {
        /// The directory.
        dir: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file in it cannot be read.
    #[error("data directory {} cannot be read: {source}", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a topic operation failed; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A topic of that name exists.
    #[error("topic {0:?} already exists")]
    TopicExists(String),
    /// No topic of that name.
    #[error("topic {0:?} does not exist")]
    UnknownTopic(String),
    /// The name is not a legal topic name.
    #[error("topic name {0:?} is not legal")]
    InvalidName(String),
    /// Fewer partitions than there are, or none.
    #[error("topic {name:?} cannot have {requested} partitions, it has {current}")]
    InvalidPartitions {
        /// The topic.
        name: String,
        /// Partitions asked for.
        requested: usize,
        /// Partitions there are.
        current: usize,
    },
    /// A setting does not parse.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Storage.
    #[error("topic storage failed: {0}")]
    Io(#[from] io::Error),
}

/// A topic at one moment; a change makes a new value.
#[derive(Debug)]
pub struct Topic {
    id: Uuid,
    name: String,
    overrides: BTreeMap<String, String>,
    partitions: Vec<Arc<PartitionLog>>,
}

impl Topic {
    /// The topic id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Settings that differ from the broker's defaults, by Kafka's names.
    #[must_use]
    pub fn overrides(&self) -> &BTreeMap<String, String> {
        &self.overrides
    }

    /// The logs, by partition index.
    #[must_use]
    pub fn partitions(&self) -> &[Arc<PartitionLog>] {
        &self.partitions
    }

    /// The log of one partition.
    #[must_use]
    pub fn partition(&self, index: i32) -> Option<&Arc<PartitionLog>> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

/// What a round of maintenance did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// Bytes removed by retention.
    pub bytes_removed: u64,
    /// Bytes freed by compaction.
    pub bytes_compacted: u64,
    /// Partitions flushed.
    pub flushed: usize,
    /// Partitions whose files were closed for being idle.
    pub closed: usize,
    /// Partitions where something failed (logged).
    pub failed: usize,
}

/// The data directory.
#[derive(Debug)]
pub struct LogStore {}

fn later() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "storage is not there yet")
}

impl LogStore {
    /// Locks and opens `dir`, creating it if needed. Partitions are opened on first use, so this is
    /// quick whatever the data.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path, _options: StoreOptions, _now_ms: i64) -> Result<LogStore, OpenError> {
        Err(OpenError::Io {
            dir: dir.to_owned(),
            source: later(),
        })
    }

    /// All topics, by name.
    #[must_use]
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        Vec::new()
    }

    /// A topic by name.
    #[must_use]
    pub fn topic(&self, _name: &str) -> Option<Arc<Topic>> {
        None
    }

    /// A topic by id.
    #[must_use]
    pub fn topic_by_id(&self, _id: Uuid) -> Option<Arc<Topic>> {
        None
    }

    /// The log of a partition.
    #[must_use]
    pub fn partition(&self, _topic: &str, _index: i32) -> Option<Arc<PartitionLog>> {
        None
    }

    /// Creates a topic, durable when this returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn create_topic(
        &self,
        name: &str,
        _partitions: usize,
        _overrides: BTreeMap<String, String>,
    ) -> Result<Arc<Topic>, StoreError> {
        Err(StoreError::InvalidName(name.to_owned()))
    }

    /// Deletes a topic and its data. Readers holding a partition finish on what they have open.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn delete_topic(&self, name: &str) -> Result<(), StoreError> {
        Err(StoreError::UnknownTopic(name.to_owned()))
    }

    /// Raises the number of partitions to `total`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn add_partitions(&self, name: &str, _total: usize) -> Result<Arc<Topic>, StoreError> {
        Err(StoreError::UnknownTopic(name.to_owned()))
    }

    /// Replaces all overrides of a topic and applies them to its partitions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn set_overrides(
        &self,
        name: &str,
        _overrides: BTreeMap<String, String>,
    ) -> Result<Arc<Topic>, StoreError> {
        Err(StoreError::UnknownTopic(name.to_owned()))
    }

    /// Replaces the broker's defaults and applies them to every topic.
    ///
    /// # Errors
    /// Stored overrides of a topic do not parse.
    pub fn set_defaults(&self, _defaults: LogConfig) -> Result<(), StoreError> {
        Ok(())
    }

    /// One round of background work: retention, compaction that is due, flush that is due, closing
    /// of idle partitions. Blocking; call it every few seconds from a blocking thread.
    pub fn maintain(&self, _now_ms: i64) -> MaintenanceReport {
        MaintenanceReport::default()
    }

    /// Syncs and closes everything, so that the next start scans nothing.
    ///
    /// # Errors
    /// The first failure; the others are still closed.
    pub fn close(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether `name` is a legal topic name (letters, digits, `.`, `_`, `-`; at most 249; not `.`, `..`).
#[must_use]
pub fn valid_topic_name(name: &str) -> bool {
    const NAME_LEN_MAX: usize = 249;
    !name.is_empty()
        && name.len() <= NAME_LEN_MAX
        && name != "."
        && name != ".."
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
