//! From the bytes of PostgreSQL's binary format straight to the values of the usual types.
//!
//! By way of a [`Cell`](crate::cell::Cell) each value is moved about several times, which takes longer than to read it.
//! What is unusual (infinity, a number beyond 64 bits, another scale) goes that way and means the same.

use bytes::Bytes;
use milena_data::{Decimal, Text, Value};

use super::mapping::{Granularity, Read};
use crate::{
    cell::DAY_SECONDS,
    dialect::{Form, date, int16, int32, int64, numeric_small, timestamp},
    zone::Zone,
};

/// How the fields of a column become values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direct {
    Boolean,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Decimal(i32),
    Text,
    Date,
    /// A timestamp without a zone.
    Local,
    Instant,
}

impl Direct {
    /// `None`: by way of a cell.
    pub(super) fn of(form: &Form, read: &Read) -> Option<Self> {
        Some(match (form, read) {
            (Form::Bool, Read::Boolean) => Self::Boolean,
            (Form::Int2, Read::Int16) => Self::Int16,
            (Form::Int4, Read::Int32) => Self::Int32,
            (Form::Int8, Read::Int64) => Self::Int64,
            (Form::Float4, Read::Float32) => Self::Float32,
            (Form::Float8, Read::Float64) => Self::Float64,
            (Form::Numeric, Read::Decimal(scale)) => Self::Decimal(*scale),
            (Form::Text, Read::Text) => Self::Text,
            (Form::Date, Read::Date) => Self::Date,
            (Form::Timestamp, Read::Timestamp(Granularity::Connect)) => Self::Local,
            (Form::TimestampTz, Read::Timestamp(Granularity::Connect)) => Self::Instant,
            _ => return None,
        })
    }

    /// Appends the value of a field of a chunk; `None`: it is nothing usual, and nothing was appended.
    #[inline]
    pub(super) fn push(
        self,
        slots: &mut Vec<Value>,
        chunk: &Bytes,
        place: std::ops::Range<usize>,
        zone: &Zone,
    ) -> Option<()> {
        let bytes = chunk.get(place.clone())?;
        // Each value is made in its place: one that is chosen first would be moved there.
        match self {
            Self::Boolean => slots.push(Value::Boolean(bytes.first()? != &0)),
            Self::Int16 => slots.push(Value::Int16(int16(bytes)?)),
            Self::Int32 => slots.push(Value::Int32(int32(bytes)?)),
            Self::Int64 => slots.push(Value::Int64(int64(bytes)?)),
            Self::Float32 => {
                let bits = int32(bytes)?.cast_unsigned();
                slots.push(Value::Float32(f32::from_bits(bits)));
            }
            Self::Float64 => {
                let bits = int64(bytes)?.cast_unsigned();
                slots.push(Value::Float64(f64::from_bits(bits)));
            }
            Self::Decimal(wanted) => {
                let (unscaled, scale) = numeric_small(bytes)?;
                if scale != wanted {
                    return None;
                }
                slots.push(Value::Decimal(Decimal::small(unscaled, scale)));
            }
            Self::Text => {
                let text = Text::try_from(chunk.slice(place)).ok()?;
                slots.push(Value::String(text));
            }
            Self::Date => {
                let day = zone.connect_day(date(bytes)?);
                slots.push(Value::Instant(day.checked_mul(DAY_SECONDS * 1000)?));
            }
            Self::Local => {
                let moment = zone.instant(timestamp(bytes)?);
                slots.push(Value::Instant(zone.connect_millis(moment)));
            }
            Self::Instant => {
                let moment = timestamp(bytes)?;
                slots.push(Value::Instant(zone.connect_millis(moment)));
            }
        }
        Some(())
    }
}
