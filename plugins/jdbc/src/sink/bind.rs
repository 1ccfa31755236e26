//! From a Connect value to the cell of a column.

use milena_api::ConnectError;
use milena_data::{LogicalType, Schema, Value};

use crate::{
    cell::{Cell, Column, DAY_SECONDS, SqlType},
    zone::{NEGATIVE_INFINITY, POSITIVE_INFINITY, Zone},
};

/// The cell of a value; `column` is the live column that it goes to.
pub(crate) fn cell(
    value: Value,
    schema: &Schema,
    column: &Column,
    zone: &Zone,
) -> Result<Cell, ConnectError> {
    Ok(match value {
        Value::Null if !schema.is_optional() => {
            return Err(ConnectError::data(format!(
                "the required field {} is null",
                column.name
            )));
        }
        Value::Null => Cell::Null,
        Value::Boolean(value) => Cell::Bool(value),
        Value::Int8(n) => Cell::Int(i64::from(n)),
        Value::Int16(n) => Cell::Int(i64::from(n)),
        Value::Int32(n) => Cell::Int(i64::from(n)),
        Value::Int64(n) => Cell::Int(n),
        Value::Float32(x) => Cell::Float(x),
        Value::Float64(x) => Cell::Double(x),
        Value::String(text) => Cell::Text(text),
        Value::Bytes(bytes) => Cell::Bytes(bytes),
        Value::Decimal(decimal) => Cell::Decimal(decimal),
        Value::Instant(millis) => instant(millis, schema.logical(), column, zone),
        Value::Array(items) => {
            let elements = schema.value_schema();
            let items = items.into_iter().map(|item| match (item, elements) {
                (Value::Null, _) => Ok(Cell::Null),
                (item, Some(elements)) => cell(item, elements, column, zone),
                (item, None) => Err(unsupported(item.java_class())),
            });
            Cell::Array(items.collect::<Result<_, _>>()?)
        }
        other => return Err(unsupported(other.java_class())),
    })
}

fn unsupported(class: &str) -> ConnectError {
    ConnectError::connect(format!(
        "Unsupported source data type: {class}: flatten it or turn it to text with a transform"
    ))
}

fn instant(millis: i64, logical: Option<LogicalType>, column: &Column, zone: &Zone) -> Cell {
    let day_millis = DAY_SECONDS * 1000;
    match logical {
        Some(LogicalType::Date) => {
            // What the source makes of infinity, at midnight.
            if millis >= POSITIVE_INFINITY / day_millis * day_millis {
                return Cell::Infinite(true);
            }
            if millis <= NEGATIVE_INFINITY / day_millis * day_millis {
                return Cell::Infinite(false);
            }
            Cell::Date(zone.database_day(millis.div_euclid(day_millis)))
        }
        Some(LogicalType::Time) => Cell::Time(millis.rem_euclid(day_millis) * 1_000_000),
        _ if millis == POSITIVE_INFINITY => Cell::Infinite(true),
        _ if millis == NEGATIVE_INFINITY => Cell::Infinite(false),
        _ => {
            let moment = zone.database_moment(millis);
            match column.sql {
                SqlType::TimestampTz => Cell::Instant(moment),
                _ => Cell::Local(zone.local(moment)),
            }
        }
    }
}
