//! `Values.convertToX` (spec `data.md` 1.7.4).

use super::{parse::parse_string, render::convert_to_string};
use crate::{
    DataError, Decimal, LogicalType, MapValue, Schema, SchemaType, Struct, Value,
    calendar::{DateTime, MILLIS_PER_DAY, days_of_date},
    decimal::low_bits,
    error::NULL_POINTER_EXCEPTION,
    logical,
    logical::narrow,
};

fn unable(value: &Value, target: &dyn std::fmt::Display) -> DataError {
    DataError::data(format!(
        "Unable to convert {value} (class {}) to {target}",
        value.java_class()
    ))
}

fn required(value: &Value) -> Result<(), DataError> {
    if value.is_null() {
        return Err(DataError::data(
            "Unable to convert a null value to a schema that requires a value",
        ));
    }
    Ok(())
}

/// Converts to the type of a schema, logical types included.
///
/// # Errors
/// The value has no form of that type, with Java's text.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing casts are the behaviour"
)]
pub fn convert_to(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, DataError> {
    if value.is_null() {
        if to.is_optional() {
            return Ok(Value::Null);
        }
        required(value)?;
    }
    match (to.kind(), to.logical()) {
        (SchemaType::Bytes, _) => to_bytes(to, value),
        (SchemaType::String, _) => Ok(convert_to_string(value)?.map_or(Value::Null, Value::from)),
        (SchemaType::Boolean, _) => {
            Ok(convert_to_boolean(from, value)?.map_or(Value::Null, Value::Boolean))
        }
        (SchemaType::Int8, _) => Ok(Value::Int8(as_long(from, value)? as i8)),
        (SchemaType::Int16, _) => Ok(Value::Int16(as_long(from, value)? as i16)),
        (SchemaType::Int32, Some(LogicalType::Date)) => to_date(to, from, value),
        (SchemaType::Int32, Some(LogicalType::Time)) => to_time(to, from, value),
        (SchemaType::Int32, _) => Ok(Value::Int32(narrow(as_long(from, value)?))),
        (SchemaType::Int64, Some(LogicalType::Timestamp)) => to_timestamp(to, from, value),
        (SchemaType::Int64, _) => Ok(Value::Int64(as_long(from, value)?)),
        (SchemaType::Float32, _) => Ok(Value::Float32(as_double(from, value)? as f32)),
        (SchemaType::Float64, _) => Ok(Value::Float64(as_double(from, value)?)),
        (SchemaType::Array, _) => match parsed(value, "schemaAndValue")? {
            list @ Value::Array(_) => Ok(list),
            other => Err(unable(&other, to)),
        },
        (SchemaType::Map, _) => match parsed(value, "schemaAndValue")? {
            map @ Value::Map(_) => Ok(map),
            other => Err(unable(&other, to)),
        },
        (SchemaType::Struct, _) => match value {
            Value::Struct(_) => Ok(value.clone()),
            _ => Err(unable(value, to)),
        },
    }
}

/// A string is read as a literal first.
/// The literal `null` gives Java no pair at all, which its variable of this name then stumbles over.
fn parsed(value: &Value, variable: &str) -> Result<Value, DataError> {
    match value {
        Value::String(text) => parse_string(text).map(|pair| pair.value).ok_or_else(|| {
            DataError::of(
                NULL_POINTER_EXCEPTION,
                format!(
                    "Cannot invoke \"org.apache.kafka.connect.data.SchemaAndValue.value()\" because \
                     \"{variable}\" is null"
                ),
            )
        }),
        other => Ok(other.clone()),
    }
}

/// `convertToBoolean`; null stays null.
///
/// # Errors
/// Neither a boolean, a number nor a text of one.
pub fn convert_to_boolean(from: Option<&Schema>, value: &Value) -> Result<Option<bool>, DataError> {
    match value {
        Value::Null => return Ok(None),
        Value::Boolean(b) => return Ok(Some(*b)),
        Value::String(_) => {
            if let Value::Boolean(b) = parsed(value, "parsed")? {
                return Ok(Some(b));
            }
        }
        _ => {}
    }
    Ok(Some(as_long(from, value)? != 0))
}

/// `convertToByte`: wraps silently; null stays null.
///
/// # Errors
/// No number and no text of one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the behaviour"
)]
pub fn convert_to_byte(from: Option<&Schema>, value: &Value) -> Result<Option<i8>, DataError> {
    Ok(convert_to_long(from, value)?.map(|n| n as i8))
}

/// `convertToShort`: wraps silently; null stays null.
///
/// # Errors
/// No number and no text of one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the behaviour"
)]
pub fn convert_to_short(from: Option<&Schema>, value: &Value) -> Result<Option<i16>, DataError> {
    Ok(convert_to_long(from, value)?.map(|n| n as i16))
}

/// `convertToInteger`: wraps silently; null stays null.
///
/// # Errors
/// No number and no text of one.
pub fn convert_to_integer(from: Option<&Schema>, value: &Value) -> Result<Option<i32>, DataError> {
    Ok(convert_to_long(from, value)?.map(narrow))
}

/// `convertToLong`; null stays null.
///
/// # Errors
/// No number and no text of one.
pub fn convert_to_long(from: Option<&Schema>, value: &Value) -> Result<Option<i64>, DataError> {
    if value.is_null() {
        return Ok(None);
    }
    as_long(from, value).map(Some)
}

/// `convertToFloat`; null stays null.
///
/// # Errors
/// No number and no text of one.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the behaviour"
)]
pub fn convert_to_float(from: Option<&Schema>, value: &Value) -> Result<Option<f32>, DataError> {
    Ok(convert_to_double(from, value)?.map(|x| x as f32))
}

/// `convertToDouble`; null stays null.
///
/// # Errors
/// No number and no text of one.
pub fn convert_to_double(from: Option<&Schema>, value: &Value) -> Result<Option<f64>, DataError> {
    if value.is_null() {
        return Ok(None);
    }
    as_double(from, value).map(Some)
}

/// `convertToList`.
///
/// # Errors
/// Null, or no list and no text of one.
pub fn convert_to_list(value: &Value) -> Result<Vec<Value>, DataError> {
    let schema = Schema::primitive(SchemaType::Array, false);
    match convert_to(&schema, None, value)? {
        Value::Array(items) => Ok(items),
        other => Err(unable(&other, &schema)),
    }
}

/// `convertToMap`.
///
/// # Errors
/// Null, or no map and no text of one.
pub fn convert_to_map(value: &Value) -> Result<MapValue, DataError> {
    let schema = Schema::primitive(SchemaType::Map, false);
    match convert_to(&schema, None, value)? {
        Value::Map(map) => Ok(*map),
        other => Err(unable(&other, &schema)),
    }
}

/// `convertToStruct`.
///
/// # Errors
/// Null or no struct.
pub fn convert_to_struct(value: &Value) -> Result<Struct, DataError> {
    let schema = Schema::primitive(SchemaType::Struct, false);
    match convert_to(&schema, None, value)? {
        Value::Struct(inner) => Ok(*inner),
        other => Err(unable(&other, &schema)),
    }
}

/// `convertToDecimal`: a decimal keeps its own scale, other numbers go through double.
///
/// # Errors
/// Null, no number, or a text that is none (`NumberFormatException`).
pub fn convert_to_decimal(value: &Value, scale: i32) -> Result<Decimal, DataError> {
    let schema = Schema::decimal(scale);
    match convert_to(&schema, None, value)? {
        Value::Decimal(decimal) => Ok(decimal),
        other => Err(unable(&other, &schema)),
    }
}

/// `convertToDate`: milliseconds of the instant.
///
/// # Errors
/// Null, or nothing that can be a date.
pub fn convert_to_date(from: Option<&Schema>, value: &Value) -> Result<i64, DataError> {
    instant(&Schema::date(), from, value)
}

/// `convertToTime`: milliseconds of the instant.
///
/// # Errors
/// Null, or nothing that can be a time.
pub fn convert_to_time(from: Option<&Schema>, value: &Value) -> Result<i64, DataError> {
    instant(&Schema::time(), from, value)
}

/// `convertToTimestamp`: milliseconds of the instant.
///
/// # Errors
/// Null, or nothing that can be a timestamp.
pub fn convert_to_timestamp(from: Option<&Schema>, value: &Value) -> Result<i64, DataError> {
    instant(&Schema::timestamp(), from, value)
}

fn instant(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<i64, DataError> {
    match convert_to(to, from, value)? {
        Value::Instant(millis) => Ok(millis),
        other => Err(unable(&other, to)),
    }
}

fn to_bytes(to: &Schema, value: &Value) -> Result<Value, DataError> {
    if to.logical() == Some(LogicalType::Decimal) {
        let decimal = match value {
            Value::Bytes(bytes) => Some(logical::decimal_to_logical(to, bytes)?),
            Value::Decimal(decimal) => Some(decimal.clone()),
            Value::String(text) => Some(Decimal::parse(text)?),
            _ => match number(value) {
                Some((_, double)) => Some(Decimal::from_double(double)?),
                None => None,
            },
        };
        if let Some(decimal) = decimal {
            return Ok(Value::Decimal(decimal));
        }
    }
    match value {
        Value::Bytes(_) => Ok(value.clone()),
        Value::Decimal(decimal) => Ok(Value::Bytes(logical::decimal_from_logical(to, decimal)?)),
        _ => Err(unable(value, to)),
    }
}

fn to_date(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, DataError> {
    let value = parsed(value, "parsed")?;
    if let Value::Instant(millis) = value {
        match from.map(Schema::logical) {
            None | Some(Some(LogicalType::Date)) => return Ok(value),
            Some(Some(LogicalType::Timestamp)) => {
                let days = narrow(millis / MILLIS_PER_DAY);
                return logical::date_to_logical(to, days).map(Value::Instant);
            }
            _ => {}
        }
    }
    let days = narrow(as_long(from, &value)?);
    logical::date_to_logical(to, days).map(Value::Instant)
}

fn to_time(to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, DataError> {
    let value = parsed(value, "parsed")?;
    if let Value::Instant(millis) = value {
        match from.map(Schema::logical) {
            None | Some(Some(LogicalType::Time)) => return Ok(value),
            Some(Some(LogicalType::Timestamp)) => {
                // Java sets year, month and day of a calendar, which keeps its era.
                let year = if DateTime::from_millis(millis).year > 0 {
                    1970
                } else {
                    -1969
                };
                let day = days_of_date(year, 1, 1) * MILLIS_PER_DAY;
                let of_day = narrow(day + millis.rem_euclid(MILLIS_PER_DAY));
                return logical::time_to_logical(to, of_day).map(Value::Instant);
            }
            _ => {}
        }
    }
    let millis = narrow(as_long(from, &value)?);
    logical::time_to_logical(to, millis).map(Value::Instant)
}

fn to_timestamp(_to: &Schema, from: Option<&Schema>, value: &Value) -> Result<Value, DataError> {
    let value = parsed(value, "parsed")?;
    if let Value::Instant(millis) = value {
        match (from, from.map(Schema::logical)) {
            (None, _) | (_, Some(Some(LogicalType::Timestamp))) => return Ok(value),
            (Some(schema), Some(Some(LogicalType::Date))) => {
                let days = logical::date_from_logical(schema, millis)?;
                return Ok(Value::Instant(i64::from(days) * MILLIS_PER_DAY));
            }
            (Some(schema), Some(Some(LogicalType::Time))) => {
                let of_day = logical::time_from_logical(schema, millis)?;
                return Ok(Value::Instant(i64::from(of_day)));
            }
            _ => {}
        }
    }
    Ok(Value::Instant(as_long(from, &value)?))
}

/// The `longValue` and `doubleValue` of a `java.lang.Number`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "Java's numeric casts are the behaviour"
)]
fn number(value: &Value) -> Option<(i64, f64)> {
    Some(match value {
        Value::Float32(x) => (*x as i64, f64::from(*x)),
        Value::Float64(x) => (*x as i64, *x),
        Value::Decimal(decimal) => (decimal.long_value(), decimal.double_value()),
        Value::BigInteger(n) => (low_bits(n), Decimal::new(n.clone(), 0).double_value()),
        other => {
            let n = other.as_i64()?;
            (n, n as f64)
        }
    })
}

fn as_long(from: Option<&Schema>, value: &Value) -> Result<i64, DataError> {
    if let Some((long, _)) = number(value) {
        return Ok(long);
    }
    let mut cause = None;
    if let Value::String(text) = value {
        match Decimal::parse(text) {
            Ok(decimal) => return Ok(decimal.long_value()),
            Err(error) => cause = Some(error),
        }
    }
    not_a_number(from, value, cause)
}

fn as_double(from: Option<&Schema>, value: &Value) -> Result<f64, DataError> {
    if let Some((_, double)) = number(value) {
        return Ok(double);
    }
    let mut cause = None;
    if let Value::String(text) = value {
        match Decimal::parse(text) {
            Ok(decimal) => return Ok(decimal.double_value()),
            Err(error) => cause = Some(error),
        }
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "Java's numeric cast is the behaviour"
    )]
    not_a_number(from, value, cause).map(|n| n as f64)
}

/// The internal integer of a date object under a logical schema; nothing else is a number.
fn not_a_number(
    from: Option<&Schema>,
    value: &Value,
    cause: Option<DataError>,
) -> Result<i64, DataError> {
    if let (Some(schema), Value::Instant(millis)) = (from, value) {
        match schema.logical() {
            Some(LogicalType::Date) => {
                return logical::date_from_logical(schema, *millis).map(i64::from);
            }
            Some(LogicalType::Time) => {
                return logical::time_from_logical(schema, *millis).map(i64::from);
            }
            Some(LogicalType::Timestamp) => return Ok(*millis),
            _ => {}
        }
    }
    let mut error = match from {
        Some(schema) => unable(value, schema),
        None => unable(value, &"a number"),
    };
    error.cause = cause.map(Box::new);
    Err(error)
}
