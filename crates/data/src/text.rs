//! The text forms of values: Java's `String.valueOf` of the equivalent objects.
//!
//! Not to be confused with `Values.convertToString`, which quotes and renders dates in ISO form.

use std::fmt;

use bytes::Bytes;

use crate::{MapValue, Struct, Value, calendar, float_text};

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(b) => write!(f, "{b}"),
            Self::Int8(n) => write!(f, "{n}"),
            Self::Int16(n) => write!(f, "{n}"),
            Self::Int32(n) => write!(f, "{n}"),
            Self::Int64(n) => write!(f, "{n}"),
            Self::Float32(x) => f.write_str(&float_text::float_text(*x)),
            Self::Float64(x) => f.write_str(&float_text::double_text(*x)),
            Self::String(text) => f.write_str(text),
            Self::Bytes(bytes) => write!(f, "[B@{:x}", identity(bytes)),
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    item.fmt(f)?;
                }
                f.write_str("]")
            }
            Self::Map(map) => map.fmt(f),
            Self::Struct(inner) => inner.fmt(f),
            Self::Decimal(decimal) => decimal.fmt(f),
            Self::Instant(millis) => f.write_str(&calendar::date_text(*millis)),
            Self::BigInteger(n) => n.fmt(f),
        }
    }
}

/// Java prints the identity of a byte array, which nobody can rely on; ours is a sum of its content,
/// so that the same record has the same text.
fn identity(bytes: &Bytes) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum: u32, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

impl fmt::Display for MapValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{key}={value}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Display for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Struct{")?;
        let mut first = true;
        for (field, value) in self.schema().fields().values().zip(self.slots()) {
            if value.is_null() {
                continue;
            }
            if !first {
                f.write_str(",")?;
            }
            first = false;
            write!(f, "{}={value}", field.name())?;
        }
        f.write_str("}")
    }
}
