//! What must hold after the storm, as a reader sees it.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::{
    messages::{
        ApiKey, FetchRequest, FetchResponse,
        fetch_request::{FetchPartition, FetchTopic},
    },
    records::{Record, RecordBatchDecoder},
};
use milena_broker::log::batch::batches;

use super::writers::{Compacted, Plain, TOPICS, Transactional};
use crate::client::{Client, text};

fn string(bytes: Option<&bytes::Bytes>) -> String {
    String::from_utf8(bytes.unwrap().to_vec()).unwrap()
}

/// All records as a reader of committed ones sees them.
async fn committed(c: &mut Client, name: &str) -> Vec<Record> {
    let (mut next, mut seen) = (0, Vec::new());
    loop {
        let partition = FetchPartition::default()
            .with_current_leader_epoch(-1)
            .with_fetch_offset(next)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default()
            .with_topic(text(name).into())
            .with_partitions(vec![partition]);
        let request = FetchRequest::default()
            .with_max_bytes(1 << 20)
            .with_isolation_level(1)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let answer: FetchResponse = c.call(ApiKey::Fetch, 12, &request).await;
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, 0);
        let records = partition.records.clone().unwrap_or_default();
        if records.is_empty() {
            assert_eq!(
                next, partition.last_stable_offset,
                "{name} is not read to its end"
            );
            assert_eq!(
                next, partition.high_watermark,
                "{name}: something is still open"
            );
            return seen;
        }
        // Producer and first offset of aborted transactions; a marker ends the first of its producer.
        let aborted = partition.aborted_transactions.iter().flatten();
        let mut aborted: Vec<(i64, i64)> = aborted
            .map(|one| (*one.producer_id, one.first_offset))
            .collect();
        aborted.sort_unstable_by_key(|(_, first)| *first);
        for batch in batches(records) {
            let (header, bytes) = batch.unwrap();
            next = header.next_offset();
            let of = |(id, first): &(i64, i64)| {
                *id == header.producer_id && *first <= header.base_offset
            };
            let open = aborted.iter().position(of);
            if header.is_control() {
                // The list names a transaction that ends with an abort; one that commits is not in it.
                if let Some(open) = open {
                    aborted.remove(open);
                }
                continue;
            }
            if header.is_transactional() && open.is_some() {
                continue;
            }
            let set = RecordBatchDecoder::decode(&mut bytes.clone()).unwrap();
            seen.extend(set.records);
        }
    }
}

/// Each value is there once, in order, the acknowledged ones at their offsets.
pub(super) async fn plain(address: &str, written: &Plain) {
    let seen = committed(&mut Client::connect(address).await, "plain").await;
    let values: Vec<i32> = seen
        .iter()
        .map(|record| string(record.value.as_ref()).parse().unwrap())
        .collect();
    let all: Vec<i32> = (0..).take(values.len()).collect();
    assert_eq!(values, all, "lost, doubled or out of order");
    for (value, offset) in &written.acknowledged {
        let at = usize::try_from(*offset).unwrap();
        assert_eq!(
            values.get(at),
            Some(value),
            "an acknowledged record is not where it was"
        );
    }
}

/// The last acknowledged value of each key is there, or a later one.
pub(super) async fn compacted(address: &str, written: &Compacted) {
    let seen = committed(&mut Client::connect(address).await, "compacted").await;
    let mut last: BTreeMap<String, i32> = BTreeMap::new();
    for record in &seen {
        let value = string(record.value.as_ref()).trim().parse().unwrap();
        let before = last.insert(string(record.key.as_ref()), value);
        assert!(
            before.is_none_or(|before| before < value),
            "out of order or twice"
        );
    }
    for (key, value) in &written.last {
        assert!(
            last.get(key) >= Some(value),
            "{key}: {:?}, not {value}",
            last.get(key)
        );
    }
    let kept = seen.len() as u64;
    assert!(
        written.written < 2_000 || kept < written.written,
        "nothing was compacted"
    );
}

/// All of each committed transaction is there and nothing of an aborted one; the group's offset is that of
/// the last committed.
pub(super) async fn transactions(address: &str, written: &Transactional) {
    let mut c = Client::connect(address).await;
    let mut seen: Vec<Vec<i64>> = Vec::new();
    for topic in TOPICS {
        let records = committed(&mut c, topic).await;
        let numbers = records
            .iter()
            .map(|record| string(record.value.as_ref()).parse().unwrap());
        let numbers: Vec<i64> = numbers.collect();
        assert!(numbers.is_sorted(), "{topic} is out of order");
        seen.push(numbers);
    }
    let both: BTreeSet<i64> = seen.iter().flatten().copied().collect();
    for number in &written.committed {
        assert!(
            both.contains(number),
            "the committed transaction {number} is gone"
        );
    }
    let aborted: BTreeSet<i64> = written.aborted.iter().copied().collect();
    let undecided: BTreeSet<i64> = written.undecided.iter().copied().collect();
    let told: Vec<&i64> = both.intersection(&aborted).collect();
    assert!(told.is_empty(), "aborted transactions are told: {told:?}");
    for number in &both {
        let known = written.committed.contains(number) || undecided.contains(number);
        assert!(known, "nobody committed {number}");
        // Records alternate between the topics: a transaction is whole or not at all.
        let of = |at: usize| seen[at].iter().filter(|one| *one == number).count();
        let (a, b) = (of(0), of(1));
        assert_eq!(
            a + b,
            written.sizes[number],
            "half of transaction {number}: {a} and {b}"
        );
    }
    let last = both.last().copied().unwrap_or(-1);
    assert_eq!(
        c.committed("storm", "plain").await,
        (0, last),
        "the group's offset"
    );
}
