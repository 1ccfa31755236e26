//! Records made in the places of others are as those that are made anew.

use milena_config::Props;
use milena_core::ConnectorName;
use milena_kafka::ports::{Header, InRecord, TimestampType};
use milena_registry::Registry;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::task::{failing::ErrorPolicy, metrics::TaskMetricsBook, pipeline::Pipeline};

fn conversion() -> Conversion {
    let id = ConnectorName::from("c").task(0);
    let config: Props = [
        (
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        (
            "value.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        ("value.converter.schemas.enable", "false"),
        ("errors.tolerance", "all"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    let registry = Registry::builder()
        .converters(milena_converters::converters())
        .header_converters(milena_converters::header_converters())
        .build();
    let metrics = TaskMetricsBook::default().open(&id);
    let policy = ErrorPolicy::new(&config, id, metrics, CancellationToken::new());
    let pipeline = Pipeline::new(&registry, &config, &Props::new(), &policy).unwrap();
    Conversion::new(Decoder::new(pipeline, Arc::new(policy), None), None)
}

/// A batch of so many records of a topic; `kind` tells what they are.
fn batch(topic: &str, partition: i32, first: i64, count: i64, kind: i64) -> PartitionBatch {
    let record = |offset: i64| {
        let value = match (offset + kind) % 7 {
            0 => Some(format!(r#"{{"id":{offset},"name":"n{offset}"}}"#)),
            1 => Some(format!(
                r#"{{"id":{offset},"name":"n","more":[{offset},{{}}]}}"#
            )),
            2 => Some(format!(r#"{{"name":"n{offset}"}}"#)),
            3 => Some("{".to_owned()),
            4 => None,
            5 => Some(format!("\"text {offset}\"")),
            _ => Some("{}".to_owned()),
        };
        let mut headers = Vec::new();
        if (offset + kind) % 3 == 0 {
            headers.push(Header {
                key: "h".into(),
                value: Some("1".into()),
            });
        }
        InRecord {
            offset,
            timestamp: if kind % 2 == 0 { 1000 + offset } else { -1 },
            timestamp_type: match kind % 2 {
                0 => TimestampType::CreateTime,
                _ => TimestampType::None,
            },
            key: (kind % 3 == 0).then(|| format!("k{offset}").into()),
            value: value.map(Into::into),
            headers,
        }
    };
    PartitionBatch {
        topic: topic.into(),
        partition,
        records: (first..first + count).map(record).collect(),
        next_offset: first + count,
    }
}

async fn converted(conversion: &mut Conversion, batches: Vec<PartitionBatch>) -> Vec<Converted> {
    conversion.begin(batches).await;
    conversion.finished().await;
    conversion.take(&BTreeSet::new()).into()
}

fn shown(all: &[Converted]) -> String {
    let of = |one: &Converted| {
        let records: Vec<String> = one.records.iter().map(ToString::to_string).collect();
        let (read, next) = (one.read, one.next);
        format!("{:?} {read} {next} {records:#?}", one.partition)
    };
    all.iter().map(of).collect()
}

#[tokio::test]
async fn nothing_of_a_record_is_seen_in_the_one_that_takes_its_place() {
    let mut kept = conversion();
    // More and fewer than before, on this thread and another, of other topics and partitions.
    let counts = [100, 100, 3, 0, 250, 70, 64, 9, 200];
    for (turn, count) in (0..).zip(counts) {
        let polled = || {
            let other = batch("other", 2, turn, count / 3, turn + 1);
            match turn % 3 {
                0 => vec![batch("t", 1, 10 * turn, count, turn)],
                1 => vec![batch("t", 1, 10 * turn, count, turn), other],
                _ => vec![other, batch("longer", 0, 10 * turn, count, turn)],
            }
        };
        let again = converted(&mut kept, polled()).await;
        let anew = converted(&mut conversion(), polled()).await;
        assert_eq!(shown(&again), shown(&anew));
        let records = |all: Vec<Converted>| -> Vec<SinkRecord> {
            all.into_iter().flat_map(|one| one.records).collect()
        };
        let bytes = again.iter().map(|one| one.bytes).sum();
        let mut done = records(again);
        assert_eq!(done, records(anew));
        kept.reuse(&mut done, bytes);
    }
}

#[tokio::test]
async fn large_records_are_not_kept() {
    let mut kept = conversion();
    let mut records = vec![SinkRecord::default()];
    kept.reuse(&mut records, SPARE_BYTES_MAX + 1);
    assert!(kept.spare.is_empty() && records.is_empty());
    records.push(SinkRecord::default());
    kept.reuse(&mut records, SPARE_BYTES_MAX);
    assert_eq!((kept.spare.len(), records.len()), (1, 0));
    // A put of nothing keeps what is there.
    kept.reuse(&mut records, 0);
    assert_eq!(kept.spare.len(), 1);
    kept.rest();
    assert_eq!(kept.spare.capacity(), 0);
}
