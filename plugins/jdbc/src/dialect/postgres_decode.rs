//! PostgreSQL's binary format: types of columns and cells of rows.

use std::ops::Range;

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

/// How the values of a type are read: settled once for a query, not for each value by the type's name.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Money,
    Numeric,
    Bytes,
    Text,
    Jsonb,
    Uuid,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Bits,
    Array(Box<Decoder>),
    /// No Connect type stands for it: the column is left out.
    Nothing,
}

/// Reads the values of a column in binary format.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    form: Form,
    name: String,
}

impl Decoder {
    pub(super) fn new(kind: &Type) -> Self {
        let kind = base(kind);
        let form = match (kind.kind(), kind.name()) {
            (PgKind::Array(element), _) => Form::Array(Box::new(Self::new(element))),
            (PgKind::Enum(_), _) => Form::Text,
            (_, name) => match name {
                "bool" => Form::Bool,
                "int2" => Form::Int2,
                "int4" => Form::Int4,
                "int8" => Form::Int8,
                "oid" => Form::Oid,
                "float4" => Form::Float4,
                "float8" => Form::Float8,
                "money" => Form::Money,
                "numeric" => Form::Numeric,
                "bytea" => Form::Bytes,
                "jsonb" => Form::Jsonb,
                "uuid" => Form::Uuid,
                "date" => Form::Date,
                "time" => Form::Time,
                "timetz" => Form::TimeTz,
                "timestamp" => Form::Timestamp,
                "timestamptz" => Form::TimestampTz,
                "bit" => Form::Bits,
                name if sql_type(name, false, -1).0 == SqlType::Other => Form::Nothing,
                _ => Form::Text,
            },
        };
        let name = kind.name().to_owned();
        Self { form, name }
    }

    /// What it reads.
    pub(super) fn form(&self) -> &Form {
        &self.form
    }

    fn wrong(&self) -> DbError {
        DbError::new(
            DbErrorKind::Data,
            format!("a value of the type {} has an unknown form", self.name),
        )
    }

    /// The cell of a value in a message; texts and bytes share its memory.
    pub(super) fn cell_of(&self, message: &Bytes, place: Range<usize>) -> Result<Cell, DbError> {
        match self.form {
            Form::Text => match Text::try_from(message.slice(place.clone())) {
                Ok(text) => Ok(Cell::Text(text)),
                // It knows what to say.
                Err(_) => self.cell(message.get(place).unwrap_or_default()),
            },
            Form::Bytes => Ok(Cell::Bytes(message.slice(place))),
            _ => self.cell(message.get(place).unwrap_or_default()),
        }
    }

    /// The cell of a value.
    pub(super) fn cell(&self, bytes: &[u8]) -> Result<Cell, DbError> {
        if let Form::Array(element) = &self.form {
            return array(element, bytes);
        }
        self.simple(bytes).ok_or_else(|| {
            if !matches!(self.form, Form::Text | Form::Jsonb) || std::str::from_utf8(bytes).is_ok() {
                return self.wrong();
            }
            DbError::new(
                DbErrorKind::Data,
                format!(
                    "a value of the type {} is no UTF-8: the database has no encoding; repair the row, or read the \
                     column as bytea with a query",
                    self.name
                ),
            )
        })
    }

    fn simple(&self, bytes: &[u8]) -> Option<Cell> {
        Some(match self.form {
            Form::Bool => Cell::Bool(bytes.first()? != &0),
            Form::Int2 => Cell::Int(int16(bytes)?.into()),
            Form::Int4 => Cell::Int(int32(bytes)?.into()),
            Form::Int8 => Cell::Int(int64(bytes)?),
            Form::Oid => Cell::Int(fixed(bytes).map(u32::from_be_bytes)?.into()),
            Form::Float4 => Cell::Float(fixed(bytes).map(f32::from_be_bytes)?),
            Form::Float8 => Cell::Double(fixed(bytes).map(f64::from_be_bytes)?),
            Form::Money => Cell::Double(int64(bytes)? as f64 / 100.0),
            Form::Numeric => numeric(bytes)?,
            Form::Bytes => Cell::Bytes(Bytes::copy_from_slice(bytes)),
            Form::Text => text(bytes)?,
            Form::Jsonb => text(bytes.get(1..)?)?,
            Form::Uuid => uuid(bytes)?,
            Form::Date => match date(bytes) {
                Some(day) => Cell::Date(day),
                None => Cell::Infinite(int32(bytes)? > 0),
            },
            Form::Time => Cell::Time(int64(bytes)?.checked_mul(1000)?),
            Form::TimeTz => {
                let west = i64::from(int32(bytes.get(8..)?)?) * 1_000_000;
                let utc = (int64(bytes)? + west).rem_euclid(DAY_SECONDS * 1_000_000);
                Cell::Time(utc * 1000)
            }
            Form::Timestamp => stamp(bytes, Cell::Local)?,
            Form::TimestampTz => stamp(bytes, Cell::Instant)?,
            Form::Bits => bits(bytes)?,
            Form::Nothing => Cell::Null,
            Form::Array(_) => return None,
        })
    }
}

#[inline]
fn fixed<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.get(..N)?.try_into().ok()
}

/// The integer that a field begins with.
#[inline]
pub(crate) fn int16(bytes: &[u8]) -> Option<i16> {
    fixed(bytes).map(i16::from_be_bytes)
}

/// The integer that a field begins with.
#[inline]
pub(crate) fn int32(bytes: &[u8]) -> Option<i32> {
    fixed(bytes).map(i32::from_be_bytes)
}

/// The integer that a field begins with.
#[inline]
pub(crate) fn int64(bytes: &[u8]) -> Option<i64> {
    fixed(bytes).map(i64::from_be_bytes)
}

fn text(bytes: &[u8]) -> Option<Cell> {
    Some(Cell::Text(Text::from(std::str::from_utf8(bytes).ok()?)))
}

/// The day of a date; `None`: infinity.
#[inline]
pub(crate) fn date(bytes: &[u8]) -> Option<i64> {
    let days = int32(bytes)?;
    (days != i32::MAX && days != i32::MIN).then_some(i64::from(days) + EPOCH_DAYS)
}

/// The point on a time line that a timestamp stands for; `None`: infinity.
#[inline]
pub(crate) fn timestamp(bytes: &[u8]) -> Option<Stamp> {
    let micros = int64(bytes)?;
    // In seconds first: the last years have more microseconds since 1970 than 64 bits.
    let since = Stamp::from_micros(micros);
    (micros != i64::MAX && micros != i64::MIN).then_some(Stamp {
        seconds: since.seconds + EPOCH_DAYS * DAY_SECONDS,
        ..since
    })
}

fn stamp(bytes: &[u8], cell: fn(Stamp) -> Cell) -> Option<Cell> {
    Some(match timestamp(bytes) {
        Some(stamp) => cell(stamp),
        None => Cell::Infinite(int64(bytes)? > 0),
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

/// A number of four digits of base 10000 at most, which fit a machine word, and so do most with their zeros: the unscaled
/// number and its scale; `None`: it is none such.
#[inline]
pub(crate) fn numeric_small(bytes: &[u8]) -> Option<(i64, i32)> {
    let (head, digits) = bytes.split_first_chunk::<8>()?;
    let word = |at: usize| fixed::<2>(head.get(at..)?);
    let count = i16::from_be_bytes(word(0)?);
    let weight = i32::from(i16::from_be_bytes(word(2)?));
    let sign = u16::from_be_bytes(word(4)?);
    let scale = i32::from(i16::from_be_bytes(word(6)?));
    if count > 4 || (sign != 0 && sign != 0x4000) {
        return None;
    }
    let (digits, _) = digits.as_chunks::<2>();
    let all = digits.iter().fold(0_i64, |all, digit| {
        all * 10_000 + i64::from(i16::from_be_bytes(*digit))
    });
    let exponent = 4 * (weight + 1 - i32::from(count)) + scale;
    let power = 10_i64.checked_pow(exponent.unsigned_abs())?;
    let scaled = match exponent >= 0 {
        true => all.checked_mul(power)?,
        // Digits of a group that are beyond the scale are zeros; there are three at most.
        false => all / power,
    };
    Some((if sign == 0 { scaled } else { -scaled }, scale))
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
    if let Some((unscaled, scale)) = numeric_small(bytes) {
        return Some(Cell::Decimal(Decimal::small(unscaled, scale)));
    }
    let digits = bytes.get(8..)?.chunks_exact(2).map(int16);
    let exponent = 4 * (weight + 1 - i32::from(count)) + scale;
    // Nine digits of base 10000 are 36 decimal digits: they fit 128 bits, and so do most with their zeros.
    let small = match count <= 9 {
        true => digits
            .clone()
            .try_fold(0_i128, |all, digit| Some(all * 10_000 + i128::from(digit?))),
        false => None,
    };
    let scaled = small.and_then(|small| {
        let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
        match exponent >= 0 {
            true => small.checked_mul(power),
            false => Some(small / power),
        }
    });
    let mut unscaled = match scaled {
        Some(scaled) => BigInt::from(scaled),
        None => {
            let mut unscaled = BigInt::ZERO;
            for digit in digits {
                unscaled = unscaled * 10_000 + digit?;
            }
            let power = BigInt::from(10).pow(exponent.unsigned_abs());
            match exponent >= 0 {
                true => unscaled * power,
                false => unscaled / power,
            }
        }
    };
    if sign == 0x4000 {
        unscaled = -unscaled;
    }
    Some(Cell::Decimal(Decimal::new(unscaled, scale)))
}

fn array(element: &Decoder, bytes: &[u8]) -> Result<Cell, DbError> {
    let bad = || element.wrong();
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
                items.push(element.cell(item)?);
                rest = others;
            }
            Err(_) => items.push(Cell::Null),
        }
    }
    Ok(Cell::Array(items))
}
