//! PostgreSQL's binary format: types of columns and cells of rows.

use bytes::Bytes;
use milena_data::{Decimal, Text};
use num_bigint::BigInt;
use tokio_postgres::types::{FromSql, Kind as PgKind, Type};

use super::{DbError, DbErrorKind};
use crate::cell::{Cell, Column, DAY_SECONDS, SqlType, Stamp};

/// 2000-01-01 in days since 1970-01-01: PostgreSQL counts from there.
const EPOCH_DAYS: i64 = 10_957;

/// The bytes of any value.
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }
    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The JDBC type for the name of a type and its modifier.
pub(super) fn describe(column: &mut Column, name: &str, is_enum: bool, modifier: i32) {
    column.type_name = name.to_owned();
    let (sql, precision, scale) = sql_type(name, is_enum, modifier);
    (column.sql, column.precision, column.scale) = (sql, precision, scale);
}

fn sql_type(name: &str, is_enum: bool, modifier: i32) -> (SqlType, i32, Option<i32>) {
    let plain = |sql| (sql, 0, Some(0));
    if is_enum {
        return plain(SqlType::Text);
    }
    plain(match name {
        "bool" => SqlType::Boolean,
        "int2" => SqlType::SmallInt,
        "int4" => SqlType::Integer,
        "int8" | "oid" => SqlType::BigInt,
        "float4" => SqlType::Real,
        "float8" | "money" => SqlType::Double,
        "numeric" => {
            if modifier < 4 {
                return (SqlType::Numeric, 0, None);
            }
            let bits = modifier - 4;
            // Eleven bits with a sign, since PostgreSQL 15 knows negative scales.
            let scale = ((bits & 0x7ff) ^ 1024) - 1024;
            return (SqlType::Numeric, (bits >> 16) & 0xffff, Some(scale));
        }
        "bit" => match modifier {
            1 => SqlType::Boolean,
            2..=8 => SqlType::Bit,
            _ => SqlType::Binary,
        },
        "text" | "varchar" | "bpchar" | "name" | "char" | "json" | "jsonb" | "uuid" | "xml"
        | "citext" => SqlType::Text,
        "bytea" => SqlType::Binary,
        "date" => SqlType::Date,
        "time" | "timetz" => SqlType::Time,
        "timestamp" => SqlType::Timestamp,
        "timestamptz" => SqlType::TimestampTz,
        name => match name.strip_prefix('_') {
            Some(element) => {
                let (element, precision, scale) = sql_type(element, false, modifier);
                if element == SqlType::Other {
                    return plain(SqlType::Other);
                }
                return (SqlType::Array(Box::new(element)), precision, scale);
            }
            None => SqlType::Other,
        },
    })
}

/// The type behind domains.
pub(super) fn base(kind: &Type) -> &Type {
    match kind.kind() {
        PgKind::Domain(inner) => base(inner),
        _ => kind,
    }
}

fn wrong(kind: &Type) -> DbError {
    DbError::new(
        DbErrorKind::Data,
        format!("a value of the type {} has an unknown form", kind.name()),
    )
}

fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.get(..N)?.try_into().ok()
}

fn int16(bytes: &[u8]) -> Option<i16> {
    fixed(bytes).map(i16::from_be_bytes)
}

fn int32(bytes: &[u8]) -> Option<i32> {
    fixed(bytes).map(i32::from_be_bytes)
}

fn int64(bytes: &[u8]) -> Option<i64> {
    fixed(bytes).map(i64::from_be_bytes)
}

/// The cell of a value in binary format.
pub(super) fn cell(kind: &Type, bytes: &[u8]) -> Result<Cell, DbError> {
    let kind = base(kind);
    let decoded = match kind.kind() {
        PgKind::Array(element) => return array(element, bytes),
        PgKind::Enum(_) => text(bytes),
        _ => simple(kind, bytes),
    };
    decoded.ok_or_else(|| match std::str::from_utf8(bytes) {
        Err(_) if sql_type(kind.name(), false, -1).0 == SqlType::Text => DbError::new(
            DbErrorKind::Data,
            format!(
                "a value of the type {} is no UTF-8: the database has no encoding; repair the row, or read the column \
                 as bytea with a query",
                kind.name()
            ),
        ),
        _ => wrong(kind),
    })
}

fn text(bytes: &[u8]) -> Option<Cell> {
    Some(Cell::Text(Text::from(std::str::from_utf8(bytes).ok()?)))
}

fn simple(kind: &Type, bytes: &[u8]) -> Option<Cell> {
    Some(match kind.name() {
        "bool" => Cell::Bool(bytes.first()? != &0),
        "int2" => Cell::Int(int16(bytes)?.into()),
        "int4" => Cell::Int(int32(bytes)?.into()),
        "int8" => Cell::Int(int64(bytes)?),
        "oid" => Cell::Int(fixed(bytes).map(u32::from_be_bytes)?.into()),
        "float4" => Cell::Float(fixed(bytes).map(f32::from_be_bytes)?),
        "float8" => Cell::Double(fixed(bytes).map(f64::from_be_bytes)?),
        "money" => Cell::Double(int64(bytes)? as f64 / 100.0),
        "numeric" => numeric(bytes)?,
        "bytea" => Cell::Bytes(Bytes::copy_from_slice(bytes)),
        "jsonb" => text(bytes.get(1..)?)?,
        "uuid" => uuid(bytes)?,
        "date" => match int32(bytes)? {
            i32::MAX => Cell::Infinite(true),
            i32::MIN => Cell::Infinite(false),
            days => Cell::Date(i64::from(days) + EPOCH_DAYS),
        },
        "time" => Cell::Time(int64(bytes)?.checked_mul(1000)?),
        "timetz" => {
            let west = i64::from(int32(bytes.get(8..)?)?) * 1_000_000;
            let utc = (int64(bytes)? + west).rem_euclid(DAY_SECONDS * 1_000_000);
            Cell::Time(utc * 1000)
        }
        "timestamp" => stamp(bytes, Cell::Local)?,
        "timestamptz" => stamp(bytes, Cell::Instant)?,
        "bit" => bits(bytes)?,
        // No Connect type stands for it: the column is left out.
        name if sql_type(name, false, -1).0 == SqlType::Other => Cell::Null,
        _ => text(bytes)?,
    })
}

fn stamp(bytes: &[u8], cell: fn(Stamp) -> Cell) -> Option<Cell> {
    Some(match int64(bytes)? {
        i64::MAX => Cell::Infinite(true),
        i64::MIN => Cell::Infinite(false),
        micros => {
            // In seconds first: the last years have more microseconds since 1970 than 64 bits.
            let since = Stamp::from_micros(micros);
            cell(Stamp {
                seconds: since.seconds + EPOCH_DAYS * DAY_SECONDS,
                ..since
            })
        }
    })
}

fn bits(bytes: &[u8]) -> Option<Cell> {
    let count = int32(bytes)?;
    let rest = bytes.get(4..)?;
    Some(match count {
        1 => Cell::Bool(rest.first()? & 0x80 != 0),
        2..=8 => {
            let value = rest.first()? >> (8 - count);
            Cell::Int(i64::from(value.cast_signed()))
        }
        _ => Cell::Bytes(Bytes::copy_from_slice(rest)),
    })
}

fn uuid(bytes: &[u8]) -> Option<Cell> {
    let hex = format!("{:032x}", u128::from_be_bytes(fixed(bytes)?));
    let parts = [
        hex.get(..8)?,
        hex.get(8..12)?,
        hex.get(12..16)?,
        hex.get(16..20)?,
        hex.get(20..)?,
    ];
    Some(Cell::Text(Text::from(parts.join("-"))))
}

/// Digits of base 10000 with a weight and a scale; what no decimal can hold is a double.
fn numeric(bytes: &[u8]) -> Option<Cell> {
    let count = int16(bytes)?;
    let weight = i32::from(int16(bytes.get(2..)?)?);
    let sign = fixed(bytes.get(4..)?).map(u16::from_be_bytes)?;
    let scale = i32::from(int16(bytes.get(6..)?)?);
    match sign {
        0xc000 => return Some(Cell::Double(f64::NAN)),
        0xd000 => return Some(Cell::Double(f64::INFINITY)),
        0xf000 => return Some(Cell::Double(f64::NEG_INFINITY)),
        _ => {}
    }
    let mut unscaled = BigInt::ZERO;
    let mut small = 0_i128;
    for digit in bytes.get(8..)?.chunks_exact(2) {
        let digit = i64::from(int16(digit)?);
        // Nine digits of base 10000 are 36 decimal digits: they fit 128 bits.
        if count <= 9 {
            small = small * 10_000 + i128::from(digit);
        } else {
            unscaled = unscaled * 10_000 + digit;
        }
    }
    if count <= 9 {
        unscaled = BigInt::from(small);
    }
    let exponent = 4 * (weight + 1 - i32::from(count)) + scale;
    let power = BigInt::from(10).pow(exponent.unsigned_abs());
    unscaled = if exponent >= 0 {
        unscaled * power
    } else {
        unscaled / power
    };
    if sign == 0x4000 {
        unscaled = -unscaled;
    }
    Some(Cell::Decimal(Decimal::new(unscaled, scale)))
}

fn array(element: &Type, bytes: &[u8]) -> Result<Cell, DbError> {
    let bad = || wrong(element);
    let dimensions = int32(bytes).ok_or_else(bad)?;
    if dimensions == 0 {
        return Ok(Cell::Array(Vec::new()));
    }
    if dimensions != 1 {
        return Err(DbError::new(
            DbErrorKind::Data,
            format!(
                "an array of {dimensions} dimensions has no Connect type: unnest it in a query"
            ),
        ));
    }
    let count = bytes.get(12..).and_then(int32).ok_or_else(bad)?;
    let mut rest = bytes.get(20..).ok_or_else(bad)?;
    let mut items = Vec::new();
    for _ in 0..count {
        let length = int32(rest).ok_or_else(bad)?;
        rest = rest.get(4..).ok_or_else(bad)?;
        match usize::try_from(length) {
            Ok(length) => {
                let (item, others) = rest.split_at_checked(length).ok_or_else(bad)?;
                items.push(cell(element, item)?);
                rest = others;
            }
            Err(_) => items.push(Cell::Null),
        }
    }
    Ok(Cell::Array(items))
}
