//! Records of `__transaction_state`, in Kafka's format (`TransactionLogKey`, `TransactionLogValue` v0).

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::coordinator::{Phase, Transaction};

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

pub(super) fn encode(id: &str, txn: &Transaction) -> (Bytes, Bytes) {
    let mut key = BytesMut::new();
    key.put_i16(0);
    put_string(&mut key, id);
    let mut value = BytesMut::new();
    value.put_i16(0);
    value.put_i64(txn.producer_id);
    value.put_i16(txn.epoch);
    value.put_i32(txn.timeout_ms);
    value.put_i8(txn.phase.number());
    let topics: BTreeSet<&str> = txn
        .partitions
        .iter()
        .map(|(topic, _)| topic.as_str())
        .collect();
    value.put_i32(i32::try_from(topics.len()).unwrap_or(i32::MAX));
    for topic in topics {
        put_string(&mut value, topic);
        let numbers: Vec<i32> = txn
            .partitions
            .iter()
            .filter(|(t, _)| t == topic)
            .map(|(_, p)| *p)
            .collect();
        value.put_i32(i32::try_from(numbers.len()).unwrap_or(i32::MAX));
        for number in numbers {
            value.put_i32(number);
        }
    }
    value.put_i64(txn.updated_ms);
    value.put_i64(txn.started_ms);
    (key.freeze(), value.freeze())
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
    if value.try_get_i16().ok()? != 0 {
        return None;
    }
    let producer_id = value.try_get_i64().ok()?;
    let epoch = value.try_get_i16().ok()?;
    let timeout_ms = value.try_get_i32().ok()?;
    let phase = Phase::from_number(value.try_get_i8().ok()?)?;
    let mut partitions = BTreeSet::new();
    for _ in 0..value.try_get_i32().ok()? {
        let topic = get_string(&mut value)?;
        for _ in 0..value.try_get_i32().ok()? {
            partitions.insert((topic.clone(), value.try_get_i32().ok()?));
        }
    }
    let updated_ms = value.try_get_i64().ok()?;
    let started_ms = value.try_get_i64().ok()?;
    let txn = Transaction {
        producer_id,
        epoch,
        timeout_ms,
        phase,
        partitions,
        updated_ms,
        started_ms,
        last_epoch: -1,
        former_id: -1,
    };
    Some((id, Some(txn)))
}
