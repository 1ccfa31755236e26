//! All groups of the broker, and the timer that steps them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{
    CommittedOffset, GROUP_ID_NOT_FOUND, GroupState, ILLEGAL_GENERATION, Join, JoinAnswer,
    MemberDescription, NON_EMPTY_GROUP, NONE, SyncAnswer, UNKNOWN_MEMBER_ID, UNKNOWN_SERVER_ERROR,
    offsets::{Offsets, Partition},
};
use crate::log::{LogStore, MarkerKind};

/// The groups.
pub(crate) struct Groups {
    groups: Mutex<BTreeMap<String, GroupState>>,
    offsets: Mutex<Offsets>,
    initial_delay: Duration,
    changed: Notify,
}

/// A group for DescribeGroups and ListGroups.
pub(crate) struct Description {
    pub(crate) state: &'static str,
    pub(crate) protocol_type: String,
    pub(crate) protocol: String,
    pub(crate) members: Vec<MemberDescription>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Groups {
    pub(crate) fn load(store: &LogStore, initial_delay: Duration) -> io::Result<Self> {
        Ok(Self {
            groups: Mutex::default(),
            offsets: Mutex::new(Offsets::load(store)?),
            initial_delay,
            changed: Notify::new(),
        })
    }

    pub(crate) async fn join(&self, group: &str, join: Join) -> JoinAnswer {
        let (answer, answered) = oneshot::channel();
        let member_id = join.member_id.clone();
        {
            let mut groups = lock(&self.groups);
            let fresh = || GroupState::new(self.initial_delay);
            let state = groups.entry(group.to_owned()).or_insert_with(fresh);
            state.join(Instant::now(), join, answer);
        }
        self.changed.notify_one();
        let gone = JoinAnswer {
            error: UNKNOWN_MEMBER_ID,
            member_id,
            ..JoinAnswer::default()
        };
        answered.await.unwrap_or(gone)
    }

    pub(crate) async fn sync(
        &self,
        group: &str,
        member_id: &str,
        instance_id: Option<&str>,
        generation: i32,
        assignments: Vec<(String, bytes::Bytes)>,
    ) -> SyncAnswer {
        let unknown = SyncAnswer {
            error: UNKNOWN_MEMBER_ID,
            ..SyncAnswer::default()
        };
        let (answer, answered) = oneshot::channel();
        {
            let mut groups = lock(&self.groups);
            let Some(state) = groups.get_mut(group) else {
                return unknown;
            };
            state.sync(
                Instant::now(),
                member_id,
                instance_id,
                generation,
                assignments,
                answer,
            );
        }
        self.changed.notify_one();
        answered.await.unwrap_or(unknown)
    }

    fn with<T>(&self, group: &str, missing: T, act: impl FnOnce(&mut GroupState) -> T) -> T {
        let mut groups = lock(&self.groups);
        let outcome = groups.get_mut(group).map_or(missing, act);
        drop(groups);
        self.changed.notify_one();
        outcome
    }

    pub(crate) fn heartbeat(
        &self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> i16 {
        let now = Instant::now();
        self.with(group, UNKNOWN_MEMBER_ID, |state| {
            state.heartbeat(now, member, instance, generation)
        })
    }

    pub(crate) fn leave(&self, group: &str, member: &str, instance: Option<&str>) -> i16 {
        let now = Instant::now();
        self.with(group, UNKNOWN_MEMBER_ID, |state| {
            state.leave(now, member, instance)
        })
    }

    /// Whether this member may commit now.
    pub(crate) fn may_commit(
        &self,
        group: &str,
        member: &str,
        instance: Option<&str>,
        generation: i32,
        transactional: bool,
    ) -> i16 {
        // A group that never had members takes commits of nobody (offsets set by tools, `assign` mode).
        let missing = if generation < 0 {
            NONE
        } else if lock(&self.offsets).committed.contains_key(group) {
            // It is known by its offsets, and has no members.
            UNKNOWN_MEMBER_ID
        } else {
            ILLEGAL_GENERATION
        };
        let now = Instant::now();
        self.with(group, missing, |state| {
            state.may_commit(now, member, instance, generation, transactional)
        })
    }

    pub(crate) fn commit(
        &self,
        store: &LogStore,
        group: &str,
        producer: Option<(i64, i16)>,
        offsets: Vec<(Partition, CommittedOffset)>,
    ) -> i16 {
        // A group stays when its last offset is deleted.
        let fresh = || GroupState::new(self.initial_delay);
        let mut groups = lock(&self.groups);
        groups.entry(group.to_owned()).or_insert_with(fresh).keep();
        drop(groups);
        let changes = offsets
            .into_iter()
            .map(|(tp, offset)| (group.to_owned(), tp, Some(offset)));
        code(lock(&self.offsets).write(store, producer, changes.collect()))
    }

    pub(crate) fn delete_offsets(
        &self,
        store: &LogStore,
        group: &str,
        partitions: Vec<Partition>,
    ) -> i16 {
        let changes = partitions
            .into_iter()
            .map(|tp| (group.to_owned(), tp, None));
        code(lock(&self.offsets).write(store, None, changes.collect()))
    }

    /// Forgets what was committed for a deleted topic: one of the same name starts anew.
    pub(crate) fn forget_topic(&self, store: &LogStore, topic: &str) -> i16 {
        let mut offsets = lock(&self.offsets);
        let changes = offsets.of_topic(topic);
        code(offsets.write(store, None, changes))
    }

    pub(crate) fn end_transaction(&self, producer_id: i64, kind: MarkerKind) {
        lock(&self.offsets).end_transaction(producer_id, kind);
    }

    /// The committed offset, and whether an open transaction would change it.
    pub(crate) fn offset(
        &self,
        group: &str,
        partition: &Partition,
    ) -> (Option<CommittedOffset>, bool) {
        let offsets = lock(&self.offsets);
        let committed = offsets
            .committed
            .get(group)
            .and_then(|table| table.get(partition));
        (committed.cloned(), offsets.is_pending(group, partition))
    }

    /// The partitions of a group that have a committed offset.
    pub(crate) fn partitions(&self, group: &str) -> Vec<Partition> {
        let offsets = lock(&self.offsets);
        offsets
            .committed
            .get(group)
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// All groups that have members or offsets.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = lock(&self.offsets).committed.keys().cloned().collect();
        names.extend(lock(&self.groups).keys().cloned());
        names
    }

    pub(crate) fn describe(&self, group: &str) -> Option<Description> {
        let groups = lock(&self.groups);
        if let Some(state) = groups.get(group) {
            return Some(Description {
                state: state.state_name(),
                protocol_type: state.protocol_type().to_owned(),
                protocol: if state.is_stable() {
                    state.protocol().to_owned()
                } else {
                    String::new()
                },
                members: state.describe(),
            });
        }
        drop(groups);
        lock(&self.offsets)
            .committed
            .contains_key(group)
            .then(|| Description {
                state: "Empty",
                protocol_type: String::new(),
                protocol: String::new(),
                members: Vec::new(),
            })
    }

    /// Deletes a group without members, its offsets with it.
    pub(crate) fn delete(&self, store: &LogStore, group: &str) -> i16 {
        let mut groups = lock(&self.groups);
        match groups.get(group) {
            Some(state) if state.has_members() => return NON_EMPTY_GROUP,
            None if !lock(&self.offsets).committed.contains_key(group) => {
                return GROUP_ID_NOT_FOUND;
            }
            _ => {}
        }
        groups.remove(group);
        drop(groups);
        self.delete_offsets(store, group, self.partitions(group))
    }

    pub(crate) fn tick(&self) {
        let now = Instant::now();
        lock(&self.groups).retain(|_, state| {
            state.tick(now);
            // Names that were only ever asked with must not pile up.
            !state.is_unused()
        });
    }

    pub(crate) fn until_deadline(&self) -> Duration {
        let groups = lock(&self.groups);
        let next = groups.values().filter_map(GroupState::deadline).min();
        next.map_or(Duration::from_secs(60), |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

fn code(written: io::Result<()>) -> i16 {
    match written {
        Ok(()) => NONE,
        Err(error) => {
            tracing::error!(%error, "committed offsets could not be written");
            UNKNOWN_SERVER_ERROR
        }
    }
}
