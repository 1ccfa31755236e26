//! Conversions between the in-memory and the wire form of the logical types (spec `data.md` 1.4).

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    DataError, Decimal, DecimalBytes, LogicalType, Schema, Value,
    calendar::MILLIS_PER_DAY,
    error::{NULL_POINTER_EXCEPTION, NUMBER_FORMAT_EXCEPTION},
};

/// The `scale` parameter of a Decimal schema.
///
/// # Errors
/// No parameters at all (`NullPointerException`), no scale, or a scale that is no number.
pub fn decimal_scale(schema: &Schema) -> Result<i32, DataError> {
    let Some(parameters) = schema.parameters() else {
        return Err(DataError::of(
            NULL_POINTER_EXCEPTION,
            "Cannot invoke \"java.util.Map.get(Object)\" because the return value of \
             \"org.apache.kafka.connect.data.Schema.parameters()\" is null",
        ));
    };
    let Some(text) = parameters.get("scale") else {
        return Err(DataError::data(
            "Invalid Decimal schema: scale parameter not found.",
        ));
    };
    text.parse().map_err(|_| {
        DataError::data("Invalid scale parameter found in Decimal schema: ").caused_by(
            DataError::of(
                NUMBER_FORMAT_EXCEPTION,
                format!("For input string: \"{text}\""),
            ),
        )
    })
}

/// `Decimal.fromLogical`: the unscaled bytes; the scales must be equal.
///
/// # Errors
/// The schema has no usable scale, or the value has another.
pub fn decimal_from_logical(schema: &Schema, value: &Decimal) -> Result<Bytes, DataError> {
    let mut place = DecimalBytes::default();
    let bytes = decimal_bytes(schema, value, &mut place)?;
    Ok(Bytes::from(bytes.into_owned()))
}

/// As [`decimal_from_logical`]; a small number lies in `place`.
///
/// # Errors
/// As [`decimal_from_logical`].
pub fn decimal_bytes<'p>(
    schema: &Schema,
    value: &Decimal,
    place: &'p mut DecimalBytes,
) -> Result<Cow<'p, [u8]>, DataError> {
    let scale = decimal_scale(schema)?;
    if value.scale() != scale {
        return Err(DataError::data(format!(
            "Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, \
             value has scale {}.",
            value.scale()
        )));
    }
    Ok(value.bytes(place))
}

/// `Decimal.toLogical`.
///
/// # Errors
/// The schema has no usable scale, or there are no bytes.
pub fn decimal_to_logical(schema: &Schema, bytes: &[u8]) -> Result<Decimal, DataError> {
    let scale = decimal_scale(schema)?;
    Decimal::from_bytes(bytes, scale)
}

fn expect_name(schema: &Schema, logical: LogicalType, shown: &str) -> Result<(), DataError> {
    if schema.logical() == Some(logical) {
        return Ok(());
    }
    Err(DataError::data(format!(
        "Requested conversion of {shown} object but the schema does not match."
    )))
}

/// `Date.fromLogical`: days since the epoch of an instant at midnight.
///
/// # Errors
/// The schema is not a Date, or the instant has a time of day.
pub fn date_from_logical(schema: &Schema, millis: i64) -> Result<i32, DataError> {
    expect_name(schema, LogicalType::Date, "Date")?;
    if millis % MILLIS_PER_DAY != 0 {
        return Err(DataError::data(
            "Kafka Connect Date type should not have any time fields set to non-zero values.",
        ));
    }
    Ok(narrow(millis / MILLIS_PER_DAY))
}

/// `Date.toLogical`.
///
/// # Errors
/// The schema is not a Date.
pub fn date_to_logical(schema: &Schema, days: i32) -> Result<i64, DataError> {
    expect_name(schema, LogicalType::Date, "Date")?;
    Ok(i64::from(days) * MILLIS_PER_DAY)
}

/// `Time.fromLogical`: milliseconds since midnight.
///
/// # Errors
/// The schema is not a Time, or the instant is not on the first day of the epoch.
pub fn time_from_logical(schema: &Schema, millis: i64) -> Result<i32, DataError> {
    expect_name(schema, LogicalType::Time, "Time")?;
    if !(0..=MILLIS_PER_DAY).contains(&millis) {
        return Err(DataError::data(
            "Kafka Connect Time type should not have any date fields set to non-zero values.",
        ));
    }
    Ok(narrow(millis))
}

/// `Time.toLogical`.
///
/// # Errors
/// The schema is not a Time, or the number is not within a day.
pub fn time_to_logical(schema: &Schema, millis: i32) -> Result<i64, DataError> {
    // Java's text speaks of a Date here.
    expect_name(schema, LogicalType::Time, "Date")?;
    if !(0..=MILLIS_PER_DAY).contains(&i64::from(millis)) {
        return Err(DataError::data(
            "Time values must use number of milliseconds greater than 0 and less than 86400000",
        ));
    }
    Ok(i64::from(millis))
}

/// `Timestamp.fromLogical` and `toLogical`, which change nothing but check the schema.
///
/// # Errors
/// The schema is not a Timestamp.
pub fn timestamp_logical(schema: &Schema, millis: i64) -> Result<i64, DataError> {
    expect_name(schema, LogicalType::Timestamp, "Timestamp")?;
    Ok(millis)
}

/// The wire form of a logical value: bytes, days, milliseconds. A value that is no logical object is
/// answered as it is.
///
/// # Errors
/// The value does not fit the schema.
pub fn from_logical(schema: &Schema, value: &Value) -> Result<Value, DataError> {
    Ok(match (schema.logical(), value) {
        (Some(LogicalType::Decimal), Value::Decimal(decimal)) => {
            Value::Bytes(decimal_from_logical(schema, decimal)?)
        }
        (Some(LogicalType::Date), Value::Instant(at)) => {
            Value::Int32(date_from_logical(schema, *at)?)
        }
        (Some(LogicalType::Time), Value::Instant(at)) => {
            Value::Int32(time_from_logical(schema, *at)?)
        }
        (Some(LogicalType::Timestamp), Value::Instant(at)) => Value::Int64(*at),
        _ => value.clone(),
    })
}

/// The in-memory form of a wire value under a logical schema. A value of another type is answered as
/// it is.
///
/// # Errors
/// The value does not fit the schema.
pub fn to_logical(schema: &Schema, value: &Value) -> Result<Value, DataError> {
    Ok(match (schema.logical(), value) {
        (Some(LogicalType::Decimal), Value::Bytes(bytes)) => {
            Value::Decimal(decimal_to_logical(schema, bytes)?)
        }
        (Some(LogicalType::Date), Value::Int32(n)) => Value::Instant(date_to_logical(schema, *n)?),
        (Some(LogicalType::Time), Value::Int32(n)) => Value::Instant(time_to_logical(schema, *n)?),
        (Some(LogicalType::Timestamp), Value::Int64(n)) => Value::Instant(*n),
        _ => value.clone(),
    })
}

/// Java's `(int)` of a long.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the behaviour"
)]
pub(crate) fn narrow(number: i64) -> i32 {
    number as i32
}
