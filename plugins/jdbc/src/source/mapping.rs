//! From a column to a Connect schema, from a cell to a Connect value (spec `connectors.md` 2.1).
//!
//! Nothing is rounded or dropped in silence: a cell that its schema cannot hold is an error.

use bytes::Bytes;
use milena_api::ConnectError;
use milena_data::{Decimal, Rounding, Schema, SchemaBuilder, SchemaType, Text, Value};
use num_bigint::BigInt;

use super::direct::Direct;
use crate::{
    cell::{Cell, Column, DAY_SECONDS, SqlType, Stamp, parse_date_time, parse_time},
    zone::{NEGATIVE_INFINITY, POSITIVE_INFINITY, Zone},
};

/// The scale of a number column without one: enough for what fits 38 digits, exact or an error.
const UNBOUND_SCALE: i32 = 38;
/// Beyond this many digits `numeric.mapping` leaves a number a decimal: it may not fit 64 bits.
const INTEGER_DIGITS_MAX: i32 = 18;
/// The lowest scale that `numeric.mapping=best_fit` makes an integer of.
const SCALE_LOW: i32 = -84;

/// `numeric.mapping`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumericMapping {
    None,
    PrecisionOnly,
    BestFit,
    BestFitEagerDouble,
}

/// `timestamp.granularity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Granularity {
    Connect,
    MicrosLong,
    MicrosString,
    MicrosIso,
    NanosLong,
    NanosString,
    NanosIso,
}

/// How cells of a column become values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal(i32),
    Text,
    Bytes,
    Date,
    Time,
    Timestamp(Granularity),
    Array(Box<Read>),
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(crate) struct FieldMapping {
    /// The place of the cell in the row.
    pub(crate) index: usize,
    pub(crate) name: Text,
    pub(crate) read: Read,
    pub(crate) schema: Schema,
    /// Of the schema: asked for with each value.
    pub(crate) is_optional: bool,
    /// How a field of a row that is laid out becomes its value at once.
    pub(super) direct: Option<Direct>,
}

/// The settings of the mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub(crate) numeric: NumericMapping,
    pub(crate) granularity: Granularity,
}

impl Mapping {
    /// How a column is read; `None` where no Connect type stands for its type.
    pub(crate) fn field(&self, index: usize, column: &Column) -> Option<FieldMapping> {
        let read = self.read(&column.sql, column)?;
        Some(FieldMapping {
            index,
            name: Text::from(column.name.as_str()),
            schema: schema_of(&read, column.nullable)?,
            is_optional: column.nullable,
            direct: None,
            read,
        })
    }

    fn read(&self, sql: &SqlType, column: &Column) -> Option<Read> {
        Some(match sql {
            SqlType::Boolean => Read::Boolean,
            SqlType::Bit => Read::Int8,
            SqlType::TinyInt if column.unsigned => Read::Int16,
            SqlType::TinyInt => Read::Int8,
            SqlType::SmallInt if column.unsigned => Read::Int32,
            SqlType::SmallInt => Read::Int16,
            SqlType::Integer if column.unsigned => Read::Int64,
            SqlType::Integer => Read::Int32,
            // Java says INT64 and wraps what is beyond it; a decimal holds all of it.
            SqlType::BigInt if column.unsigned => Read::Decimal(0),
            SqlType::BigInt => Read::Int64,
            SqlType::Real => Read::Float32,
            SqlType::Double => Read::Float64,
            SqlType::Decimal => Read::Decimal(column.scale.unwrap_or(UNBOUND_SCALE)),
            SqlType::Numeric => self.number(column),
            SqlType::Text => Read::Text,
            SqlType::Binary => Read::Bytes,
            SqlType::Date => Read::Date,
            SqlType::Time => Read::Time,
            SqlType::Timestamp | SqlType::TimestampTz => Read::Timestamp(self.granularity),
            SqlType::Array(element) => Read::Array(Box::new(self.read(element, column)?)),
            SqlType::Other => return None,
        })
    }

    fn number(&self, column: &Column) -> Read {
        let Some(scale) = column.scale else {
            // Java takes the scale for 0 and loses the fraction, or the value.
            return match self.numeric {
                NumericMapping::None | NumericMapping::PrecisionOnly => {
                    Read::Decimal(UNBOUND_SCALE)
                }
                NumericMapping::BestFit | NumericMapping::BestFitEagerDouble => Read::Float64,
            };
        };
        let small = (1..=INTEGER_DIGITS_MAX).contains(&column.precision);
        let integer = match column.precision {
            10.. => Read::Int64,
            5..=9 => Read::Int32,
            3..=4 => Read::Int16,
            _ => Read::Int8,
        };
        match self.numeric {
            NumericMapping::PrecisionOnly if scale == 0 && small => integer,
            NumericMapping::BestFit | NumericMapping::BestFitEagerDouble
                if small && (SCALE_LOW..=0).contains(&scale) =>
            {
                // A negative scale adds digits in front.
                if column.precision - scale > INTEGER_DIGITS_MAX {
                    Read::Decimal(scale)
                } else if scale < 0 {
                    Read::Int64
                } else {
                    integer
                }
            }
            NumericMapping::BestFit if small && scale > 0 => Read::Float64,
            NumericMapping::BestFitEagerDouble if scale > 0 => Read::Float64,
            _ => Read::Decimal(scale),
        }
    }
}

fn schema_of(read: &Read, optional: bool) -> Option<Schema> {
    let logical = |schema: Schema| match optional {
        true => Some(SchemaBuilder::like(&schema).optional(true).build()),
        false => Some(schema),
    };
    let kind = match read {
        Read::Boolean => SchemaType::Boolean,
        Read::Int8 => SchemaType::Int8,
        Read::Int16 => SchemaType::Int16,
        Read::Int32 => SchemaType::Int32,
        Read::Float32 => SchemaType::Float32,
        Read::Float64 => SchemaType::Float64,
        Read::Text => SchemaType::String,
        Read::Bytes => SchemaType::Bytes,
        Read::Decimal(scale) => return logical(Schema::decimal(*scale)),
        Read::Date => return logical(Schema::date()),
        Read::Time => return logical(Schema::time()),
        Read::Timestamp(Granularity::Connect) => return logical(Schema::timestamp()),
        Read::Int64 | Read::Timestamp(Granularity::MicrosLong | Granularity::NanosLong) => {
            SchemaType::Int64
        }
        Read::Timestamp(_) => SchemaType::String,
        Read::Array(element) => {
            // Elements of an SQL array may always be null.
            let elements = schema_of(element, true)?;
            return SchemaBuilder::array(elements)
                .set_optional(optional)
                .build()
                .ok();
        }
    };
    Some(Schema::primitive(kind, optional))
}

/// The value of a cell.
pub(crate) fn value(read: &Read, cell: Cell, zone: &Zone) -> Result<Value, ConnectError> {
    if matches!(cell, Cell::Null) {
        return Ok(Value::Null);
    }
    let wrong =
        |cell: &Cell| ConnectError::data(format!("{} cannot be read as {read:?}", describe(cell)));
    Ok(match read {
        Read::Boolean => match cell {
            Cell::Bool(value) => Value::Boolean(value),
            Cell::Int(n) => Value::Boolean(n != 0),
            Cell::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" | "yes" | "y" | "on" => Value::Boolean(true),
                "false" | "f" | "0" | "no" | "n" | "off" => Value::Boolean(false),
                _ => return Err(wrong(&Cell::Text(text))),
            },
            other => return Err(wrong(&other)),
        },
        Read::Int8 => Value::Int8(
            integer(&cell, i64::from(i8::MIN), i64::from(i8::MAX)).ok_or_else(|| wrong(&cell))?
                as i8,
        ),
        Read::Int16 => Value::Int16(
            integer(&cell, i64::from(i16::MIN), i64::from(i16::MAX)).ok_or_else(|| wrong(&cell))?
                as i16,
        ),
        Read::Int32 => Value::Int32(
            integer(&cell, i64::from(i32::MIN), i64::from(i32::MAX)).ok_or_else(|| wrong(&cell))?
                as i32,
        ),
        Read::Int64 => {
            Value::Int64(integer(&cell, i64::MIN, i64::MAX).ok_or_else(|| wrong(&cell))?)
        }
        Read::Float32 => match cell {
            Cell::Float(x) => Value::Float32(x),
            other => Value::Float32(double(&other).ok_or_else(|| wrong(&other))? as f32),
        },
        Read::Float64 => Value::Float64(double(&cell).ok_or_else(|| wrong(&cell))?),
        Read::Decimal(scale) => {
            let decimal = match cell {
                // Nearly always: a column with a scale. Nothing is copied.
                Cell::Decimal(decimal) if decimal.scale() == *scale => {
                    return Ok(Value::Decimal(decimal));
                }
                cell => decimal(&cell).ok_or_else(|| wrong(&cell))?,
            };
            Value::Decimal(decimal.set_scale(*scale, Rounding::Unnecessary).map_err(|_| {
                ConnectError::data(format!(
                    "{decimal} has more than the {scale} digits after the point that its schema holds: declare \
                     the scale of the column, cast it in a query, or set numeric.mapping=best_fit"
                ))
            })?)
        }
        Read::Text => Value::String(match cell {
            Cell::Text(text) => text,
            Cell::Int(n) => Text::from(n.to_string()),
            Cell::UInt(n) => Text::from(n.to_string()),
            Cell::Double(x) => Text::from(x.to_string()),
            Cell::Decimal(decimal) => Text::from(decimal.to_string()),
            Cell::Bool(value) => Text::from(value.to_string()),
            Cell::Bytes(bytes) => {
                Text::try_from(bytes.clone()).map_err(|_| wrong(&Cell::Bytes(bytes)))?
            }
            other => return Err(wrong(&other)),
        }),
        Read::Bytes => match cell {
            Cell::Bytes(bytes) => Value::Bytes(bytes),
            Cell::Text(text) => Value::Bytes(Bytes::copy_from_slice(text.as_bytes())),
            other => return Err(wrong(&other)),
        },
        Read::Date => Value::Instant(date(&cell, zone).ok_or_else(|| wrong(&cell))?),
        Read::Time => Value::Instant(time(&cell).ok_or_else(|| wrong(&cell))?),
        Read::Timestamp(Granularity::Connect) => {
            if let Cell::Infinite(positive) = cell {
                return Ok(Value::Instant(infinity(positive)));
            }
            let moment = moment(&cell, zone).ok_or_else(|| wrong(&cell))?;
            Value::Instant(zone.connect_millis(moment))
        }
        Read::Timestamp(granularity) => {
            let moment = moment(&cell, zone).ok_or_else(|| wrong(&cell))?;
            fine(moment, *granularity).ok_or_else(|| wrong(&cell))?
        }
        Read::Array(element) => match cell {
            Cell::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| value(element, item, zone))
                    .collect::<Result<_, _>>()?,
            ),
            other => return Err(wrong(&other)),
        },
    })
}

/// The cell in words, never longer than a line.
fn describe(cell: &Cell) -> String {
    match cell {
        Cell::Int(n) => format!("the integer {n}"),
        Cell::UInt(n) => format!("the integer {n}"),
        Cell::Double(x) => format!("the number {x}"),
        Cell::Float(x) => format!("the number {x}"),
        Cell::Decimal(n) => format!("the number {n}"),
        Cell::Text(text) => format!("the text '{}'", text.chars().take(40).collect::<String>()),
        Cell::Infinite(true) => "infinity".to_owned(),
        Cell::Infinite(false) => "-infinity".to_owned(),
        other => other.kind().to_owned(),
    }
}

fn infinity(positive: bool) -> i64 {
    if positive {
        POSITIVE_INFINITY
    } else {
        NEGATIVE_INFINITY
    }
}

/// The integer of a cell, if it is one and within bounds.
pub(crate) fn integer(cell: &Cell, min: i64, max: i64) -> Option<i64> {
    let n = match cell {
        Cell::Int(n) => *n,
        Cell::UInt(n) => i64::try_from(*n).ok()?,
        Cell::Bool(value) => i64::from(*value),
        Cell::Decimal(decimal) => decimal.to_i64_exact()?,
        Cell::Text(text) => text.trim().parse().ok()?,
        // 2^53: beyond it a double may stand for another integer.
        Cell::Double(x) if x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 => *x as i64,
        _ => return None,
    };
    (min..=max).contains(&n).then_some(n)
}

fn double(cell: &Cell) -> Option<f64> {
    Some(match cell {
        Cell::Float(x) => f64::from(*x),
        Cell::Double(x) => *x,
        Cell::Int(n) => *n as f64,
        Cell::UInt(n) => *n as f64,
        Cell::Decimal(decimal) => decimal.double_value(),
        Cell::Text(text) => text.trim().parse().ok()?,
        _ => return None,
    })
}

fn decimal(cell: &Cell) -> Option<Decimal> {
    Some(match cell {
        Cell::Decimal(decimal) => decimal.clone(),
        Cell::Int(n) => Decimal::small(*n, 0),
        Cell::UInt(n) => Decimal::new(BigInt::from(*n), 0),
        Cell::Double(x) => Decimal::parse(&x.to_string()).ok()?,
        Cell::Float(x) => Decimal::parse(&x.to_string()).ok()?,
        Cell::Text(text) => Decimal::parse(text.trim()).ok()?,
        _ => return None,
    })
}

/// Milliseconds of a date at midnight.
fn date(cell: &Cell, zone: &Zone) -> Option<i64> {
    let day = match cell {
        Cell::Infinite(positive) => {
            // Connect counts days: the instant must be one's midnight.
            return Some(infinity(*positive) / (DAY_SECONDS * 1000) * (DAY_SECONDS * 1000));
        }
        Cell::Date(day) => *day,
        Cell::Local(stamp) => stamp.seconds.div_euclid(DAY_SECONDS),
        Cell::Text(text) => parse_date_time(text)?.0,
        Cell::Int(millis) => millis.div_euclid(DAY_SECONDS * 1000),
        _ => return None,
    };
    zone.connect_day(day).checked_mul(DAY_SECONDS * 1000)
}

/// Milliseconds of a time since midnight.
fn time(cell: &Cell) -> Option<i64> {
    let millis = match cell {
        Cell::Time(nanos) => nanos / 1_000_000,
        Cell::Text(text) => match parse_time(text) {
            Some(nanos) => nanos / 1_000_000,
            None => parse_date_time(text)?.1 / 1_000_000,
        },
        Cell::Int(millis) => *millis,
        _ => return None,
    };
    // 24:00 is PostgreSQL's last moment of a day; Connect has none such, Java reads midnight.
    (0..=DAY_SECONDS * 1000)
        .contains(&millis)
        .then_some(millis % (DAY_SECONDS * 1000))
}

/// The moment of a timestamp cell.
pub(crate) fn moment(cell: &Cell, zone: &Zone) -> Option<Stamp> {
    match cell {
        Cell::Text(text) => {
            let (day, nanos) = parse_date_time(text)?;
            Some(zone.instant(Stamp {
                seconds: day.checked_mul(DAY_SECONDS)? + nanos / 1_000_000_000,
                nanos: u32::try_from(nanos % 1_000_000_000).ok()?,
            }))
        }
        Cell::Int(millis) => Some(zone.instant(Stamp::from_millis(*millis))),
        Cell::Infinite(positive) => Some(Stamp::from_millis(infinity(*positive))),
        other => zone.moment(other),
    }
}

fn fine(moment: Stamp, granularity: Granularity) -> Option<Value> {
    let (per_second, fraction) = match granularity {
        Granularity::NanosLong | Granularity::NanosString => {
            (1_000_000_000, i64::from(moment.nanos))
        }
        _ => (1_000_000, i64::from(moment.nanos / 1000)),
    };
    let units = || {
        moment
            .seconds
            .checked_mul(per_second)?
            .checked_add(fraction)
    };
    Some(match granularity {
        Granularity::MicrosLong | Granularity::NanosLong => Value::Int64(units()?),
        Granularity::MicrosString | Granularity::NanosString => Value::from(units()?.to_string()),
        Granularity::MicrosIso => {
            let text = Stamp {
                nanos: moment.nanos / 1000 * 1000,
                ..moment
            }
            .text(6);
            Value::from(text.get(..26).unwrap_or(&text).replacen(' ', "T", 1))
        }
        Granularity::NanosIso | Granularity::Connect => {
            Value::from(moment.text(9).replacen(' ', "T", 1))
        }
    })
}
