//! The kinds of cases: each makes a line for Java and our own answer.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use milena_api::{ConnectError, ConverterInstance, ConverterUse, HeaderConverter, RecordConverter};
use milena_data::{Decimal, Schema, Value, project, validate_value, values};

use super::{Random, answer, dump, generate};

/// A case with our answer.
pub struct Case {
    /// The line for Java.
    pub line: String,
    /// What we answer.
    pub ours: String,
}

/// Makes cases of one kind.
pub struct Kind {
    /// The name, for the report.
    pub name: String,
    make: Box<dyn FnMut(&mut Random) -> Case>,
}

impl Kind {
    /// A kind from its name and the function that makes a case.
    pub fn new(name: impl Into<String>, make: impl FnMut(&mut Random) -> Case + 'static) -> Self {
        Self {
            name: name.into(),
            make: Box::new(make),
        }
    }

    /// The next case.
    pub fn case(&mut self, r: &mut Random) -> Case {
        (self.make)(r)
    }
}

type Answer = Result<String, ConnectError>;

/// A configuration as it goes over the pipe.
#[must_use]
pub fn config_text(config: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> = config
        .iter()
        .map(|(k, v)| format!("{}={}", dump::hex(k.as_bytes()), dump::hex(v.as_bytes())))
        .collect();
    entries.join(",")
}

fn bytes_text(bytes: Option<&Bytes>) -> String {
    bytes.map_or_else(|| "null".to_owned(), |bytes| dump::hex(bytes))
}

fn converter(class: &str, config: &BTreeMap<String, String>) -> Result<Box<dyn RecordConverter>> {
    let all = milena_converters::converters();
    let plugin = all
        .iter()
        .find(|p| p.class() == class)
        .context("no such converter")?;
    match plugin.converter(config, ConverterUse::Value)? {
        ConverterInstance::PerRecord(converter) => Ok(converter),
        ConverterInstance::Batch(_) => bail!("a converter with I/O"),
    }
}

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

/// All kinds.
///
/// # Errors
/// A converter cannot be made.
pub fn kinds() -> Result<Vec<Kind>> {
    let mut kinds = Vec::new();
    let configs: [&[(&str, &str)]; 4] = [
        &[],
        &[("schemas.enable", "false")],
        &[
            ("decimal.format", "NUMERIC"),
            ("replace.null.with.default", "false"),
        ],
        &[("decimal.format", "numeric"), ("schemas.enable", "false")],
    ];
    for config in configs {
        let config: BTreeMap<String, String> = config
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        kinds.push(to_kind(JSON, &config, json_text(&config)?)?);
        kinds.push(from_kind(JSON, &config)?);
    }
    let plain = BTreeMap::new();
    for name in [
        "Boolean",
        "ByteArray",
        "Double",
        "Float",
        "Integer",
        "Long",
        "Short",
    ] {
        let class = format!("org.apache.kafka.connect.converters.{name}Converter");
        kinds.push(to_kind(&class, &plain, generate::bytes_of_any_length)?);
        kinds.push(from_kind(&class, &plain)?);
    }
    for encoding in ["UTF-8", "ISO-8859-1", "UTF-16", "US-ASCII", "UTF-16LE"] {
        let config = [("converter.encoding".to_owned(), encoding.to_owned())].into();
        let class = "org.apache.kafka.connect.storage.StringConverter";
        kinds.push(to_kind(class, &config, generate::encoded_text)?);
        kinds.push(from_kind(class, &config)?);
    }
    kinds.extend(model_kinds());
    kinds.extend(super::transforms::kinds());
    Ok(kinds)
}

fn to_kind(
    class: &str,
    config: &BTreeMap<String, String>,
    mut input: impl FnMut(&mut Random) -> Vec<u8> + 'static,
) -> Result<Kind> {
    let mut converter = converter(class, config)?;
    let config = config_text(config);
    let class = class.to_owned();
    let short = class.rsplit('.').next().unwrap_or_default().to_owned();
    Ok(Kind::new(
        format!("{short} to_connect {}", config.len()),
        move |r| {
            let bytes = if r.once_in(50) {
                None
            } else {
                Some(Bytes::from(input(r)))
            };
            let line = format!("to\t{class}\t{config}\t{}", bytes_text(bytes.as_ref()));
            let found = converter.to_connect("topic", &[], bytes.as_ref());
            Case {
                line,
                ours: answer(found.map(|pair| dump::pair(&pair))),
            }
        },
    ))
}

fn from_kind(class: &str, config: &BTreeMap<String, String>) -> Result<Kind> {
    let mut converter = converter(class, config)?;
    let config = config_text(config);
    let class = class.to_owned();
    let short = class.rsplit('.').next().unwrap_or_default().to_owned();
    let short_is_string = short == "StringConverter";
    Ok(Kind::new(
        format!("{short} from_connect {}", config.len()),
        move |r| {
            let (schema, mut value) = generate::pair(r);
            // The text of a byte array is its identity, which no two processes share.
            if short_is_string && value.to_string().contains("[B@") {
                value = Value::Null;
            }
            let line = format!(
                "from\t{class}\t{config}\t{}\t{}",
                dump::schema(schema.as_ref()),
                dump::value(&value)
            );
            let found = converter.from_connect("topic", &mut Vec::new(), schema.as_ref(), &value);
            Case {
                line,
                ours: answer(found.map(|bytes| bytes_text(bytes.as_ref()))),
            }
        },
    ))
}

/// JSON texts: what our encoder writes for random values, whole or spoilt.
fn json_text(
    config: &BTreeMap<String, String>,
) -> Result<impl FnMut(&mut Random) -> Vec<u8> + 'static> {
    let mut writer = converter(JSON, config)?;
    Ok(move |r: &mut Random| {
        loop {
            let (schema, value) = generate::pair(r);
            let found = writer.from_connect("topic", &mut Vec::new(), schema.as_ref(), &value);
            if let Ok(Some(bytes)) = found {
                let mut bytes = bytes.to_vec();
                if r.once_in(2) {
                    generate::mutate(r, &mut bytes);
                }
                return bytes;
            }
        }
    })
}

fn text_case(op: &str, text: &str, ours: Answer) -> Case {
    Case {
        line: format!("{op}\t{}", dump::hex(text.as_bytes())),
        ours: answer(ours),
    }
}

fn schema_case(parts: &[&str], schema: &Schema, value: &Value, ours: Answer) -> Case {
    Case {
        line: format!(
            "{}\t{}\t{}",
            parts.join("\t"),
            dump::schema(Some(schema)),
            dump::value(value)
        ),
        ours: answer(ours),
    }
}

fn model_kinds() -> Vec<Kind> {
    vec![
        Kind::new("SimpleHeaderConverter to_connect", |r| {
            let text = generate::literal(r, 0);
            let bytes = Bytes::from(text.clone());
            let found = milena_converters::SimpleHeaderConverter.to_connect("t", "h", Some(&bytes));
            text_case("simple", &text, found.map(|pair| dump::pair(&pair)))
        }),
        Kind::new("Values.parseString", |r| {
            let text = generate::literal(r, 0);
            let found = values::parse_string(&text);
            let found = found.as_ref().map_or("nothing".to_owned(), dump::pair);
            text_case("parse", &text, Ok(found))
        }),
        Kind::new("Values.convertToString", |r| {
            let schema = generate::schema(r, 0);
            let value = if r.once_in(2) {
                generate::any(r, 0)
            } else {
                generate::value(r, &schema)
            };
            let found = values::convert_to_string(&value)
                .map(|text| text.map_or("null".to_owned(), |text| dump::hex(text.as_bytes())));
            schema_case(&["render"], &schema, &value, found.map_err(Into::into))
        }),
        Kind::new("String.valueOf", |r| {
            let value = generate::any(r, 0);
            Case {
                line: format!("text\t{}", dump::value(&value)),
                ours: dump::hex(value.to_string().as_bytes()),
            }
        }),
        Kind::new("Values.convertTo", convert_case),
        Kind::new("Values.inferSchema", |r| {
            let value = generate::any(r, 0);
            let found = values::infer_schema(&value).map(|schema| dump::schema(schema.as_ref()));
            Case {
                line: format!("infer\t{}", dump::value(&value)),
                ours: answer(found.map_err(Into::into)),
            }
        }),
        Kind::new("ConnectSchema.validateValue", |r| {
            let schema = generate::schema(r, 0);
            let value = generate::unsure_value(r, &schema);
            let found = validate_value(&schema, &value).map(|()| "valid".to_owned());
            schema_case(&["validate"], &schema, &value, found.map_err(Into::into))
        }),
        Kind::new("SchemaProjector.project", project_case),
        Kind::new("BigDecimal", |r| {
            let text = generate::number_text(r);
            let found = Decimal::parse(&text).map(|d| decimal_text(&d));
            text_case("decimal", &text, found.map_err(Into::into))
        }),
    ]
}

fn decimal_text(d: &Decimal) -> String {
    let plain = (d.scale().unsigned_abs() < 1000)
        .then(|| d.to_plain_string())
        .flatten();
    format!(
        "{} {d} {} {} {} {} {}",
        dump::value(&Value::Decimal(d.clone())),
        d.to_engineering_string(),
        plain.unwrap_or_else(|| "-".to_owned()),
        d.long_value(),
        dump::value(&Value::Float64(d.double_value())),
        dump::value(&Value::Float32(d.float_value()))
    )
}

fn convert_case(r: &mut Random) -> Case {
    const TARGETS: [&str; 14] = [
        "boolean",
        "byte",
        "short",
        "integer",
        "long",
        "float",
        "double",
        "list",
        "map",
        "struct",
        "decimal",
        "date",
        "time",
        "timestamp",
    ];
    let to = r.pick(&TARGETS).unwrap_or_default();
    let from = if r.once_in(2) {
        Some(generate::logical(r))
    } else {
        None
    };
    let value = match &from {
        Some(schema) => generate::value(r, schema),
        None if r.once_in(2) => Value::from(generate::literal(r, 0)),
        None => generate::any(r, 0),
    };
    let from = from.as_ref();
    let or_null = |value: Option<Value>| value.unwrap_or(Value::Null);
    let found = match to {
        "boolean" => {
            values::convert_to_boolean(from, &value).map(|v| or_null(v.map(Value::Boolean)))
        }
        "byte" => values::convert_to_byte(from, &value).map(|v| or_null(v.map(Value::Int8))),
        "short" => values::convert_to_short(from, &value).map(|v| or_null(v.map(Value::Int16))),
        "integer" => values::convert_to_integer(from, &value).map(|v| or_null(v.map(Value::Int32))),
        "long" => values::convert_to_long(from, &value).map(|v| or_null(v.map(Value::Int64))),
        "float" => values::convert_to_float(from, &value).map(|v| or_null(v.map(Value::Float32))),
        "double" => values::convert_to_double(from, &value).map(|v| or_null(v.map(Value::Float64))),
        "list" => values::convert_to_list(&value).map(Value::Array),
        "map" => values::convert_to_map(&value).map(Value::from),
        "struct" => values::convert_to_struct(&value).map(Value::from),
        "decimal" => values::convert_to_decimal(&value, 2).map(Value::Decimal),
        "date" => values::convert_to_date(from, &value).map(Value::Instant),
        "time" => values::convert_to_time(from, &value).map(Value::Instant),
        _ => values::convert_to_timestamp(from, &value).map(Value::Instant),
    };
    Case {
        line: format!(
            "convert\t{to}\t{}\t{}",
            dump::schema(from),
            dump::value(&value)
        ),
        ours: answer(found.map(|value| dump::sorted(&value)).map_err(Into::into)),
    }
}

fn project_case(r: &mut Random) -> Case {
    let source = generate::schema(r, 0);
    let target = if r.once_in(4) {
        generate::schema(r, 0)
    } else {
        generate::similar(r, &source)
    };
    let value = generate::value(r, &source);
    let found = project(&source, &value, &target).map(|value| dump::sorted(&value));
    Case {
        line: format!(
            "project\t{}\t{}\t{}",
            dump::schema(Some(&source)),
            dump::value(&value),
            dump::schema(Some(&target))
        ),
        ours: answer(found.map_err(Into::into)),
    }
}
