//! The transforms: generated configurations and records.

use std::collections::{BTreeMap, HashMap};

use milena_api::{ConnectError, Predicate, RecordTransform, TransformInstance, TransformPlugin};
use milena_data::{
    Header, Headers, MapValue, Record, Schema, SchemaAndValue, SchemaBuilder, SinkOrigin, Struct,
    Text, TimestampType, Value,
};

use super::{
    Random, answer,
    cases::{Case, Kind, config_text},
    dump, error_text, generate,
};

const FIELDS: [&str; 8] = ["a", "b", "c", "d", "e.f", "a.b", "x`y", ""];

/// One kind per transform, `$Key` and `$Value` apart, and one per predicate.
#[must_use]
pub fn kinds() -> Vec<Kind> {
    let transforms = milena_transforms::transforms().into_iter().map(|plugin| {
        let name = plugin.class().rsplit('.').next().unwrap_or_default();
        let short = name.split('$').next().unwrap_or_default().to_owned();
        let mut made = HashMap::new();
        let name = format!("transform {name}");
        Kind::new(name, move |r| case(r, &*plugin, &short, &mut made))
    });
    let predicates = milena_predicates::predicates().into_iter().map(|plugin| {
        let short = plugin.class().rsplit('.').next().unwrap_or_default();
        let short = short.to_owned();
        let name = format!("predicate {short}");
        Kind::new(name, move |r| {
            let config = predicate_config(r, &short);
            let record = record(r);
            let line = line("predicate", plugin.class(), &config_text(&config), &record);
            let ours = match plugin.predicate(&config) {
                Err(error) => format!("configure {}", error_text(&error)),
                Ok(mut predicate) => answer(holds(&mut *predicate, &record)),
            };
            Case { line, ours }
        })
    });
    transforms.chain(predicates).collect()
}

fn holds(predicate: &mut dyn Predicate, record: &Record) -> Result<String, ConnectError> {
    predicate.test(record).map(|holds| holds.to_string())
}

fn predicate_config(r: &mut Random, predicate: &str) -> BTreeMap<String, String> {
    match predicate {
        "HasHeaderKey" if !r.once_in(20) => [("name".to_owned(), field(r))].into(),
        "TopicNameMatches" if !r.once_in(20) => [("pattern".to_owned(), regex(r))].into(),
        _ => BTreeMap::new(),
    }
}

type Made = HashMap<String, Result<Box<dyn RecordTransform>, ConnectError>>;

fn case(r: &mut Random, plugin: &dyn TransformPlugin, short: &str, made: &mut Made) -> Case {
    let config = config(r, short);
    let record = record(r);
    let key = config_text(&config);
    let line = line("transform", plugin.class(), &key, &record);
    let transform = made.entry(key).or_insert_with(|| {
        // As in a worker: the definition speaks first.
        plugin.config_def().parse(&config)?;
        plugin.transform(&config).map(|instance| match instance {
            TransformInstance::PerRecord(transform) => transform,
            TransformInstance::Batch(_) => Box::new(Unexpected),
        })
    });
    let ours = match transform {
        Err(error) => format!("configure {}", error_text(error)),
        Ok(transform) => answer(transform.apply(record).map(|out| shown(out.as_ref()))),
    };
    Case { line, ours }
}

fn line(op: &str, class: &str, config: &str, record: &Record) -> String {
    let origin = record.origin.as_ref();
    format!(
        "{op}\t{class}\t{config}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
        dump::hex(record.topic.as_bytes()),
        or_null(record.partition),
        dump::schema(record.key.schema.as_ref()),
        dump::value(&record.key.value),
        dump::schema(record.value.schema.as_ref()),
        dump::value(&record.value.value),
        or_null(record.timestamp),
        headers(record),
        or_null(origin.map(|origin| origin.offset)),
    )
}

struct Unexpected;

impl RecordTransform for Unexpected {
    fn change(&mut self, _: &mut Record) -> Result<bool, ConnectError> {
        Err(ConnectError::connect("a transform with I/O"))
    }
}

fn or_null<T: std::fmt::Display>(value: Option<T>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

fn headers(record: &Record) -> String {
    let one = |header: &Header| {
        let schema = dump::schema(header.value.schema.as_ref());
        let value = dump::value(&header.value.value);
        format!("{}:{schema}{value}", dump::hex(header.key.as_bytes()))
    };
    record.headers.iter().map(one).collect::<Vec<_>>().join(",")
}

fn shown(record: Option<&Record>) -> String {
    let Some(record) = record else {
        return "dropped".to_owned();
    };
    let mut out = format!(
        "{} {} {} {} {}",
        dump::hex(record.topic.as_bytes()),
        or_null(record.partition),
        dump::pair(&record.key),
        dump::pair(&record.value),
        or_null(record.timestamp)
    );
    for header in record.headers.iter() {
        let schema = dump::schema(header.schema());
        let value = dump::sorted(&header.value.value);
        out.push_str(&format!(
            " {}:{schema}{value}",
            dump::hex(header.key.as_bytes())
        ));
    }
    out
}

fn field(r: &mut Random) -> String {
    // The usual names often, the odd ones sometimes.
    let usual = if r.once_in(6) { FIELDS.len() } else { 4 };
    FIELDS
        .get(r.below(usual))
        .copied()
        .unwrap_or("a")
        .to_owned()
}

fn list(r: &mut Random, mut item: impl FnMut(&mut Random) -> String) -> String {
    let count = if r.once_in(20) { 0 } else { 1 + r.below(3) };
    let items: Vec<String> = (0..count).map(|_| item(r)).collect();
    items.join(",")
}

fn pick(r: &mut Random, all: &[&str]) -> String {
    r.pick(all).unwrap_or_default().to_owned()
}

const TYPES: [&str; 12] = [
    "int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "STRING",
    " Int8 ", "bytes", "bogus",
];

fn kind(r: &mut Random) -> String {
    let usual = if r.once_in(20) { TYPES.len() } else { 8 };
    TYPES
        .get(r.below(usual))
        .copied()
        .unwrap_or("int8")
        .to_owned()
}

const DATE_PATTERNS: [&str; 7] = [
    "yyyy-MM-dd",
    "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "yyyyMMddHHmmss",
    "EEE, d MMM yyyy HH:mm:ss z",
    "YYYY-'W'ww-u",
    "yyyy-MM-dd HH:mm:ss.SSS G",
    "bogus",
];

fn config(r: &mut Random, transform: &str) -> BTreeMap<String, String> {
    let mut config = BTreeMap::new();
    let mut set = |key: &str, value: String| config.insert(key.to_owned(), value);
    if r.once_in(3) {
        set("replace.null.with.default", pick(r, &["true", "false"]));
    }
    match transform {
        "Cast" => {
            let spec = if r.once_in(2) {
                kind(r)
            } else {
                list(r, |r| match r.below(30) {
                    0 => "a:int8:b".to_owned(),
                    1 => kind(r),
                    _ => format!("{}:{}", field(r), kind(r)),
                })
            };
            set("spec", spec);
        }
        "DropHeaders" => {
            set("headers", list(r, field));
        }
        "ExtractField" => {
            let path = pick(
                r,
                &[
                    "a.b", "`a.b`", "a.b.c", "a.", ".a", "", "`a", "a.`e.f`", "c.d",
                ],
            );
            let path = if r.once_in(2) { field(r) } else { path };
            set("field", path);
            if r.once_in(2) {
                set(
                    "field.syntax.version",
                    pick(r, &["V1", "V2", "v2", "V2", "V3"]),
                );
            }
        }
        "Flatten" if r.once_in(2) => {
            set("delimiter", pick(r, &["_", "", "::"]));
        }
        "Flatten" => {}
        "HeaderFrom" => {
            set("fields", list(r, field));
            set("headers", list(r, field));
            set("operation", pick(r, &["move", "copy"]));
        }
        "HoistField" => {
            set("field", field(r));
        }
        "InsertField" => {
            for key in ["topic", "partition", "offset", "timestamp", "static"] {
                if r.once_in(3) {
                    let end = pick(r, &["", "!", "?", "!!"]);
                    let name = if r.once_in(4) {
                        field(r)
                    } else {
                        format!("new_{key}")
                    };
                    set(&format!("{key}.field"), format!("{name}{end}"));
                }
            }
            set("static.value", generate::text(r));
        }
        "InsertHeader" => {
            set("header", field(r));
            set("value.literal", generate::literal(r, 0));
        }
        "MaskField" => {
            set("fields", list(r, field));
            if r.once_in(2) {
                let text = pick(
                    r,
                    &[
                        "x",
                        "0",
                        "300",
                        "1.5",
                        "-7",
                        "1e3",
                        "99999999999999999999",
                        "+5",
                        " 1",
                    ],
                );
                set("replacement", text);
            }
        }
        "RegexRouter" => {
            set("regex", regex(r));
            set(
                "replacement",
                pick(r, &["x", "$1", "${n}-$2", "$9", r"\$1", "$", "\\", "p-$0"]),
            );
        }
        "ReplaceField" => {
            for key in ["include", "exclude"] {
                if r.once_in(3) {
                    set(key, list(r, field));
                }
            }
            if r.once_in(2) {
                let names = ["a", "b", "c", "x", "y"];
                let renames = list(r, |r| match r.below(25) {
                    0 => "a".to_owned(),
                    1 => "a:b:c".to_owned(),
                    _ => format!("{}:{}", pick(r, &names), pick(r, &names)),
                });
                set("renames", renames);
            }
        }
        "SetSchemaMetadata" => {
            if r.once_in(2) {
                set("schema.name", generate::name(r));
            }
            if r.once_in(2) {
                set("schema.version", r.below(9).to_string());
            }
        }
        "TimestampConverter" => {
            set(
                "target.type",
                pick(r, &["string", "unix", "Date", "Time", "Timestamp"]),
            );
            if r.once_in(2) {
                set("field", field(r));
            }
            if !r.once_in(4) {
                set("format", pick(r, &DATE_PATTERNS));
            }
            if r.once_in(2) {
                let unit = pick(
                    r,
                    &["seconds", "milliseconds", "microseconds", "nanoseconds"],
                );
                set("unix.precision", unit);
            }
        }
        "TimestampRouter" => {
            if r.once_in(2) {
                set("timestamp.format", pick(r, &DATE_PATTERNS));
            }
            if r.once_in(2) {
                set(
                    "topic.format",
                    pick(r, &["${timestamp}", "x${topic}y", "${topic}${topic}", "$"]),
                );
            }
        }
        "ValueToKey" => {
            set("fields", list(r, field));
        }
        _ => {}
    }
    config
}

fn regex(r: &mut Random) -> String {
    pick(
        r,
        &[
            "(.*)",
            "a|ab",
            "(t)(.*)",
            r"\w+",
            "(?<n>[a-z]+)-(.*)",
            "[",
            "t{2,1}",
            "(a",
            r"\p{Alpha}+",
            "(?i)TOPIC.*",
            ".*?(\\d*)",
            "^topic$",
            "*",
        ],
    )
}

fn record(r: &mut Random) -> Record {
    let topic = pick(
        r,
        &[
            "topic",
            "ab",
            "a",
            "t-1",
            "topic2024",
            "x${timestamp}",
            "Ünï",
        ],
    );
    let partition = if r.once_in(4) { None } else { Some(3) };
    let sink = r.once_in(2);
    Record {
        topic: topic.as_str().into(),
        partition: if sink { Some(3) } else { partition },
        key: generate_pair(r),
        value: generate_pair(r),
        timestamp: if r.once_in(5) {
            None
        } else {
            Some(generate::millis(r))
        },
        headers: header_list(r),
        origin: sink.then(|| SinkOrigin {
            topic: topic.into(),
            partition: 3,
            offset: 42,
            timestamp_type: TimestampType::CreateTime,
        }),
    }
}

fn header_list(r: &mut Random) -> Headers {
    let mut headers = Headers::default();
    for _ in 0..r.below(3) {
        let value = if r.once_in(3) {
            SchemaAndValue::new(None, Value::Null)
        } else {
            SchemaAndValue::new(Some(Schema::string()), Value::from(generate::text(r)))
        };
        headers.push(Header {
            key: field(r).into(),
            value,
        });
    }
    headers
}

fn generate_pair(r: &mut Random) -> SchemaAndValue {
    match r.below(10) {
        0 => SchemaAndValue::new(None, scalar(r)),
        1..=3 => SchemaAndValue::new(None, map(r, 0)),
        4 | 5 => {
            let schema = leaf_schema(r);
            let value = value_of(r, &schema);
            SchemaAndValue::new(Some(schema), value)
        }
        _ => {
            let schema = struct_schema(r, 0);
            let value = value_of(r, &schema);
            SchemaAndValue::new(Some(schema), value)
        }
    }
}

fn scalar(r: &mut Random) -> Value {
    if r.once_in(6) {
        return DATE_TEXTS
            .get(r.below(DATE_TEXTS.len()))
            .copied()
            .unwrap_or("")
            .into();
    }
    generate::any(r, 2)
}

const DATE_TEXTS: [&str; 6] = [
    "2020-01-31",
    "2020-02-30T12:34:56.789+02:00",
    "20200131235959",
    "Mon, 3 Feb 2020 01:02:03 PST",
    "2020-W05-3",
    "0044-03-15 00:00:00.001 BC",
];

fn map(r: &mut Random, depth: usize) -> Value {
    let mut map = MapValue::new();
    for _ in 0..r.below(5) {
        let value = if depth < 2 && r.once_in(4) {
            self::map(r, depth + 1)
        } else {
            scalar(r)
        };
        map.insert(Text::from(field(r)), value);
    }
    map.into()
}

fn leaf_schema(r: &mut Random) -> Schema {
    if r.once_in(5) {
        generate::logical(r)
    } else {
        generate::schema(r, 2)
    }
}

fn struct_schema(r: &mut Random, depth: usize) -> Schema {
    let mut builder = SchemaBuilder::structure();
    for name in FIELDS.iter().take(7) {
        if r.once_in(2) {
            let schema = if depth < 2 && r.once_in(4) {
                struct_schema(r, depth + 1)
            } else {
                leaf_schema(r)
            };
            builder = builder.field(*name, schema);
        }
    }
    if r.once_in(3) {
        builder = builder.optional();
    }
    if r.once_in(4) {
        builder = builder
            .name("own.Name")
            .version(7)
            .doc("what it is")
            .parameter("p", "q");
    }
    let schema = builder.clone().build().unwrap_or_else(|_| Schema::string());
    if depth > 0 && r.once_in(6) {
        let default = value_of(r, &schema);
        if let Ok(with_default) = builder.default_value(default).build() {
            return with_default;
        }
    }
    schema
}

fn value_of(r: &mut Random, schema: &Schema) -> Value {
    if schema.is_optional() && r.once_in(5) {
        return Value::Null;
    }
    if schema.kind() != milena_data::SchemaType::Struct || schema.fields().is_empty() {
        return generate::value(r, schema);
    }
    let slots = schema.fields().values().map(|field| {
        let may_be_null = field.schema().is_optional() || field.schema().default_value().is_some();
        if (may_be_null && r.once_in(3)) || r.once_in(60) {
            return Value::Null;
        }
        value_of(r, field.schema())
    });
    let slots = slots.collect();
    Struct::from_slots(schema.clone(), slots).into()
}
