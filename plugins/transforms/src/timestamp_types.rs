//! The forms of a timestamp that `TimestampConverter` knows, and the way from one to another.

use milena_api::ConnectError;
use milena_data::{LogicalType, Schema, SchemaBuilder, SchemaType, Value};
use milena_java_text::DateFormat;

const MILLIS_PER_DAY: i64 = 86_400_000;

/// A form of timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Form {
    pub(crate) const NAMES: [&'static str; 5] = ["string", "unix", "Date", "Time", "Timestamp"];

    pub(crate) fn of_name(name: &str) -> Self {
        match name {
            "string" => Self::Text,
            "unix" => Self::Unix,
            "Date" => Self::Date,
            "Time" => Self::Time,
            _ => Self::Timestamp,
        }
    }

    /// The form of values under a schema.
    pub(crate) fn of_schema(schema: &Schema) -> Result<Self, ConnectError> {
        match (schema.logical(), schema.kind()) {
            (Some(LogicalType::Timestamp), _) => Ok(Self::Timestamp),
            (Some(LogicalType::Date), _) => Ok(Self::Date),
            (Some(LogicalType::Time), _) => Ok(Self::Time),
            (_, SchemaType::String) => Ok(Self::Text),
            (_, SchemaType::Int64) => Ok(Self::Unix),
            _ => Err(ConnectError::connect(format!(
                "Schema {schema} does not correspond to a known timestamp type format"
            ))),
        }
    }

    /// The form of a value without a schema.
    pub(crate) fn of_value(value: &Value) -> Result<Self, ConnectError> {
        match value {
            Value::Instant(_) => Ok(Self::Timestamp),
            Value::Int64(_) => Ok(Self::Unix),
            Value::String(_) => Ok(Self::Text),
            other => Err(ConnectError::data(format!(
                "TimestampConverter does not support class {} objects as timestamps",
                other.java_class()
            ))),
        }
    }

    pub(crate) fn schema(self, optional: bool) -> Schema {
        let required = match self {
            Self::Text => return Schema::primitive(SchemaType::String, optional),
            Self::Unix => return Schema::primitive(SchemaType::Int64, optional),
            Self::Date => Schema::date(),
            Self::Time => Schema::time(),
            Self::Timestamp => Schema::timestamp(),
        };
        if optional {
            SchemaBuilder::like(&required).optional(true).build()
        } else {
            required
        }
    }
}

/// How values are read and written.
pub(crate) struct Converter {
    pub(crate) target: Form,
    pub(crate) format: Option<DateFormat>,
    pub(crate) precision: Precision,
}

impl Converter {
    /// A value of a form in the target's form; null stays null.
    pub(crate) fn convert(&self, value: &Value, from: Form) -> Result<Value, ConnectError> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let millis = self.millis(value, from)?;
        Ok(match self.target {
            Form::Text => match &self.format {
                Some(format) => format.format(millis).into(),
                None => return Err(no_format()),
            },
            Form::Unix => Value::Int64(self.unix(millis)),
            // A calendar of Java wraps at its first day, too.
            Form::Date => Value::Instant(millis.wrapping_sub(millis.rem_euclid(MILLIS_PER_DAY))),
            Form::Time => Value::Instant(millis.rem_euclid(MILLIS_PER_DAY)),
            Form::Timestamp => Value::Instant(millis),
        })
    }

    fn millis(&self, value: &Value, from: Form) -> Result<i64, ConnectError> {
        match (from, value) {
            (Form::Text, Value::String(text)) => {
                let format = self.format.as_ref().ok_or_else(no_format)?;
                format.parse(text).ok_or_else(|| {
                    ConnectError::data(format!(
                        "Could not parse timestamp: value ({text}) does not match pattern ({})",
                        format.pattern()
                    ))
                    .caused_by(ConnectError::of(
                        "java.text.ParseException",
                        format!("Unparseable date: \"{text}\""),
                    ))
                })
            }
            (Form::Unix, Value::Int64(number)) => Ok(match self.precision {
                Precision::Seconds => number.saturating_mul(1_000),
                Precision::Milliseconds => *number,
                Precision::Microseconds => number / 1_000,
                Precision::Nanoseconds => number / 1_000_000,
            }),
            (Form::Date | Form::Time | Form::Timestamp, Value::Instant(millis)) => Ok(*millis),
            (form, other) => {
                let what = match form {
                    Form::Text => "string timestamp to be a String",
                    Form::Unix => "Unix timestamp to be a Long",
                    _ => "Timestamp to be a java.util.Date",
                };
                let class = other.java_class();
                Err(ConnectError::data(format!(
                    "Expected {what}, but found class {class}"
                )))
            }
        }
    }

    /// Java's `TimeUnit.convert`: cut towards zero, saturated.
    fn unix(&self, millis: i64) -> i64 {
        match self.precision {
            Precision::Seconds => millis / 1_000,
            Precision::Milliseconds => millis,
            Precision::Microseconds => millis.saturating_mul(1_000),
            Precision::Nanoseconds => millis.saturating_mul(1_000_000),
        }
    }
}

fn no_format() -> ConnectError {
    ConnectError::of(
        "java.lang.NullPointerException",
        "Cannot invoke \"java.text.SimpleDateFormat.parse(String)\" because \"config.format\" is null",
    )
}
