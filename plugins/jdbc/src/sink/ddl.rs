//! `CREATE TABLE` and `ALTER TABLE … ADD` as Java writes them, and the default of a column.

use milena_api::ConnectError;
use milena_data::{LogicalType, Value};

use super::shape::{Shape, Target};
use crate::{
    cell::{DAY_SECONDS, date_text, time_text},
    config::Common,
    table::TableId,
};

/// The statement that creates a table for a shape.
pub(crate) fn create(
    common: &Common,
    table: &TableId,
    shape: &Shape,
) -> Result<String, ConnectError> {
    let mut lines = Vec::new();
    let mut keys = Vec::new();
    for target in shape.table_order() {
        lines.push(column(common, target)?);
        if target.key {
            keys.push(common.quoting.quote(&target.name));
        }
    }
    if !keys.is_empty() {
        lines.push(format!("PRIMARY KEY({})", keys.join(",")));
    }
    Ok(format!(
        "CREATE TABLE {} (\n{})",
        table.sql(common.quoting),
        lines.join(",\n")
    ))
}

/// The statements that add columns.
pub(crate) fn add(
    common: &Common,
    table: &TableId,
    missing: &[&Target],
) -> Result<Vec<String>, ConnectError> {
    let columns: Result<Vec<_>, _> = missing
        .iter()
        .map(|target| column(common, target))
        .collect();
    Ok(common.dialect.alter(&table.sql(common.quoting), &columns?))
}

fn column(common: &Common, target: &Target) -> Result<String, ConnectError> {
    let kind = common.dialect.column_type(&target.schema, target.key).ok_or_else(|| {
        ConnectError::connect(format!(
            "the field {} of type {} ({}) has no column type in {}: leave it out with fields.whitelist, or turn it \
             to text with a transform",
            target.name,
            target.schema.kind().name(),
            target.schema.name().unwrap_or("no name"),
            common.dialect.name()
        ))
    })?;
    let name = common.quoting.quote(&target.name);
    let end = match target.schema.default_value() {
        Some(value) if !value.is_null() => format!("DEFAULT {}", default(common, target, value)?),
        _ if target.schema.is_optional() && !target.key => "NULL".to_owned(),
        _ => "NOT NULL".to_owned(),
    };
    Ok(format!("{name} {kind} {end}"))
}

fn default(common: &Common, target: &Target, value: &Value) -> Result<String, ConnectError> {
    let literal = |text: &str| common.dialect.literal(text);
    Ok(match value {
        Value::Boolean(value) => match common.dialect.name() {
            "PostgreSql" => value.to_string(),
            _ => i32::from(*value).to_string(),
        },
        Value::Int8(n) => n.to_string(),
        Value::Int16(n) => n.to_string(),
        Value::Int32(n) => n.to_string(),
        Value::Int64(n) => n.to_string(),
        Value::Float32(x) if x.is_finite() => x.to_string(),
        Value::Float64(x) if x.is_finite() => x.to_string(),
        Value::Float32(x) => literal(&x.to_string()),
        Value::Float64(x) => literal(&x.to_string()),
        Value::String(text) => literal(text),
        Value::Decimal(decimal) => decimal.to_plain_string().unwrap_or_default(),
        Value::Bytes(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            common.dialect.bytes_literal(&hex)
        }
        Value::Instant(millis) => {
            let day = millis.div_euclid(DAY_SECONDS * 1000);
            literal(&match target.schema.logical() {
                Some(LogicalType::Date) => date_text(common.zone.database_day(day)),
                Some(LogicalType::Time) => {
                    time_text(millis.rem_euclid(DAY_SECONDS * 1000) * 1_000_000, 3)
                }
                _ => common
                    .zone
                    .local(common.zone.database_moment(*millis))
                    .text(3),
            })
        }
        other => {
            return Err(ConnectError::connect(format!(
                "the default of the field {} ({}) cannot be written as SQL",
                target.name,
                other.java_class()
            )));
        }
    })
}
