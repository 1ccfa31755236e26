//! Committed offsets in `__consumer_offsets`, in Kafka's own record format, so that tools that read the
//! topic understand it. Offsets of open transactions are pending until their marker.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::records::RecordBatchDecoder;

use crate::{
    clock::now_ms,
    log::{
        AppendOrigin, BatchBuilder, Isolation, LogStore, MarkerKind, PartitionLog, batch::batches,
    },
};

/// The topic of committed offsets.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";
const KEY_VERSION: i16 = 1;
const VALUE_VERSION: i16 = 3;
const READ_BYTES: usize = 1 << 20;

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
}

pub(crate) type Partition = (String, i32);
type Table = BTreeMap<String, BTreeMap<Partition, CommittedOffset>>;
type Change = (String, Partition, Option<CommittedOffset>);

/// All committed offsets, by group.
#[derive(Default)]
pub(crate) struct Offsets {
    pub(crate) committed: Table,
    /// By producer id: what becomes true when its transaction commits.
    pending: HashMap<i64, Vec<Change>>,
}

impl Offsets {
    /// Reads the topic from its start.
    pub(crate) fn load(store: &LogStore) -> io::Result<Self> {
        let mut offsets = Self::default();
        let Some(topic) = store.topic(OFFSETS_TOPIC) else {
            return Ok(offsets);
        };
        for partition in topic.partitions() {
            offsets.read(partition)?;
        }
        Ok(offsets)
    }

    fn read(&mut self, partition: &PartitionLog) -> io::Result<()> {
        let mut at = partition.log_start_offset()?;
        loop {
            let slice = partition.read(at, READ_BYTES, Isolation::ReadUncommitted, true);
            let slice = slice.map_err(io::Error::other)?;
            if slice.bytes.is_empty() {
                return Ok(());
            }
            for batch in batches(slice.bytes) {
                let (header, bytes) = batch.map_err(io::Error::other)?;
                at = header.next_offset();
                let set =
                    RecordBatchDecoder::decode(&mut bytes.clone()).map_err(io::Error::other)?;
                if header.is_control() {
                    let commit = set
                        .records
                        .first()
                        .and_then(|r| r.key.as_ref())
                        .is_some_and(|key| key.get(3) == Some(&1));
                    let kind = if commit {
                        MarkerKind::Commit
                    } else {
                        MarkerKind::Abort
                    };
                    self.end_transaction(header.producer_id, kind);
                    continue;
                }
                for record in set.records {
                    let Some(change) = record.key.and_then(|key| decode(key, record.value)) else {
                        continue;
                    };
                    if header.is_transactional() {
                        self.pending
                            .entry(header.producer_id)
                            .or_default()
                            .push(change);
                    } else {
                        self.apply(change);
                    }
                }
            }
        }
    }

    fn apply(&mut self, (group, partition, offset): Change) {
        match offset {
            Some(offset) => {
                self.committed
                    .entry(group)
                    .or_default()
                    .insert(partition, offset);
            }
            None => {
                if let Some(table) = self.committed.get_mut(&group) {
                    table.remove(&partition);
                    if table.is_empty() {
                        self.committed.remove(&group);
                    }
                }
            }
        }
    }

    /// Writes and takes up changes: at once, or with the transaction of a producer.
    pub(crate) fn write(
        &mut self,
        store: &LogStore,
        producer: Option<(i64, i16)>,
        changes: Vec<Change>,
    ) -> io::Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let partition = offsets_partition(store)?;
        let now = now_ms();
        let mut batch = BatchBuilder::new(now);
        if let Some((id, epoch)) = producer {
            batch = batch.producer(id, epoch, -1, true);
        }
        for (group, partition, offset) in &changes {
            let (key, value) = encode(group, partition, offset.as_ref(), now);
            batch.push(Some(&key), value.as_deref());
        }
        partition
            .append(batch.finish(), AppendOrigin::Coordinator, now)
            .map_err(io::Error::other)?;
        match producer {
            Some((id, _)) => self.pending.entry(id).or_default().extend(changes),
            None => changes.into_iter().for_each(|change| self.apply(change)),
        }
        Ok(())
    }

    /// A producer's transaction has ended; its marker is written.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, kind: MarkerKind) {
        let changes = self.pending.remove(&producer_id).unwrap_or_default();
        if matches!(kind, MarkerKind::Commit) {
            changes.into_iter().for_each(|change| self.apply(change));
        }
    }

    /// What removes all offsets of a topic; those of open transactions are dropped here.
    pub(crate) fn of_topic(&mut self, topic: &str) -> Vec<Change> {
        for changes in self.pending.values_mut() {
            changes.retain(|(_, (name, _), _)| name != topic);
        }
        let all = self.committed.iter();
        all.flat_map(|(group, table)| table.keys().map(move |at| (group, at)))
            .filter(|(_, (name, _))| name == topic)
            .map(|(group, at)| (group.clone(), at.clone(), None))
            .collect()
    }

    /// Whether an open transaction would change this offset.
    pub(crate) fn is_pending(&self, group: &str, partition: &Partition) -> bool {
        self.pending
            .values()
            .flatten()
            .any(|(g, p, _)| g == group && p == partition)
    }
}

/// The partition that holds the offsets; made when it is missing.
pub(crate) fn offsets_partition(store: &LogStore) -> io::Result<std::sync::Arc<PartitionLog>> {
    if store.topic(OFFSETS_TOPIC).is_none() {
        let config = BTreeMap::from([("cleanup.policy".to_owned(), "compact".to_owned())]);
        if let Err(error) = store.create_topic(OFFSETS_TOPIC, 1, config)
            && store.topic(OFFSETS_TOPIC).is_none()
        {
            return Err(io::Error::other(error));
        }
    }
    store
        .partition(OFFSETS_TOPIC, 0)
        .ok_or_else(|| io::Error::other("no partition for committed offsets"))
}

fn put_string(out: &mut BytesMut, text: &str) {
    let bytes = text.as_bytes();
    let length = i16::try_from(bytes.len()).unwrap_or(i16::MAX);
    out.put_i16(length);
    out.put_slice(
        bytes
            .get(..usize::from(length.unsigned_abs()))
            .unwrap_or(bytes),
    );
}

fn get_string(from: &mut Bytes) -> Option<String> {
    let length = usize::try_from(from.try_get_i16().ok()?).ok()?;
    (from.len() >= length).then(|| String::from_utf8_lossy(&from.split_to(length)).into_owned())
}

fn encode(
    group: &str,
    (topic, partition): &Partition,
    offset: Option<&CommittedOffset>,
    now: i64,
) -> (Bytes, Option<Bytes>) {
    let mut key = BytesMut::new();
    key.put_i16(KEY_VERSION);
    put_string(&mut key, group);
    put_string(&mut key, topic);
    key.put_i32(*partition);
    let value = offset.map(|offset| {
        let mut value = BytesMut::new();
        value.put_i16(VALUE_VERSION);
        value.put_i64(offset.offset);
        value.put_i32(offset.leader_epoch);
        put_string(&mut value, &offset.metadata);
        value.put_i64(now);
        value.freeze()
    });
    (key.freeze(), value)
}

fn decode(mut key: Bytes, value: Option<Bytes>) -> Option<Change> {
    let version = key.try_get_i16().ok()?;
    if !(0..=1).contains(&version) {
        return None;
    }
    let group = get_string(&mut key)?;
    let topic = get_string(&mut key)?;
    let partition = key.try_get_i32().ok()?;
    let offset = match value {
        Some(mut value) => {
            let version = value.try_get_i16().ok()?;
            let offset = value.try_get_i64().ok()?;
            let leader_epoch = if version >= 3 {
                value.try_get_i32().ok()?
            } else {
                -1
            };
            let metadata = get_string(&mut value)?;
            Some(CommittedOffset {
                offset,
                leader_epoch,
                metadata,
            })
        }
        None => None,
    };
    Some((group, (topic, partition), offset))
}
