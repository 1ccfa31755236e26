//! A value of the data model: what `java.lang.Object` is in Connect's API, as a closed set.

use std::hash::{Hash, Hasher};

use bytes::Bytes;

use crate::{Decimal, MapValue, Struct, Text};

/// One value. Cloning is cheap for text and bytes (shared buffers).
///
/// Logical Date, Time and Timestamp are [`Value::Instant`], as they are all `java.util.Date` in
/// Java; the schema's name tells which of them it is (spec `data.md` 1.4). Equality is Java's
/// `equals`: no widening between number types, NaN equals NaN, 0.0 differs from -0.0, maps are
/// compared without regard to order.
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

    /// The value of any of the four integer types.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int8(n) => Some(i64::from(*n)),
            Self::Int16(n) => Some(i64::from(*n)),
            Self::Int32(n) => Some(i64::from(*n)),
            Self::Int64(n) => Some(*n),
            _ => None,
        }
    }

    /// The struct of a struct value.
    #[must_use]
    pub fn as_struct(&self) -> Option<&Struct> {
        match self {
            Self::Struct(inner) => Some(inner),
            _ => None,
        }
    }

    /// The map of a map value.
    #[must_use]
    pub fn as_map(&self) -> Option<&MapValue> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The name of the Java class that such a value has, as `getClass().getName()` (`[B` for bytes).
    #[must_use]
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "java.lang.Boolean",
            Self::Int8(_) => "java.lang.Byte",
            Self::Int16(_) => "java.lang.Short",
            Self::Int32(_) => "java.lang.Integer",
            Self::Int64(_) => "java.lang.Long",
            Self::Float32(_) => "java.lang.Float",
            Self::Float64(_) => "java.lang.Double",
            Self::String(_) => "java.lang.String",
            Self::Bytes(_) => "[B",
            Self::Array(_) => "java.util.ArrayList",
            Self::Map(_) => "java.util.HashMap",
            Self::Struct(_) => "org.apache.kafka.connect.data.Struct",
            Self::Decimal(_) => "java.math.BigDecimal",
            Self::Instant(_) => "java.util.Date",
            Self::BigInteger(_) => "java.math.BigInteger",
        }
    }
}

/// Java's `floatToIntBits`: all NaN are one.
fn float_bits(value: f32) -> u32 {
    if value.is_nan() {
        0x7fc0_0000
    } else {
        value.to_bits()
    }
}

/// Java's `doubleToLongBits`: all NaN are one.
fn double_bits(value: f64) -> u64 {
    if value.is_nan() {
        0x7ff8_0000_0000_0000
    } else {
        value.to_bits()
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::Int8(a), Self::Int8(b)) => a == b,
            (Self::Int16(a), Self::Int16(b)) => a == b,
            (Self::Int32(a), Self::Int32(b)) => a == b,
            (Self::Int64(a), Self::Int64(b)) | (Self::Instant(a), Self::Instant(b)) => a == b,
            (Self::Float32(a), Self::Float32(b)) => float_bits(*a) == float_bits(*b),
            (Self::Float64(a), Self::Float64(b)) => double_bits(*a) == double_bits(*b),
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Struct(a), Self::Struct(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::BigInteger(a), Self::BigInteger(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Null => {}
            Self::Boolean(b) => b.hash(state),
            Self::Int8(n) => n.hash(state),
            Self::Int16(n) => n.hash(state),
            Self::Int32(n) => n.hash(state),
            Self::Int64(n) | Self::Instant(n) => n.hash(state),
            Self::Float32(x) => float_bits(*x).hash(state),
            Self::Float64(x) => double_bits(*x).hash(state),
            Self::String(text) => text.hash(state),
            Self::Bytes(bytes) => bytes.hash(state),
            Self::Array(items) => items.hash(state),
            // Order does not count, so only the number of entries can.
            Self::Map(map) => map.len().hash(state),
            Self::Struct(inner) => inner.hash(state),
            Self::Decimal(decimal) => decimal.hash(state),
            Self::BigInteger(n) => n.hash(state),
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

macro_rules! into_value {
    ($($from:ty => $variant:ident;)*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self { Self::$variant(value) }
        })*
    };
}

into_value! {
    bool => Boolean;
    i8 => Int8;
    i16 => Int16;
    i32 => Int32;
    i64 => Int64;
    f32 => Float32;
    f64 => Float64;
    Text => String;
    Bytes => Bytes;
    Vec<Value> => Array;
    Decimal => Decimal;
}

impl From<Struct> for Value {
    fn from(value: Struct) -> Self {
        Self::Struct(Box::new(value))
    }
}

impl From<MapValue> for Value {
    fn from(value: MapValue) -> Self {
        Self::Map(Box::new(value))
    }
}
