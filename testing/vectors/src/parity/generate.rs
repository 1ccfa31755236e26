//! Random schemas, values and texts.

use bytes::Bytes;
use milena_data::{Decimal, MapValue, Schema, SchemaBuilder, SchemaType, Struct, Value};

use super::Random;

/// How deep generated schemas nest.
const DEPTH_MAX: usize = 3;

const WORDS: [&str; 24] = [
    "",
    "a",
    "b",
    "id",
    "name",
    "été",
    "漢字",
    "😀",
    "a b",
    "a.b",
    "\"q\"",
    "back\\slash",
    "line\nfeed",
    "tab\tx",
    "\u{1}",
    "true",
    "null",
    "42",
    "1.5",
    "2019-08-23",
    "x,y",
    "[1,2]",
    "{\"a\":1}",
    "longer text here",
];

/// A text.
pub fn text(r: &mut Random) -> String {
    let mut out = String::new();
    for _ in 0..=r.below(3) {
        out.push_str(r.pick(&WORDS).unwrap_or_default());
    }
    out
}

/// A field's or key's name, not empty.
pub fn name(r: &mut Random) -> String {
    format!(
        "{}{}",
        r.pick(&["f", "field", "ü", "a.b", "q\"", "x y"])
            .unwrap_or_default(),
        r.below(40)
    )
}

/// A number of 64 bits, mostly small or at a bound.
#[expect(clippy::cast_possible_wrap, reason = "any bits will do")]
pub fn integer(r: &mut Random) -> i64 {
    match r.below(6) {
        0 => 0,
        1 => r.bits() as i64,
        2 => i64::from(r.bits() as i8),
        3 => i64::from(r.bits() as i32),
        4 => [
            127,
            128,
            -128,
            -129,
            32767,
            32768,
            i64::from(i32::MAX),
            i64::MAX,
            i64::MIN,
        ]
        .get(r.below(9))
        .copied()
        .unwrap_or(0),
        _ => r.below(1000) as i64,
    }
}

/// A double: any bits, or something that people write.
#[expect(clippy::cast_precision_loss, reason = "any number will do")]
pub fn double(r: &mut Random) -> f64 {
    match r.below(6) {
        0 => f64::from_bits(r.bits()),
        1 => integer(r) as f64,
        2 => integer(r) as f64 / 100.0,
        3 => r.below(100_000) as f64 / 1000.0,
        4 => 2_f64.powi(i32::try_from(r.below(2200)).unwrap_or(0) - 1100),
        _ => 10_f64.powi(i32::try_from(r.below(640)).unwrap_or(0) - 320),
    }
}

/// A float: any bits, or something that people write.
#[expect(clippy::cast_possible_truncation, reason = "any number will do")]
pub fn float(r: &mut Random) -> f32 {
    match r.below(3) {
        0 => f32::from_bits(r.bits() as u32),
        1 => 2_f32.powi(i32::try_from(r.below(300)).unwrap_or(0) - 150),
        _ => double(r) as f32,
    }
}

/// A decimal of some scale.
pub fn decimal(r: &mut Random, scale: i32) -> Decimal {
    let mut unscaled = num_bigint::BigInt::from(integer(r));
    if r.once_in(4) {
        unscaled = unscaled * integer(r) * integer(r);
    }
    Decimal::new(unscaled, scale)
}

/// A moment; mostly in our times, sometimes any.
pub fn millis(r: &mut Random) -> i64 {
    match r.below(5) {
        0 => integer(r),
        1 => integer(r) % 86_400_000,
        2 => (integer(r) % 1_000_000) * 86_400_000,
        3 => -62_135_596_800_000 + integer(r) % 100_000_000_000_000,
        _ => integer(r) % 4_000_000_000_000,
    }
}

const KINDS: [SchemaType; 12] = SchemaType::ALL;

/// A schema with all its parts at random.
pub fn schema(r: &mut Random, depth: usize) -> Schema {
    let kinds = if depth >= DEPTH_MAX { 9 } else { 12 };
    let kind = KINDS
        .get(r.below(kinds))
        .copied()
        .unwrap_or(SchemaType::String);
    if r.once_in(5) {
        return logical(r);
    }
    let mut builder = match kind {
        SchemaType::Array => SchemaBuilder::array(schema(r, depth + 1)),
        SchemaType::Map => {
            let keys = if r.once_in(3) {
                schema(r, depth + 2)
            } else {
                Schema::string()
            };
            SchemaBuilder::map(keys, schema(r, depth + 1))
        }
        SchemaType::Struct => {
            let mut builder = SchemaBuilder::structure();
            for index in 0..r.below(6) {
                let name = format!("{}_{index}", name(r));
                builder = builder.field(name, schema(r, depth + 1));
            }
            builder
        }
        other => SchemaBuilder::new(other),
    };
    if r.once_in(3) {
        builder = builder.optional();
    }
    if r.once_in(6) {
        builder = builder.name(name(r));
    }
    if r.once_in(8) {
        builder = builder.version(i32::try_from(r.below(5)).unwrap_or(1));
    }
    if r.once_in(10) {
        builder = builder.doc(text(r));
    }
    if r.once_in(10) {
        builder = builder.parameter(name(r), text(r)).parameter("p", "q");
    }
    if r.once_in(6) && kind.is_primitive() {
        let bare = Schema::primitive(kind, false);
        builder = builder.default_value(value(r, &bare));
    }
    builder
        .build()
        .unwrap_or_else(|_| Schema::optional_string())
}

/// A schema of a logical type.
pub fn logical(r: &mut Random) -> Schema {
    let schema = match r.below(4) {
        0 => Schema::date(),
        1 => Schema::time(),
        2 => Schema::timestamp(),
        _ => Schema::decimal(i32::try_from(r.below(8)).unwrap_or(0) - 2),
    };
    if r.once_in(3) {
        return SchemaBuilder::like(&schema).optional(true).build();
    }
    schema
}

/// A value that is valid under a schema.
#[expect(clippy::cast_possible_truncation, reason = "any number will do")]
pub fn value(r: &mut Random, schema: &Schema) -> Value {
    use milena_data::LogicalType;
    if schema.is_optional() && r.once_in(4) {
        return Value::Null;
    }
    match schema.logical() {
        Some(LogicalType::Decimal) => {
            let scale = milena_data::logical::decimal_scale(schema).unwrap_or(0);
            return Value::Decimal(decimal(r, scale));
        }
        Some(LogicalType::Date) => {
            return Value::Instant((integer(r) % 2_000_000) * 86_400_000);
        }
        Some(LogicalType::Time) => return Value::Instant((integer(r) % 86_400_000).abs()),
        Some(LogicalType::Timestamp) => return Value::Instant(millis(r)),
        None => {}
    }
    match schema.kind() {
        SchemaType::Int8 => Value::Int8(integer(r) as i8),
        SchemaType::Int16 => Value::Int16(integer(r) as i16),
        SchemaType::Int32 => Value::Int32(integer(r) as i32),
        SchemaType::Int64 => Value::Int64(integer(r)),
        SchemaType::Float32 => Value::Float32(float(r)),
        SchemaType::Float64 => Value::Float64(double(r)),
        SchemaType::Boolean => Value::Boolean(r.once_in(2)),
        SchemaType::String => Value::from(text(r)),
        SchemaType::Bytes => Value::Bytes(bytes(r)),
        SchemaType::Array => {
            let element = schema.value_schema().cloned();
            let count = r.below(4);
            Value::Array(
                (0..count)
                    .map(|_| element_value(r, element.as_ref()))
                    .collect(),
            )
        }
        SchemaType::Map => {
            let mut map = MapValue::new();
            for _ in 0..r.below(4) {
                let key = element_value(r, schema.key_schema());
                map.insert(key, element_value(r, schema.value_schema()));
            }
            map.into()
        }
        SchemaType::Struct => {
            let slots = schema
                .fields()
                .values()
                .map(|field| value(r, field.schema()))
                .collect();
            Struct::from_slots(schema.clone(), slots).into()
        }
    }
}

fn element_value(r: &mut Random, schema: Option<&Schema>) -> Value {
    schema.map_or(Value::Null, |schema| value(r, schema))
}

/// Some bytes.
pub fn bytes(r: &mut Random) -> Bytes {
    let count = r.below(6);
    (0..count)
        .map(|_| r.bits().to_le_bytes()[0])
        .collect::<Vec<u8>>()
        .into()
}

/// A value under a schema that is sometimes of another class, null, or missing a part.
pub fn unsure_value(r: &mut Random, schema: &Schema) -> Value {
    let mut found = value(r, schema);
    if r.once_in(3) {
        spoil(r, &mut found);
    }
    found
}

fn spoil(r: &mut Random, value: &mut Value) {
    let inner = !r.once_in(3);
    match value {
        Value::Array(items) if inner && !items.is_empty() => {
            let at = r.below(items.len());
            if let Some(item) = items.get_mut(at) {
                spoil(r, item);
            }
        }
        Value::Struct(fields) if inner && !fields.slots().is_empty() => {
            let at = r.below(fields.slots().len());
            if let Some(slot) = fields.slots_mut().get_mut(at) {
                spoil(r, slot);
            }
        }
        other => *other = any(r, 1),
    }
}

/// A value of any class, without a schema.
#[expect(clippy::cast_possible_truncation, reason = "any number will do")]
pub fn any(r: &mut Random, depth: usize) -> Value {
    match r.below(if depth > 2 { 13 } else { 16 }) {
        0 => Value::Null,
        1 => Value::Boolean(r.once_in(2)),
        2 => Value::Int8(integer(r) as i8),
        3 => Value::Int16(integer(r) as i16),
        4 => Value::Int32(integer(r) as i32),
        5 | 6 => Value::Int64(integer(r)),
        7 => Value::Float32(float(r)),
        8 => Value::Float64(double(r)),
        9 | 10 => Value::from(text(r)),
        11 => {
            let scale = i32::try_from(r.below(6)).unwrap_or(0);
            Value::Decimal(decimal(r, scale))
        }
        12 => Value::Instant(millis(r)),
        13 => {
            let count = r.below(4);
            Value::Array((0..count).map(|_| any(r, depth + 1)).collect())
        }
        14 => {
            let schema = SchemaBuilder::structure()
                .field("a", Schema::optional_int32())
                .field("b", Schema::optional_string())
                .build();
            match schema {
                Ok(schema) => value(r, &schema),
                Err(_) => Value::Null,
            }
        }
        _ => {
            let mut map = MapValue::new();
            for _ in 0..r.below(4) {
                let key = if r.once_in(4) {
                    any(r, 3)
                } else {
                    Value::from(text(r))
                };
                map.insert(key, any(r, depth + 1));
            }
            map.into()
        }
    }
}

/// A literal as `Values` reads it, or nearly.
pub fn literal(r: &mut Random, depth: usize) -> String {
    match r.below(if depth > 2 { 10 } else { 13 }) {
        0 => ["null", "true", "false", "TRUE", " null ", "truex"]
            .get(r.below(6))
            .copied()
            .unwrap_or("")
            .to_owned(),
        1 => integer(r).to_string(),
        2 => milena_data::float_text::double_text(double(r)),
        3 => {
            let scale = i32::try_from(r.below(30)).unwrap_or(0) - 10;
            decimal(r, scale).to_string()
        }
        4 => milena_data::values::instant_text(millis(r)),
        5 => format!("\"{}\"", text(r)),
        6 => text(r),
        7 => r
            .pick(&[
                "2019-08-23",
                "2019-08-23T14:34:54.346Z",
                "14:34:54.346Z",
                "2019-08-23T14\\:34\\:54.346Z",
                "2019-13-40",
                "1-1-1",
                "2019-8-23x",
                "1e5",
                "1E-400",
                "1e400",
                "+5",
                "-.5",
                "1.",
                "0x1",
                "1_0",
                "1e",
                "12:34",
                "--5",
                "9223372036854775808",
                "3 apples",
                "1e99999",
                "0.1e1",
                "00012",
                "1e+2",
                "14:34:54Z",
                "99:99:99.999Z",
            ])
            .unwrap_or_default()
            .to_owned(),
        8 => ["", " ", "  \t", "\\", "\\\"", "\"", "\"\"", ","]
            .get(r.below(8))
            .copied()
            .unwrap_or("")
            .to_owned(),
        9 => format!(
            "{}{}",
            r.pick(&[" ", "\n", "", "x"]).unwrap_or_default(),
            integer(r)
        ),
        10 | 11 => {
            let parts: Vec<String> = (0..r.below(4)).map(|_| literal(r, depth + 1)).collect();
            let comma = r
                .pick(&[",", ", ", " ,", ",,", " "])
                .filter(|_| r.once_in(3))
                .unwrap_or(",");
            let end = r
                .pick(&["]", "]", "]", "]", "", ",]", "] x"])
                .unwrap_or_default();
            format!("[{}{end}", parts.join(comma))
        }
        _ => {
            let parts: Vec<String> = (0..r.below(4))
                .map(|_| {
                    let colon = if r.once_in(12) { "" } else { ":" };
                    format!("{}{colon}{}", literal(r, depth + 1), literal(r, depth + 1))
                })
                .collect();
            let comma = if r.once_in(8) { " " } else { "," };
            let end = r
                .pick(&["}", "}", "}", "}", "", ",}", "} x"])
                .unwrap_or_default();
            format!("{{{}{end}", parts.join(comma))
        }
    }
}

/// Changes a few bytes of a text.
pub fn mutate(r: &mut Random, bytes: &mut Vec<u8>) {
    const BITS: &[u8] = b"{}[]\":,\\0123456789.eE+-truefalsn \n\x00\x01\x7f\x80\xc3\xa9\xed\xff/u";
    for _ in 0..=r.below(3) {
        let at = r.below(bytes.len() + 1);
        let byte = BITS.get(r.below(BITS.len())).copied().unwrap_or(b'x');
        match r.below(4) {
            0 if at < bytes.len() => {
                bytes.remove(at);
            }
            1 => bytes.insert(at, byte),
            2 => {
                if let Some(slot) = bytes.get_mut(at) {
                    *slot = byte;
                }
            }
            _ if r.once_in(3) => bytes.truncate(at),
            _ => {}
        }
    }
}

/// A value with its schema, or without one.
pub fn pair(r: &mut Random) -> (Option<Schema>, Value) {
    if r.once_in(4) {
        return (None, any(r, 0));
    }
    let schema = schema(r, 0);
    let value = unsure_value(r, &schema);
    (Some(schema), value)
}

/// Bytes for the fixed-width converters.
pub fn bytes_of_any_length(r: &mut Random) -> Vec<u8> {
    let length = [1, 2, 4, 8, 0, 3].get(r.below(6)).copied().unwrap_or(8);
    (0..length)
        .map(|_| {
            if r.once_in(3) {
                u8::from(r.once_in(2))
            } else {
                r.bits().to_le_bytes()[0]
            }
        })
        .collect()
}

/// A text as UTF-8, sometimes spoilt.
pub fn encoded_text(r: &mut Random) -> Vec<u8> {
    let mut bytes = text(r).into_bytes();
    if r.once_in(2) {
        mutate(r, &mut bytes);
    }
    bytes
}

/// The text of a number, or nearly.
pub fn number_text(r: &mut Random) -> String {
    let scale = i32::try_from(r.below(60)).unwrap_or(0) - 20;
    let mut text = match r.below(4) {
        0 => integer(r).to_string(),
        1 => milena_data::float_text::double_text(double(r)),
        2 => format!("{}e{}", decimal(r, scale), integer(r) % 100_000),
        _ => decimal(r, scale).to_string(),
    };
    if r.once_in(4) {
        let at = r.below(text.len() + 1);
        if let Some(c) = "0.eE+-x 9".chars().nth(r.below(9)) {
            text.insert(at, c);
        }
    }
    if r.once_in(10) {
        let at = r.below(text.len() + 1);
        text.truncate(at);
    }
    text
}

/// A schema that a value of another may be projected to.
pub fn similar(r: &mut Random, schema: &Schema) -> Schema {
    let optional = if r.once_in(4) {
        r.once_in(2)
    } else {
        schema.is_optional()
    };
    match schema.kind() {
        kind if kind.is_number() && schema.name().is_none() && schema.parameters().is_none() => {
            let at = KINDS.iter().position(|k| *k == kind).unwrap_or(0);
            let wider = (at + r.below(3)).min(5);
            let kind = KINDS.get(wider).copied().unwrap_or(kind);
            Schema::primitive(kind, optional)
        }
        SchemaType::Struct => {
            let mut builder = SchemaBuilder::structure().set_optional(optional);
            for field in schema.fields().values() {
                if !r.once_in(6) {
                    builder = builder.field(field.name().clone(), similar(r, field.schema()));
                }
            }
            if r.once_in(4) {
                builder = builder.field("added", self::schema(r, DEPTH_MAX));
            }
            if let Some(name) = schema.name() {
                builder = builder.name(name);
            }
            builder.build().unwrap_or_else(|_| schema.clone())
        }
        _ => SchemaBuilder::like(schema).optional(optional).build(),
    }
}
