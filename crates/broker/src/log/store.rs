//! The data directory: its lock, its format version, its topics.
//!
//! ```text
//! <dir>/lock                          held while a process uses the directory
//! <dir>/format                        format version
//! <dir>/topics/<name>/topic           id, partitions, settings
//! <dir>/topics/<name>/<partition>/    one partition (made on its first use)
//! <dir>/deleted/                      deleted topics whose files are still going
//! ```
//!
//! A topic change is durable when its call returns: written aside, synced, renamed, directory
//! synced. Opening reads the topic files alone; partitions open on first use. Answers to Java's
//! `LogManager`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing::warn;
use uuid::Uuid;

use super::data_dir::{DataDir, OpenError};
use super::files::{BufferPool, FilePool, lock, sync_dir};
use super::partition::Shared;
use super::topic_file::TopicFile;
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
    /// `log.retention.check.interval.ms`: time between two checks of a partition's retention.
    pub retention_check_interval: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions {
            defaults: LogConfig::default(),
            open_files_max: 512,
            producer_id_expiration: Duration::from_secs(24 * 60 * 60),
            partition_idle: Duration::from_secs(10 * 60),
            retention_check_interval: Duration::from_secs(5 * 60),
        }
    }
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

/// Time a stop spends on syncing.
const CLOSE_SYNC_MAX: Duration = Duration::from_secs(3);
/// Syncs in flight at a stop: file systems answer many at once as fast as one.
const CLOSE_THREADS: usize = 16;

/// The data directory.
#[derive(Debug)]
pub struct LogStore {
    dir: DataDir,
    shared: Arc<Shared>,
    pub(super) options: StoreOptions,
    defaults: Mutex<LogConfig>,
    topics: RwLock<Topics>,
    /// Held while topics change, so that files and memory change together.
    changes: Mutex<()>,
}

#[derive(Debug, Default)]
struct Topics {
    by_name: BTreeMap<String, Arc<Topic>>,
    by_id: HashMap<Uuid, Arc<Topic>>,
}

impl LogStore {
    /// Locks and opens `dir`, creating it if needed. Partitions are opened on first use, so this is
    /// quick whatever the data.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path, options: StoreOptions, now_ms: i64) -> Result<LogStore, OpenError> {
        let dir = DataDir::open(dir)?;
        let store = LogStore {
            shared: Arc::new(Shared {
                files: FilePool::new(options.open_files_max),
                buffers: Arc::<BufferPool>::default(),
                producer_id_expiration: options.producer_id_expiration,
                started_ms: now_ms,
            }),
            defaults: Mutex::new(options.defaults.clone()),
            options,
            topics: RwLock::default(),
            changes: Mutex::new(()),
            dir,
        };
        store.load().map_err(|source| OpenError::Io {
            dir: store.dir.path().to_owned(),
            source,
        })?;
        Ok(store)
    }

    fn load(&self) -> io::Result<()> {
        self.dir.sweep_deleted();
        for entry in fs::read_dir(self.dir.topics())? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| valid_topic_name(name)) else {
                continue;
            };
            let Some(file) = TopicFile::read(&entry.path())? else {
                // Killed between making the directory and writing the file: never acknowledged.
                warn!(topic = name, "directory without topic file ignored");
                continue;
            };
            let topic = self
                .assemble(name, file, &[])
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.publish(topic);
        }
        Ok(())
    }

    /// The directory, for what else the broker keeps in it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// All topics, by name.
    #[must_use]
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        self.read().by_name.values().cloned().collect()
    }

    /// A topic by name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<Arc<Topic>> {
        self.read().by_name.get(name).cloned()
    }

    /// A topic by id.
    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.read().by_id.get(&id).cloned()
    }

    /// The log of a partition.
    #[must_use]
    pub fn partition(&self, topic: &str, index: i32) -> Option<Arc<PartitionLog>> {
        self.read().by_name.get(topic)?.partition(index).cloned()
    }

    /// Creates a topic, durable when this returns.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn create_topic(
        &self,
        name: &str,
        partitions: usize,
        overrides: BTreeMap<String, String>,
    ) -> Result<Arc<Topic>, StoreError> {
        let _changes = lock(&self.changes);
        if !valid_topic_name(name) {
            return Err(StoreError::InvalidName(name.to_owned()));
        }
        if self.topic(name).is_some() {
            return Err(StoreError::TopicExists(name.to_owned()));
        }
        if partitions == 0 {
            return Err(StoreError::InvalidPartitions {
                name: name.to_owned(),
                requested: 0,
                current: 0,
            });
        }
        let file = TopicFile {
            id: Uuid::new_v4(),
            partitions,
            overrides,
        };
        let topic = self.assemble(name, file.clone(), &[])?;
        let dir = self.topic_dir(name);
        fs::create_dir_all(&dir)?;
        file.write(&dir)?;
        sync_dir(&self.dir.topics())?;
        Ok(self.publish(topic))
    }

    /// Deletes a topic and its data; every further use of its partitions fails.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn delete_topic(&self, name: &str) -> Result<(), StoreError> {
        let _changes = lock(&self.changes);
        let topic = self.known(name)?;
        for partition in topic.partitions() {
            partition.mark_deleted();
        }
        if let Err(error) = self.dir.set_aside(name, topic.id()) {
            // Still there: it goes on with partitions that work.
            let again = self.assemble(name, topic_file(&topic), &[])?;
            self.publish(again);
            return Err(error.into());
        }
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        topics.by_name.remove(name);
        topics.by_id.remove(&topic.id());
        drop(topics);
        self.dir.sweep_deleted();
        Ok(())
    }

    /// Raises the number of partitions to `total`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn add_partitions(&self, name: &str, total: usize) -> Result<Arc<Topic>, StoreError> {
        let _changes = lock(&self.changes);
        let topic = self.known(name)?;
        let current = topic.partitions().len();
        if total <= current {
            return Err(StoreError::InvalidPartitions {
                name: name.to_owned(),
                requested: total,
                current,
            });
        }
        let mut file = topic_file(&topic);
        file.partitions = total;
        let changed = self.assemble(name, file.clone(), topic.partitions())?;
        file.write(&self.topic_dir(name))?;
        Ok(self.publish(changed))
    }

    /// Replaces all overrides of a topic and applies them to its partitions.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn set_overrides(
        &self,
        name: &str,
        overrides: BTreeMap<String, String>,
    ) -> Result<Arc<Topic>, StoreError> {
        let _changes = lock(&self.changes);
        let topic = self.known(name)?;
        let config = lock(&self.defaults).with_overrides(&overrides)?;
        let mut file = topic_file(&topic);
        file.overrides = overrides;
        file.write(&self.topic_dir(name))?;
        let changed = self.assemble(name, file, topic.partitions())?;
        apply(&changed, config);
        Ok(self.publish(changed))
    }

    /// Replaces the broker's defaults and applies them to every topic.
    ///
    /// # Errors
    /// Stored overrides of a topic do not parse.
    pub fn set_defaults(&self, defaults: LogConfig) -> Result<(), StoreError> {
        let _changes = lock(&self.changes);
        for topic in self.topics() {
            apply(&topic, defaults.with_overrides(topic.overrides())?);
        }
        *lock(&self.defaults) = defaults;
        Ok(())
    }

    /// Syncs and closes everything, so that the next start scans nothing. After
    /// three seconds the rest is closed without sync: it is with the operating system, and
    /// only a loss of power before it is written makes the next open of those partitions scan.
    ///
    /// # Errors
    /// The first failure; the others are still closed.
    pub fn close(&self) -> io::Result<()> {
        let begin = Instant::now();
        let topics = self.topics();
        let open: Vec<&Arc<PartitionLog>> = topics
            .iter()
            .flat_map(|topic| topic.partitions())
            .filter(|log| log.is_open())
            .collect();
        let result = Mutex::new(Ok(()));
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(log) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                let closed = if begin.elapsed() < CLOSE_SYNC_MAX {
                    log.close()
                } else {
                    log.close_without_sync()
                };
                if closed.is_err() {
                    let mut result = lock(&result);
                    let first = std::mem::replace(&mut *result, Ok(()));
                    *result = first.and(closed);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..CLOSE_THREADS.min(open.len()) {
                scope.spawn(work);
            }
            work();
        });
        result.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Topics> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, name: &str) -> Result<Arc<Topic>, StoreError> {
        self.topic(name)
            .ok_or_else(|| StoreError::UnknownTopic(name.to_owned()))
    }

    fn topic_dir(&self, name: &str) -> PathBuf {
        self.dir.topics().join(name)
    }

    /// A topic value with the partitions there are and new ones up to the number.
    fn assemble(
        &self,
        name: &str,
        file: TopicFile,
        existing: &[Arc<PartitionLog>],
    ) -> Result<Topic, StoreError> {
        let config = Arc::new(lock(&self.defaults).with_overrides(&file.overrides)?);
        let dir = self.topic_dir(name);
        let mut partitions = existing.to_vec();
        for index in existing.len()..file.partitions {
            partitions.push(Arc::new(PartitionLog::closed(
                dir.join(index.to_string()),
                Arc::clone(&config),
                Arc::clone(&self.shared),
            )));
        }
        Ok(Topic {
            id: file.id,
            name: name.to_owned(),
            overrides: file.overrides,
            partitions,
        })
    }

    fn publish(&self, topic: Topic) -> Arc<Topic> {
        let topic = Arc::new(topic);
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        topics.by_id.insert(topic.id(), Arc::clone(&topic));
        topics
            .by_name
            .insert(topic.name().to_owned(), Arc::clone(&topic));
        topic
    }
}

fn topic_file(topic: &Topic) -> TopicFile {
    TopicFile {
        id: topic.id,
        partitions: topic.partitions.len(),
        overrides: topic.overrides.clone(),
    }
}

fn apply(topic: &Topic, config: LogConfig) {
    let config = Arc::new(config);
    for partition in topic.partitions() {
        partition.set_shared_config(Arc::clone(&config));
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
