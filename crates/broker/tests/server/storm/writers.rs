//! Those who write in the storm. Each stops at the first call without an answer and remembers what it does
//! not know.

use std::collections::BTreeMap;

use kafka_protocol::{
    messages::{
        AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, EndTxnRequest,
        InitProducerIdRequest, TxnOffsetCommitRequest,
        add_partitions_to_txn_request::AddPartitionsToTxnTopic,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
        txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic},
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request},
};
use rand::{Rng as _, rngs::StdRng};

use super::KEYS;
use crate::client::{Client, produce_request, text};

const NONE: i16 = 0;
/// "Come again."
const AGAIN: [i16; 4] = [14, 15, 16, 51];
/// Where the transactional producer writes: two topics of one partition.
pub(super) const TOPICS: [&str; 2] = ["tx.a", "tx.b"];

pub(super) async fn create_topics(c: &mut Client) {
    let topic = |name, configs: &[(&str, &str)]| {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
        });
        CreatableTopic::default()
            .with_name(text(name).into())
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(configs.collect())
    };
    let compact = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("segment.ms", "200"),
    ];
    for (name, configs) in [
        ("plain", &[][..]),
        // Compaction must not touch what an open transaction wrote, nor the markers too early.
        ("tx.a", &compact[1..2]),
        ("tx.b", &[]),
        ("compacted", &compact),
    ] {
        assert_eq!(c.create_topic(topic(name, configs)).await, NONE);
    }
}

/// Calls until the answer is not "come again"; nothing when the broker died.
async fn ask<Q, R>(c: &mut Client, version: i16, request: &Q, code: fn(&R) -> i16) -> Option<R>
where
    Q: Request<Response = R> + Encodable + HeaderVersion,
    R: Decodable + HeaderVersion,
{
    let key = ApiKey::try_from(Q::KEY).unwrap();
    loop {
        let answer: R = c.try_call(key, version, request).await?;
        if !AGAIN.contains(&code(&answer)) {
            return Some(answer);
        }
    }
}

async fn init(c: &mut Client, id: Option<&str>) -> Option<(i64, i16)> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(id.map(|id| text(id).into()))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let answer = ask(c, 4, &request, |answer| answer.error_code).await?;
    assert_eq!(answer.error_code, NONE, "init");
    Some((*answer.producer_id, answer.producer_epoch))
}

/// Writes one record; its offset.
async fn produce(
    c: &mut Client,
    topic: &str,
    producer: (i64, i16),
    sequence: i32,
    id: Option<&str>,
    record: (Option<&str>, &str),
) -> Option<i64> {
    let request = produce_request(topic, producer, sequence, id, record);
    let answer = ask(c, 9, &request, |answer| {
        answer.responses[0].partition_responses[0].error_code
    });
    let answer = answer.await?;
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!(
        partition.error_code, NONE,
        "{topic}, sequence {sequence}: {partition:?}"
    );
    Some(partition.base_offset)
}

/// One idempotent producer for the whole storm: what was not answered is sent again as it was.
#[derive(Default)]
pub(super) struct Plain {
    producer: Option<(i64, i16)>,
    next: i32,
    /// Value and offset.
    pub(super) acknowledged: Vec<(i32, i64)>,
}

impl Plain {
    pub(super) async fn write(&mut self, address: &str) {
        let Some(mut c) = Client::try_connect(address).await else {
            return;
        };
        while self.one(&mut c).await.is_some() {}
    }

    async fn one(&mut self, c: &mut Client) -> Option<()> {
        let producer = match self.producer {
            Some(producer) => producer,
            None => *self.producer.insert(init(c, None).await?),
        };
        let value = self.next.to_string();
        let offset = produce(c, "plain", producer, self.next, None, (None, &value)).await?;
        self.acknowledged.push((self.next, offset));
        self.next += 1;
        Some(())
    }

    /// Repeats what was not answered.
    pub(super) async fn finish(&mut self, address: &str) {
        let mut c = Client::connect(address).await;
        self.one(&mut c)
            .await
            .expect("a broker that is left alone answers");
    }
}

/// A writer of a compacted topic, idempotent too.
#[derive(Default)]
pub(super) struct Compacted {
    producer: Option<(i64, i16)>,
    next: i32,
    pub(super) written: u64,
    /// The last acknowledged value of each key.
    pub(super) last: BTreeMap<String, i32>,
}

impl Compacted {
    pub(super) async fn write(&mut self, address: &str) {
        let Some(mut c) = Client::try_connect(address).await else {
            return;
        };
        while self.one(&mut c).await.is_some() {}
    }

    async fn one(&mut self, c: &mut Client) -> Option<()> {
        let producer = match self.producer {
            Some(producer) => producer,
            None => *self.producer.insert(init(c, None).await?),
        };
        let key = format!("key{}", self.next.unsigned_abs() as u64 % KEYS);
        let value = format!("{}{}", self.next, " ".repeat(300));
        let record = (Some(key.as_str()), value.as_str());
        produce(c, "compacted", producer, self.next, None, record).await?;
        self.last.insert(key, self.next);
        self.next += 1;
        self.written += 1;
        Some(())
    }
}

/// A transactional producer: each transaction writes its number to two topics and as an offset of a group.
#[derive(Default)]
pub(super) struct Transactional {
    number: i64,
    pub(super) committed: Vec<i64>,
    pub(super) aborted: Vec<i64>,
    /// The answer to their commit was lost.
    pub(super) undecided: Vec<i64>,
    /// Records of each that came to its end.
    pub(super) sizes: BTreeMap<i64, usize>,
}

impl Transactional {
    pub(super) async fn write(&mut self, address: &str, mut random: StdRng) {
        let Some(mut c) = Client::try_connect(address).await else {
            return;
        };
        // Not acknowledged and never to be committed, unless it is committed below.
        if self.all(&mut c, &mut random).await.is_none() && !self.is_known(self.number) {
            self.aborted.push(self.number);
        }
    }

    fn is_known(&self, number: i64) -> bool {
        [&self.committed, &self.aborted, &self.undecided]
            .iter()
            .any(|list| list.last() == Some(&number))
    }

    async fn all(&mut self, c: &mut Client, random: &mut StdRng) -> Option<()> {
        let producer = init(c, Some("storm")).await?;
        let mut sequences = [0; 2];
        loop {
            self.number += 1;
            let number = self.number;
            add(c, producer).await?;
            let size = random.random_range(1..6);
            self.sizes.insert(number, size);
            for at in 0..size {
                let which = at % 2;
                let topic = TOPICS[which];
                let record = (None, &*number.to_string());
                produce(c, topic, producer, sequences[which], Some("storm"), record).await?;
                sequences[which] += 1;
            }
            commit_offset(c, producer, number).await?;
            let commits = random.random_range(0..4) > 0;
            let ended = end(c, producer, commits).await;
            match (ended, commits) {
                (Some(()), true) => self.committed.push(number),
                (Some(()), false) => self.aborted.push(number),
                (None, true) => self.undecided.push(number),
                (None, false) => self.aborted.push(number),
            }
            ended?;
        }
    }

    /// Whatever is open is aborted, whatever is decided is done, before anybody looks.
    pub(super) async fn finish(&mut self, address: &str) {
        let mut c = Client::connect(address).await;
        init(&mut c, Some("storm"))
            .await
            .expect("a broker that is left alone answers");
    }
}

async fn add(c: &mut Client, producer: (i64, i16)) -> Option<()> {
    let topic = |name: &&str| {
        AddPartitionsToTxnTopic::default()
            .with_name(text(name).into())
            .with_partitions(vec![0])
    };
    let request = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(text("storm").into())
        .with_v3_and_below_producer_id(producer.0.into())
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(TOPICS.iter().map(topic).collect());
    let code = |answer: &kafka_protocol::messages::AddPartitionsToTxnResponse| {
        answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
    };
    let answer = ask(c, 3, &request, code).await?;
    assert_eq!(code(&answer), NONE, "add");
    Some(())
}

async fn commit_offset(c: &mut Client, producer: (i64, i16), number: i64) -> Option<()> {
    let request = AddOffsetsToTxnRequest::default()
        .with_transactional_id(text("storm").into())
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1)
        .with_group_id(text("storm").into());
    let answer = ask(c, 3, &request, |answer| answer.error_code).await?;
    assert_eq!(answer.error_code, NONE, "add offsets");
    let at = TxnOffsetCommitRequestPartition::default().with_committed_offset(number);
    let topic = TxnOffsetCommitRequestTopic::default()
        .with_name(text("plain").into())
        .with_partitions(vec![at]);
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(text("storm").into())
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1)
        .with_group_id(text("storm").into())
        .with_topics(vec![topic]);
    let code = |answer: &kafka_protocol::messages::TxnOffsetCommitResponse| {
        answer.topics[0].partitions[0].error_code
    };
    let answer = ask(c, 3, &request, code).await?;
    assert_eq!(code(&answer), NONE, "offsets");
    Some(())
}

async fn end(c: &mut Client, producer: (i64, i16), commits: bool) -> Option<()> {
    let request = EndTxnRequest::default()
        .with_transactional_id(text("storm").into())
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1)
        .with_committed(commits);
    let answer = ask(c, 3, &request, |answer| answer.error_code).await?;
    assert_eq!(answer.error_code, NONE, "end");
    Some(())
}
