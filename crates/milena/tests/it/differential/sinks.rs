//! Sink connectors: every converter on the way from Kafka, on good bytes and bad ones, in every error mode.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use milena_kafka::ports::{ClientProps, Header, NewTopic, OutRecord};

use crate::differential::Case;

const C: &str = "org.apache.kafka.connect.converters";
/// The time of the first record; the next is a minute later.
const TIME: i64 = 1_700_000_000_000;

/// Topics that both sides read: name, and values; `None` is a tombstone.
fn topics() -> BTreeMap<&'static str, Vec<Option<&'static [u8]>>> {
    let structure = br#"{"schema":{"type":"struct","name":"s","optional":false,"fields":[
        {"type":"int32","field":"a","optional":false},{"type":"string","field":"b","optional":true,"default":"d"},
        {"type":"array","items":{"type":"int64"},"field":"c","optional":true},
        {"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"field":"d","optional":true},
        {"type":"int64","name":"org.apache.kafka.connect.data.Timestamp","version":1,"field":"t","optional":true}]},
        "payload":{"a":7,"b":null,"c":[1,2],"d":"AN4=","t":1700000000000}}"#;
    BTreeMap::from([
        (
            "in-json",
            vec![
                Some(&structure[..]),
                Some(b"{\"schema\":"),
                None,
                Some(br#"{"schema":{"type":"int32","optional":false}}"#),
                Some(br#"{"schema":{"type":"number","optional":false},"payload":1}"#),
                Some(br#"{"schema":{"type":"int32","optional":false},"payload":"text"}"#),
                Some(br#"{"schema":{"type":"int32","optional":false},"payload":null}"#),
                Some(b"\xff\xfe"),
                Some(br#"{"schema":null,"payload":{"k":[1,2.5,true,null]}}"#),
                Some(br#"{"schema":{"type":"map","optional":false,"keys":{"type":"string"},"values":{"type":"int8"}},"payload":{"k":1}}"#),
                Some(br#"{"schema":{"type":"int32","optional":false},"payload":42}"#),
            ],
        ),
        (
            "in-plain",
            vec![
                Some(br#"{"a":1}"#),
                Some(br#"[1,2,{"b":null}]"#),
                Some(br#""text""#),
                Some(b"12.5"),
                Some(b"12345678901234567890"),
                Some(b"{\"a\":1"),
                Some(b"tru"),
                Some(b""),
                None,
                Some(br#"{"a":{"b":{"c":"deep"}}}"#),
                Some(b"true"),
            ],
        ),
        (
            "in-numbers",
            vec![
                Some(b"\x01"),
                Some(b"\x00\x02"),
                Some(b"\x3f\x80\x00\x00"),
                Some(b"\x3f\xf0\x00\x00\x00\x00\x00\x00"),
                Some(b""),
                Some(b"\x02"),
                None,
            ],
        ),
        (
            "in-text",
            vec![
                Some(b"plain"),
                Some(b"\xc2\xb5 \xe6\xbc\xa2"),
                Some(b"\xb5"),
                Some(b""),
                None,
                Some(b"\x00e\x00n\x00d"),
            ],
        ),
        ("in-good", vec![Some(b"one"), None, Some(b"two"), None, Some(b"three")]),
    ])
}

/// Writes the topics: keys `"<n>"`, and headers on every other record.
fn write(bootstrap: &str) {
    let props = ClientProps::from([("bootstrap.servers".to_owned(), bootstrap.to_owned())]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clients = milena_kafka::clients();
        let admin = clients.admin(&props).await.unwrap();
        let producer = clients.producer(&props, Arc::new(|_| {})).await.unwrap();
        for (name, values) in topics() {
            let topic = NewTopic {
                name: name.to_owned(),
                partitions: 1,
                replication_factor: 1,
                configs: BTreeMap::new(),
            };
            admin.create_topics(vec![topic]).await.unwrap();
            let header = |(key, value): (&str, Option<&'static [u8]>)| Header {
                key: key.into(),
                value: value.map(Bytes::from_static),
            };
            let headers = [
                ("h", Some(&b"[1, 2.5]"[..])),
                ("h", None),
                ("text", Some(b"\xff")),
            ];
            let record = |(n, value): (usize, Option<&'static [u8]>)| OutRecord {
                topic: name.into(),
                partition: Some(0),
                timestamp: Some(TIME + 60_000 * i64::try_from(n).unwrap()),
                key: Some(format!("\"{n}\"").into()),
                value: value.map(Bytes::from_static),
                headers: headers.map(header).into_iter().take(3 * (n % 2)).collect(),
                ..OutRecord::default()
            };
            let records = values.into_iter().enumerate().map(record).collect();
            producer.send(records).await.unwrap();
        }
        producer.flush().await.unwrap();
    });
}

const TOLERANT: &str = "errors.tolerance=all\nerrors.deadletterqueue.topic.name=set\n\
                        errors.deadletterqueue.context.headers.enable=true";

pub(super) fn cases(bootstrap: &str) -> Vec<Case> {
    write(bootstrap);
    let sizes: BTreeMap<&str, i64> = topics()
        .into_iter()
        .map(|(name, values)| (name, i64::try_from(values.len()).unwrap()))
        .collect();
    let mut cases = Vec::new();
    let mut add = |name: &'static str, topic: &str, config: &str| {
        let config = format!(
            "connector.class=org.apache.kafka.connect.file.FileStreamSinkConnector\ntopics={topic}\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n{config}"
        );
        cases.push(Case::new(name, sizes[topic], &config));
    };
    let string = "value.converter=org.apache.kafka.connect.storage.StringConverter";
    let json = "value.converter=org.apache.kafka.connect.json.JsonConverter";
    // Every converter, with what it refuses in the dead letters.
    for (name, topic, config) in [
        ("from-string", "in-text", string.to_owned()),
        (
            "from-string-ascii",
            "in-text",
            format!("{string}\nvalue.converter.encoding=US-ASCII"),
        ),
        (
            "from-string-utf16",
            "in-text",
            format!("{string}\nvalue.converter.encoding=UTF-16"),
        ),
        ("from-json", "in-json", json.to_owned()),
        (
            "from-json-null",
            "in-json",
            format!("{json}\nvalue.converter.replace.null.with.default=false"),
        ),
        (
            "from-json-plain",
            "in-plain",
            format!("{json}\nvalue.converter.schemas.enable=false"),
        ),
        ("from-json-other", "in-plain", json.to_owned()),
        (
            "from-json-schema",
            "in-plain",
            format!(
                "{json}\nvalue.converter.schema.content={{\"type\":\"struct\",\"optional\":true,\"fields\":[{{\"type\":\"int32\",\"field\":\"a\"}}]}}"
            ),
        ),
        (
            "from-boolean",
            "in-numbers",
            format!("value.converter={C}.BooleanConverter"),
        ),
        (
            "from-short",
            "in-numbers",
            format!("value.converter={C}.ShortConverter"),
        ),
        (
            "from-integer",
            "in-numbers",
            format!("value.converter={C}.IntegerConverter"),
        ),
        (
            "from-long",
            "in-numbers",
            format!("value.converter={C}.LongConverter"),
        ),
        (
            "from-float",
            "in-numbers",
            format!("value.converter={C}.FloatConverter"),
        ),
        (
            "from-double",
            "in-numbers",
            format!("value.converter={C}.DoubleConverter"),
        ),
        (
            "key-bytes",
            "in-text",
            format!("key.converter={C}.ByteArrayConverter\n{string}"),
        ),
        (
            "key-fails",
            "in-text",
            format!("key.converter={C}.IntegerConverter\n{string}"),
        ),
        (
            "key-json",
            "in-text",
            format!(
                "key.converter=org.apache.kafka.connect.json.JsonConverter\nkey.converter.schemas.enable=false\n{string}"
            ),
        ),
        (
            "headers-fail",
            "in-good",
            format!("header.converter={C}.IntegerConverter\n{string}"),
        ),
        (
            "headers-are-json",
            "in-good",
            format!(
                "header.converter=org.apache.kafka.connect.json.JsonConverter\nheader.converter.schemas.enable=false\n{string}"
            ),
        ),
        (
            "headers-are-strings",
            "in-good",
            format!("header.converter=org.apache.kafka.connect.storage.StringConverter\n{string}"),
        ),
        (
            "headers-are-bytes",
            "in-good",
            format!("header.converter={C}.ByteArrayConverter\n{string}"),
        ),
        (
            "transform-fails",
            "in-json",
            format!("{json}\ntransforms.a.type=~ExtractField$Value\ntransforms.a.field=a"),
        ),
        (
            "transform-cast",
            "in-good",
            format!("{string}\ntransforms.a.type=~Cast$Value\ntransforms.a.spec=int32"),
        ),
        (
            "predicate-fails",
            "in-json",
            format!(
                "{json}\ntransforms.a.type=~InsertField$Value\ntransforms.a.static.field=s\ntransforms.a.static.value=v\n\
             transforms.a.predicate=p\ntransforms.a.negate=true\npredicates.p.type=~RecordIsTombstone"
            ),
        ),
    ] {
        add(name, topic, &format!("{config}\n{TOLERANT}"));
    }
    // Every error mode.
    let dead = "errors.deadletterqueue.topic.name=set";
    for (name, config) in [
        ("mode-none", String::new()),
        ("mode-none-dlq", dead.to_owned()),
        (
            "mode-none-context",
            format!("{dead}\nerrors.deadletterqueue.context.headers.enable=true"),
        ),
        (
            "mode-none-log",
            "errors.log.enable=true\nerrors.log.include.messages=true".to_owned(),
        ),
        (
            "mode-none-retry",
            "errors.retry.timeout=60000\nerrors.retry.delay.max.ms=1000".to_owned(),
        ),
        ("mode-all", "errors.tolerance=all".to_owned()),
        ("mode-all-dlq", format!("errors.tolerance=all\n{dead}")),
        ("mode-all-context", TOLERANT.to_owned()),
        (
            "mode-all-log",
            "errors.tolerance=all\nerrors.log.enable=true".to_owned(),
        ),
        (
            "mode-dlq-refused",
            format!(
                "errors.tolerance=all\n{dead}\nerrors.deadletterqueue.topic.replication.factor=3"
            ),
        ),
        (
            "mode-all-messages",
            "errors.tolerance=all\nerrors.log.enable=true\nerrors.log.include.messages=true"
                .to_owned(),
        ),
        (
            "mode-all-retry",
            "errors.tolerance=all\nerrors.retry.timeout=-1".to_owned(),
        ),
        (
            "mode-all-everything",
            format!(
                "{TOLERANT}\nerrors.log.enable=true\nerrors.log.include.messages=true\nerrors.retry.timeout=1000"
            ),
        ),
    ] {
        add(name, "in-json", &format!("{json}\n{config}"));
    }
    // What a transform can know of a record only here: its offset, its time, tombstones, headers.
    let insert = "transforms.h.type=~HoistField$Value\ntransforms.h.field=v\ntransforms.i.type=~InsertField$Value";
    for (name, config) in [
        ("sink-insert", format!(
            "{insert}\ntransforms.i.topic.field=t\ntransforms.i.partition.field=p\ntransforms.i.offset.field=o!\n\
             transforms.i.timestamp.field=at"
        )),
        ("sink-tombstones", "transforms.f.type=~Filter\ntransforms.f.predicate=p\npredicates.p.type=~RecordIsTombstone".to_owned()),
        ("sink-no-tombstones", "transforms.f.type=~Filter\ntransforms.f.predicate=p\ntransforms.f.negate=true\n\
                                predicates.p.type=~RecordIsTombstone".to_owned()),
        ("sink-headers", "transforms.f.type=~Filter\ntransforms.f.predicate=p\npredicates.p.type=~HasHeaderKey\n\
                          predicates.p.name=h".to_owned()),
        ("sink-topic", "transforms.f.type=~Filter\ntransforms.f.predicate=p\npredicates.p.type=~TopicNameMatches\n\
                        predicates.p.pattern=in-.*".to_owned()),
        ("sink-timestamp-router", format!(
            "transforms.r.type=~TimestampRouter\ntransforms.r.topic.format=${{topic}}-${{timestamp}}\n\
             transforms.r.timestamp.format=yyyyMMddHHmm\n{insert}\ntransforms.i.topic.field=t"
        )),
        ("sink-regex-router", format!(
            "transforms.r.type=~RegexRouter\ntransforms.r.regex=in-(?<rest>.*)\ntransforms.r.replacement=out-${{rest}}\n\
             {insert}\ntransforms.i.topic.field=t"
        )),
    ] {
        add(name, "in-good", &format!("{string}\n{config}"));
    }
    cases
}
