//! Casting one value: Java's narrowing casts, number parsing and text forms.

use milena_api::ConnectError;
use milena_data::{
    LogicalType, Schema, SchemaType, Value, base64_text::push_base64, logical, values::instant_text,
};

/// The type whose casting Java would decide on: the schema's, or that of the value's class.
fn source_kind(schema: Option<&Schema>, value: &Value) -> Result<SchemaType, ConnectError> {
    if let Some(schema) = schema {
        return Ok(schema.kind());
    }
    kind_of_class(value).ok_or_else(|| {
        ConnectError::data(format!(
            "Cast transformation was passed a value of type class {} which is not supported by Connect's data API",
            value.java_class()
        ))
    })
}

/// `ConnectSchema.schemaType(class)`: logical objects have none.
pub(crate) fn kind_of_class(value: &Value) -> Option<SchemaType> {
    Some(match value {
        Value::Boolean(_) => SchemaType::Boolean,
        Value::Int8(_) => SchemaType::Int8,
        Value::Int16(_) => SchemaType::Int16,
        Value::Int32(_) => SchemaType::Int32,
        Value::Int64(_) => SchemaType::Int64,
        Value::Float32(_) => SchemaType::Float32,
        Value::Float64(_) => SchemaType::Float64,
        Value::String(_) => SchemaType::String,
        Value::Bytes(_) => SchemaType::Bytes,
        Value::Array(_) => SchemaType::Array,
        Value::Map(_) => SchemaType::Map,
        Value::Struct(_) => SchemaType::Struct,
        Value::Null | Value::Decimal(_) | Value::Instant(_) | Value::BigInteger(_) => return None,
    })
}

/// A value cast to a type.
pub(crate) fn cast_value(
    schema: Option<&Schema>,
    value: Value,
    target: SchemaType,
) -> Result<Value, ConnectError> {
    if value.is_null() {
        return Ok(value);
    }
    let source = source_kind(schema, &value)?;
    if !source.is_primitive() {
        return Err(ConnectError::data(format!(
            "Cast transformation does not support casting from {source}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]"
        )));
    }
    let value = match schema {
        Some(schema) if target != SchemaType::String => unlogical(schema, value)?,
        _ => value,
    };
    let cast = match target {
        SchemaType::Int8 => to_int8(&value),
        SchemaType::Int16 => to_int16(&value),
        SchemaType::Int32 => to_int32(&value),
        SchemaType::Int64 => to_int64(&value),
        SchemaType::Float32 => to_float32(&value),
        SchemaType::Float64 => to_float64(&value),
        SchemaType::Boolean => to_boolean(&value),
        _ => return Ok(to_text(value)),
    };
    cast.map_err(|failure| failure.into_error(&value))
}

/// Dates are numbers to a cast; decimals stay what they are.
fn unlogical(schema: &Schema, value: Value) -> Result<Value, ConnectError> {
    match schema.logical() {
        None | Some(LogicalType::Decimal) => Ok(value),
        Some(_) => Ok(logical::from_logical(schema, &value)?),
    }
}

enum Failure {
    /// Not an integer.
    Integer,
    /// An integer beyond a byte or short.
    Range,
    /// Not a float.
    Float,
    Type,
}

impl Failure {
    fn into_error(self, value: &Value) -> ConnectError {
        match self {
            Self::Type => ConnectError::data(format!(
                "Unexpected type in Cast transformation: class {}",
                value.java_class()
            )),
            failure => ConnectError::data(format!(
                "Value ({value}) was out of range for requested data type"
            ))
            .caused_by(ConnectError::of(
                "java.lang.NumberFormatException",
                failure.cause(&value.to_string()),
            )),
        }
    }

    fn cause(&self, text: &str) -> String {
        match self {
            Self::Range => format!("Value out of range. Value:\"{text}\" Radix:10"),
            Self::Float => match text.trim_matches(|c| c <= ' ') {
                "" => "empty String".to_owned(),
                trimmed if has_two_points(trimmed) => "multiple points".to_owned(),
                trimmed => format!("For input string: \"{trimmed}\""),
            },
            Self::Integer | Self::Type => format!("For input string: \"{text}\""),
        }
    }
}

/// Whether Java's parser of floats meets a second point before anything else that is no digit.
fn has_two_points(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let rest = digits.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix('.').is_some_and(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit())
            .starts_with('.')
    })
}

/// Java's integers of a text: an optional sign and digits of any script.
fn parse_integer(text: &str) -> Result<i64, Failure> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 64 {
        return Err(Failure::Integer);
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_err(|_| Failure::Integer);
    }
    Err(Failure::Integer)
}

/// `Integer.parseInt`.
fn parse_int(text: &str) -> Result<i32, Failure> {
    i32::try_from(parse_integer(text)?).map_err(|_| Failure::Integer)
}

/// Java's `intValue` of a double: saturated, NaN is 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's saturating cast is the same"
)]
fn int_of_double(number: f64) -> i32 {
    number as i32
}

/// Any number as `longValue`; decimals by their low bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's saturating cast is the same"
)]
fn long_of(value: &Value) -> Option<i64> {
    Some(match value {
        Value::Float32(x) => f64::from(*x) as i64,
        Value::Float64(x) => *x as i64,
        Value::Decimal(decimal) => decimal.long_value(),
        Value::BigInteger(n) => milena_data::low_bits(n),
        Value::Boolean(b) => i64::from(*b),
        other => other.as_i64()?,
    })
}

/// Any number as `intValue`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the same"
)]
fn int_of(value: &Value) -> Option<i32> {
    match value {
        Value::Float32(x) => Some(int_of_double(f64::from(*x))),
        Value::Float64(x) => Some(int_of_double(*x)),
        other => long_of(other).map(|n| n as i32),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the same"
)]
fn to_int8(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::String(text) => i8::try_from(parse_int(text)?)
            .map(Value::Int8)
            .map_err(|_| Failure::Range),
        other => int_of(other)
            .map(|n| Value::Int8(n as i8))
            .ok_or(Failure::Type),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the same"
)]
fn to_int16(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::String(text) => i16::try_from(parse_int(text)?)
            .map(Value::Int16)
            .map_err(|_| Failure::Range),
        other => int_of(other)
            .map(|n| Value::Int16(n as i16))
            .ok_or(Failure::Type),
    }
}

fn to_int32(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::String(text) => parse_int(text).map(Value::Int32),
        other => int_of(other).map(Value::Int32).ok_or(Failure::Type),
    }
}

fn to_int64(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::String(text) => parse_integer(text).map(Value::Int64),
        other => long_of(other).map(Value::Int64).ok_or(Failure::Type),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "Java's casts round the same way"
)]
fn to_float32(value: &Value) -> Result<Value, Failure> {
    Ok(Value::Float32(match value {
        Value::String(_) => return parse_float(value, true),
        Value::Float32(x) => *x,
        Value::Float64(x) => *x as f32,
        Value::Decimal(decimal) => decimal.float_value(),
        other => long_of(other).ok_or(Failure::Type)? as f32,
    }))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Java's cast rounds the same way"
)]
fn to_float64(value: &Value) -> Result<Value, Failure> {
    Ok(Value::Float64(match value {
        Value::String(_) => return parse_float(value, false),
        Value::Float32(x) => f64::from(*x),
        Value::Float64(x) => *x,
        Value::Decimal(decimal) => decimal.double_value(),
        other => long_of(other).ok_or(Failure::Type)? as f64,
    }))
}

fn parse_float(value: &Value, single: bool) -> Result<Value, Failure> {
    let text = value.as_str().unwrap_or_default();
    let parsed = if single {
        milena_java_text::float::parse_float(text).map(Value::Float32)
    } else {
        milena_java_text::float::parse_double(text).map(Value::Float64)
    };
    parsed.ok_or(Failure::Float)
}

fn to_boolean(value: &Value) -> Result<Value, Failure> {
    match value {
        Value::String(text) => Ok(Value::Boolean(text.eq_ignore_ascii_case("true"))),
        other => long_of(other)
            .map(|n| Value::Boolean(n != 0))
            .ok_or(Failure::Type),
    }
}

fn to_text(value: Value) -> Value {
    match value {
        Value::String(_) => value,
        Value::Int64(n) => integer_text(n),
        Value::Int32(n) => integer_text(n.into()),
        Value::Int16(n) => integer_text(n.into()),
        Value::Int8(n) => integer_text(n.into()),
        Value::Instant(millis) => instant_text(millis).into(),
        Value::Bytes(bytes) => {
            let mut text = String::new();
            push_base64(&mut text, &bytes);
            text.into()
        }
        other => other.to_string().into(),
    }
}

/// In memory of its size, without a formatter.
fn integer_text(n: i64) -> Value {
    itoa::Buffer::new().format(n).into()
}
