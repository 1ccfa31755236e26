//! Records of `__transaction_state`, in Kafka's format: `TransactionLogKey` v0; `TransactionLogValue` v1 is written
//! (it has the ids before and after an overflow of the epoch), v0 is read too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::coordinator::{Phase, Transaction};

/// The tags of v1.
const FORMER_ID: u64 = 0;
const SUCCESSOR_ID: u64 = 1;

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

fn get_text(from: &mut Bytes, length: usize) -> Option<String> {
    (from.len() >= length).then(|| String::from_utf8_lossy(&from.split_to(length)).into_owned())
}

fn get_string(from: &mut Bytes) -> Option<String> {
    let length = usize::try_from(from.try_get_i16().ok()?).ok()?;
    get_text(from, length)
}

fn put_varint(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn get_varint(from: &mut Bytes) -> Option<u64> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let byte = from.try_get_u8().ok()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// The length of a compact array or text; nothing is as good as empty.
fn get_compact(from: &mut Bytes) -> Option<usize> {
    usize::try_from(get_varint(from)?.saturating_sub(1)).ok()
}

/// The tagged fields that are known: numbers of eight bytes.
fn get_tags(from: &mut Bytes) -> Option<BTreeMap<u64, i64>> {
    let mut tags = BTreeMap::new();
    for _ in 0..get_varint(from)? {
        let tag = get_varint(from)?;
        let size = usize::try_from(get_varint(from)?).ok()?;
        if from.len() < size {
            return None;
        }
        if let Ok(number) = from.split_to(size).try_get_i64() {
            tags.insert(tag, number);
        }
    }
    Some(tags)
}

pub(super) fn encode(id: &str, txn: &Transaction) -> (Bytes, Bytes) {
    let mut key = BytesMut::new();
    key.put_i16(0);
    put_string(&mut key, id);
    let mut value = BytesMut::new();
    value.put_i16(1);
    value.put_i64(txn.producer_id);
    value.put_i16(txn.epoch);
    value.put_i32(txn.timeout_ms);
    value.put_i8(txn.phase.number());
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, number) in &txn.partitions {
        topics.entry(topic).or_default().push(*number);
    }
    put_varint(&mut value, topics.len() as u64 + 1);
    for (topic, numbers) in topics {
        put_varint(&mut value, topic.len() as u64 + 1);
        value.put_slice(topic.as_bytes());
        put_varint(&mut value, numbers.len() as u64 + 1);
        for number in numbers {
            value.put_i32(number);
        }
        put_varint(&mut value, 0);
    }
    value.put_i64(txn.updated_ms);
    value.put_i64(txn.started_ms);
    let tags = [(FORMER_ID, txn.former_id), (SUCCESSOR_ID, txn.successor_id)];
    let told = tags.iter().filter(|(_, id)| *id >= 0);
    put_varint(&mut value, told.clone().count() as u64);
    for (tag, id) in told {
        put_varint(&mut value, *tag);
        put_varint(&mut value, 8);
        value.put_i64(*id);
    }
    (key.freeze(), value.freeze())
}

fn get_partitions(value: &mut Bytes, version: i16) -> Option<BTreeSet<(String, i32)>> {
    let count = |value: &mut Bytes| match version {
        0 => Some(usize::try_from(value.try_get_i32().ok()?).unwrap_or(0)),
        _ => get_compact(value),
    };
    let mut partitions = BTreeSet::new();
    for _ in 0..count(value)? {
        let topic = match version {
            0 => get_string(value)?,
            _ => {
                let length = get_compact(value)?;
                get_text(value, length)?
            }
        };
        for _ in 0..count(value)? {
            partitions.insert((topic.clone(), value.try_get_i32().ok()?));
        }
        if version > 0 {
            get_tags(value)?;
        }
    }
    Some(partitions)
}

pub(super) fn decode(
    mut key: Bytes,
    value: Option<Bytes>,
) -> Option<(String, Option<Transaction>)> {
    if key.try_get_i16().ok()? != 0 {
        return None;
    }
    let id = get_string(&mut key)?;
    let Some(mut value) = value else {
        return Some((id, None));
    };
    let version = value.try_get_i16().ok()?;
    if !(0..=1).contains(&version) {
        return None;
    }
    let producer_id = value.try_get_i64().ok()?;
    let epoch = value.try_get_i16().ok()?;
    let timeout_ms = value.try_get_i32().ok()?;
    let phase = Phase::from_number(value.try_get_i8().ok()?)?;
    let partitions = get_partitions(&mut value, version)?;
    let updated_ms = value.try_get_i64().ok()?;
    let started_ms = value.try_get_i64().ok()?;
    let tags = match version {
        0 => BTreeMap::new(),
        _ => get_tags(&mut value)?,
    };
    let id_of = |tag| tags.get(&tag).copied().unwrap_or(-1);
    let txn = Transaction {
        producer_id,
        epoch,
        timeout_ms,
        phase,
        partitions,
        updated_ms,
        started_ms,
        last_epoch: -1,
        former_id: id_of(FORMER_ID),
        successor_id: id_of(SUCCESSOR_ID),
    };
    Some((id, Some(txn)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_with_the_ids_around_an_overflow() {
        for (former_id, successor_id) in [(-1, -1), (7, -1), (-1, 9), (7, 9)] {
            let partitions = [("a", 3), ("a", 4), ("b", 0)];
            let txn = Transaction {
                producer_id: 8,
                epoch: 5,
                timeout_ms: 60_000,
                phase: Phase::PrepareCommit,
                partitions: partitions.map(|(t, p)| (t.to_owned(), p)).into(),
                updated_ms: 11,
                started_ms: 10,
                last_epoch: -1,
                former_id,
                successor_id,
            };
            let (key, value) = encode("id", &txn);
            let (id, read) = decode(key, Some(value)).unwrap();
            assert_eq!((id.as_str(), read.unwrap()), ("id", txn));
        }
    }
}
