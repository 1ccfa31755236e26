//! A value of the data model: what `java.lang.Object` is in Connect's API, as a closed set.

use bytes::Bytes;

use crate::{Decimal, MapValue, Struct, Text};

/// One value. Cloning is cheap for text and bytes (shared buffers).
///
/// Logical Date, Time and Timestamp are [`Value::Instant`], as they are all `java.util.Date` in
/// Java; the schema's name tells which of them it is (spec `data.md` 1.4).
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// `BOOLEAN`.
    Boolean(bool),
    /// `INT8`.
    Int8(i8),
    /// `INT16`.
    Int16(i16),
    /// `INT32`.
    Int32(i32),
    /// `INT64`.
    Int64(i64),
    /// `FLOAT32`.
    Float32(f32),
    /// `FLOAT64`.
    Float64(f64),
    /// `STRING`.
    String(Text),
    /// `BYTES`.
    Bytes(Bytes),
    /// `ARRAY`.
    Array(Vec<Value>),
    /// `MAP`, in insertion order.
    Map(Box<MapValue>),
    /// `STRUCT`.
    Struct(Box<Struct>),
    /// The in-memory form of the logical type Decimal.
    Decimal(Decimal),
    /// Milliseconds since the epoch (UTC): the in-memory form of Date, Time and Timestamp.
    Instant(i64),
    /// An integer beyond 64 bits without a scale (`java.math.BigInteger`), as `Values` parses it.
    BigInteger(num_bigint::BigInt),
}

impl Value {
    /// Whether this is [`Value::Null`].
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string value.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}
