//! The fold of the config topic: the state of the cluster as far as it has been read.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{ClusterChange, ConfigDecodeError, ConfigRecord, RawProps, SessionKey, TargetState};
use crate::{ConnectorName, TaskId};

/// A connector as it stands in the topic.
#[derive(Clone, Debug)]
struct Entry {
    config: Arc<RawProps>,
    /// The configuration that was current when the task set was last committed.
    applied: Option<Arc<RawProps>>,
    task_count: u32,
    /// May hold more than `task_count` tasks: leftovers of larger sets, which are never listed.
    tasks: BTreeMap<u32, Arc<RawProps>>,
    /// The last commit named tasks without configuration: no task may run (`TaskSetAtomic`).
    inconsistent: bool,
}

/// Whether zombies must be fenced before source tasks start (KIP-618, spec 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FencingNeed {
    /// The recorded task count is up to date.
    None,
    /// Only the task count must be recorded: no older tasks can be in the way.
    RecordOnly,
    /// This many task ids must be fenced, then the count recorded.
    Fence(u32),
}

/// What a worker knows of the cluster. `ClusterConfigState` and the store's bookkeeping in one.
#[derive(Clone, Debug)]
pub struct ClusterSnapshot {
    offset: i64,
    loading: bool,
    connectors: BTreeMap<ConnectorName, Entry>,
    targets: BTreeMap<ConnectorName, TargetState>,
    /// Task records that no commit has made effective yet; present (even empty) once any was read.
    deferred: BTreeMap<ConnectorName, BTreeMap<u32, Arc<RawProps>>>,
    generations: BTreeMap<ConnectorName, u32>,
    /// Kept beyond the life of a connector: a recreated one must still fence its forerunner's tasks.
    recorded_counts: BTreeMap<ConnectorName, u32>,
    pending_fencing: BTreeSet<ConnectorName>,
    session_key: Option<SessionKey>,
}

impl Default for ClusterSnapshot {
    fn default() -> Self {
        Self {
            offset: -1,
            loading: true,
            connectors: BTreeMap::new(),
            targets: BTreeMap::new(),
            deferred: BTreeMap::new(),
            generations: BTreeMap::new(),
            recorded_counts: BTreeMap::new(),
            pending_fencing: BTreeSet::new(),
            session_key: None,
        }
    }
}

impl ClusterSnapshot {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The config offset that is exchanged in the group: one past the last decodable record, -1 before any.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// Loading is over: from now on records are changes to act on.
    pub fn loaded(&mut self) {
        self.loading = false;
    }

    /// The names of all connectors, in order.
    pub fn connectors(&self) -> impl ExactSizeIterator<Item = &ConnectorName> {
        self.connectors.keys()
    }

    /// Whether there is such a connector.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.connectors.contains_key(name)
    }

    /// A connector's configuration as stored.
    #[must_use]
    pub fn config(&self, name: &str) -> Option<&Arc<RawProps>> {
        self.connectors.get(name).map(|entry| &entry.config)
    }

    /// The configuration that was current when the tasks were last committed.
    #[must_use]
    pub fn applied_config(&self, name: &str) -> Option<&Arc<RawProps>> {
        self.connectors.get(name)?.applied.as_ref()
    }

    /// What a connector should do; STARTED when nothing else was said.
    #[must_use]
    pub fn target(&self, name: &str) -> TargetState {
        self.targets.get(name).copied().unwrap_or_default()
    }

    /// The tasks that may run, in order: none while the set is inconsistent.
    pub fn tasks(&self, name: &str) -> impl Iterator<Item = TaskId> + use<> {
        let found = self.connectors.get_key_value(name);
        let found = found.filter(|(_, entry)| !entry.inconsistent);
        let count = found.map_or(0, |(_, entry)| entry.task_count);
        let name = found.map(|(name, _)| name.clone());
        name.into_iter()
            .flat_map(move |name| (0..count).map(move |task| name.task(task)))
    }

    /// The number of tasks last committed, whether or not the set is complete.
    #[must_use]
    pub fn task_count(&self, name: &str) -> u32 {
        self.connectors
            .get(name)
            .map_or(0, |entry| entry.task_count)
    }

    /// Whether the last commit named tasks without configuration.
    #[must_use]
    pub fn is_inconsistent(&self, name: &str) -> bool {
        self.connectors
            .get(name)
            .is_some_and(|entry| entry.inconsistent)
    }

    /// Whether task records of this connector were read that no commit has followed: the rest of a write that failed
    /// half-way.
    #[must_use]
    pub fn has_unfinished_tasks(&self, name: &str) -> bool {
        self.deferred
            .get(name)
            .is_some_and(|tasks| !tasks.is_empty())
    }

    /// The connectors of [`Self::has_unfinished_tasks`].
    pub fn unfinished(&self) -> impl Iterator<Item = &ConnectorName> {
        let unfinished = self.deferred.iter().filter(|(_, tasks)| !tasks.is_empty());
        unfinished.map(|(name, _)| name)
    }

    /// A task's configuration as stored; none for a task that may not run.
    #[must_use]
    pub fn task_config(&self, id: &TaskId) -> Option<&Arc<RawProps>> {
        let entry = self.connectors.get(&id.connector)?;
        let listed = !entry.inconsistent && id.task < entry.task_count;
        entry.tasks.get(&id.task).filter(|_| listed)
    }

    /// All task configurations of a connector as stored, in order.
    #[must_use]
    pub fn task_configs(&self, name: &str) -> Vec<Arc<RawProps>> {
        let tasks = self.tasks(name);
        tasks
            .filter_map(|id| self.task_config(&id).cloned())
            .collect()
    }

    /// How often the task set was committed while this worker lives; tells a stale task from a current one.
    #[must_use]
    pub fn generation(&self, name: &str) -> Option<u32> {
        self.generations.get(name).copied()
    }

    /// The key with which internal requests are signed.
    #[must_use]
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.session_key.as_ref()
    }

    /// What must happen before source tasks of this connector start under exactly-once.
    #[must_use]
    pub fn fencing_need(&self, name: &str) -> FencingNeed {
        if !self.pending_fencing.contains(name) {
            return FencingNeed::None;
        }
        match self.recorded_counts.get(name) {
            None => FencingNeed::RecordOnly,
            Some(1) if self.task_count(name) == 1 => FencingNeed::RecordOnly,
            Some(count) => FencingNeed::Fence(*count),
        }
    }

    /// Everything that is known, as records that a new topic would have to hold.
    #[must_use]
    pub fn records(&self) -> Vec<ConfigRecord> {
        let mut records = Vec::new();
        for (name, entry) in &self.connectors {
            records.push(ConfigRecord::Connector {
                name: name.clone(),
                config: Some((*entry.config).clone()),
            });
            if let Some(state) = self.targets.get(name) {
                let (name, state) = (name.clone(), Some(*state));
                records.push(ConfigRecord::Target { name, state });
            }
            if entry.inconsistent || entry.applied.is_none() {
                continue;
            }
            let tasks = entry.tasks.range(..entry.task_count);
            records.extend(tasks.map(|(task, config)| ConfigRecord::Task {
                id: name.task(*task),
                config: (**config).clone(),
            }));
            records.push(ConfigRecord::Commit {
                name: name.clone(),
                tasks: Some(entry.task_count),
            });
        }
        let counts = self.recorded_counts.iter();
        records.extend(
            counts
                .filter(|(name, _)| !self.pending_fencing.contains(*name))
                .map(|(name, tasks)| ConfigRecord::TaskCount {
                    name: name.clone(),
                    tasks: *tasks,
                }),
        );
        records.extend(self.session_key.clone().map(ConfigRecord::SessionKey));
        records
    }

    /// Takes up one record of the topic; answers what it changed, nothing while loading.
    ///
    /// # Errors
    /// The record is passed over, for the reason given. Reading goes on.
    pub fn apply(
        &mut self,
        offset: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Option<ClusterChange>, ConfigDecodeError> {
        let decoded = ConfigRecord::decode(key, value);
        if !matches!(decoded, Err(ConfigDecodeError::NotJson { .. })) {
            self.offset = offset + 1;
        }
        let change = self.take_up(decoded?);
        Ok(change.filter(|_| !self.loading))
    }

    fn take_up(&mut self, record: ConfigRecord) -> Option<ClusterChange> {
        match record {
            ConfigRecord::Connector { name, config } => Some(match config {
                Some(config) => self.put_connector(name, config),
                None => self.remove_connector(name),
            }),
            ConfigRecord::Target { name, state } => self.put_target(name, state),
            ConfigRecord::Task { id, config } => {
                self.deferred
                    .entry(id.connector)
                    .or_default()
                    .insert(id.task, Arc::new(config));
                None
            }
            ConfigRecord::Commit { name, tasks } => self.commit(name, tasks),
            ConfigRecord::TaskCount { name, tasks } => {
                self.pending_fencing.remove(&name);
                self.recorded_counts.insert(name, tasks);
                None
            }
            ConfigRecord::SessionKey(key) => {
                self.session_key = Some(key);
                Some(ClusterChange::SessionKey)
            }
            ConfigRecord::Restart(request) => Some(ClusterChange::Restart(request)),
            ConfigRecord::LoggerLevel { namespace, level } => {
                Some(ClusterChange::LoggerLevel { namespace, level })
            }
        }
    }

    fn put_connector(&mut self, name: ConnectorName, config: RawProps) -> ClusterChange {
        let config = Arc::new(config);
        self.targets.entry(name.clone()).or_default();
        let is_new = match self.connectors.get_mut(&name) {
            Some(entry) => {
                entry.config = config;
                false
            }
            None => {
                let entry = Entry {
                    config,
                    applied: None,
                    task_count: 0,
                    tasks: BTreeMap::new(),
                    inconsistent: false,
                };
                self.connectors.insert(name.clone(), entry);
                true
            }
        };
        ClusterChange::Connector { name, is_new }
    }

    fn remove_connector(&mut self, name: ConnectorName) -> ClusterChange {
        // DeletedStaysDeleted: staged task records die with their connector.
        self.deferred.remove(&name);
        let was_known = self.connectors.remove(&name).is_some();
        ClusterChange::Removed { name, was_known }
    }

    fn put_target(
        &mut self,
        name: ConnectorName,
        state: Option<TargetState>,
    ) -> Option<ClusterChange> {
        let known = self.connectors.contains_key(&name);
        let Some(state) = state else {
            self.targets.remove(&name);
            if known {
                self.targets.insert(name, TargetState::Started);
            }
            return None;
        };
        let before = self.targets.insert(name.clone(), state);
        (known && before != Some(state)).then_some(ClusterChange::Target { name, state })
    }

    fn commit(&mut self, name: ConnectorName, count: Option<u32>) -> Option<ClusterChange> {
        let Some(entry) = self.connectors.get_mut(&name) else {
            // KAFKA-16838: compaction took the deletion away, the leftovers must not revive anything.
            self.deferred.remove(&name);
            return None;
        };
        let count = count?;
        // The emptied map stays: Java advances the generation with every later commit, be it an empty set.
        let staged = self.deferred.get_mut(&name).map(std::mem::take);
        let has = |task| staged.as_ref().is_some_and(|map| map.contains_key(&task));
        // TaskSetAtomic: all of the set or nothing of it. The walk ends at the first gap, so that a forged
        // count costs nothing.
        let complete = (0..count).all(has);
        let mut updated = Vec::new();
        if complete {
            if let Some(staged) = staged {
                updated = staged.keys().copied().collect();
                entry.tasks.extend(staged);
                let generation = self.generations.get(&name).map_or(0, |g| g + 1);
                self.generations.insert(name.clone(), generation);
            }
            entry.applied = Some(Arc::clone(&entry.config));
        }
        entry.inconsistent = !complete;
        entry.task_count = count;
        self.pending_fencing.insert(name.clone());
        Some(ClusterChange::Tasks { name, updated })
    }
}
