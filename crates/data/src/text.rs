//! The text forms of values: Java's `String.valueOf` of the equivalent objects.
//!
//! Not to be confused with `Values.convertToString`, which quotes and renders dates in ISO form.

use std::fmt;

use bytes::Bytes;

use crate::{
    MapValue, Struct, Value, calendar,
    float_text::{Appended, push_double, push_float},
};

/// Appends the text of a value, without the detours of a formatter.
pub fn push_text(out: &mut impl Appended, value: &Value) {
    match value {
        Value::Null => out.append("null"),
        Value::Boolean(true) => out.append("true"),
        Value::Boolean(false) => out.append("false"),
        Value::Int8(n) => push_integer(out, i64::from(*n)),
        Value::Int16(n) => push_integer(out, i64::from(*n)),
        Value::Int32(n) => push_integer(out, i64::from(*n)),
        Value::Int64(n) => push_integer(out, *n),
        Value::Float32(x) => push_float(out, *x),
        Value::Float64(x) => push_double(out, *x),
        Value::String(text) => out.append(text),
        Value::Bytes(bytes) => out.append(&format!("[B@{:x}", identity(bytes))),
        Value::Array(items) => {
            out.append("[");
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.append(", ");
                }
                push_text(out, item);
            }
            out.append("]");
        }
        Value::Map(map) => push_map(out, map),
        Value::Struct(inner) => push_struct(out, inner),
        Value::Decimal(decimal) => out.append(&decimal.to_string()),
        Value::Instant(millis) => out.append(&calendar::date_text(*millis)),
        Value::BigInteger(n) => out.append(&n.to_string()),
    }
}

fn push_integer(out: &mut impl Appended, n: i64) {
    out.append(itoa::Buffer::new().format(n));
}

fn push_map(out: &mut impl Appended, map: &MapValue) {
    out.append("{");
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.append(", ");
        }
        push_text(out, key);
        out.append("=");
        push_text(out, value);
    }
    out.append("}");
}

fn push_struct(out: &mut impl Appended, inner: &Struct) {
    out.append("Struct{");
    let mut first = true;
    for (field, value) in inner.schema().fields().values().zip(inner.slots()) {
        if value.is_null() {
            continue;
        }
        if !first {
            out.append(",");
        }
        first = false;
        out.append(field.name());
        out.append("=");
        push_text(out, value);
    }
    out.append("}");
}

/// A formatter that keeps what went wrong.
struct Shown<'a, 'f> {
    to: &'a mut fmt::Formatter<'f>,
    outcome: fmt::Result,
}

impl Appended for Shown<'_, '_> {
    fn append(&mut self, text: &str) {
        if self.outcome.is_ok() {
            self.outcome = self.to.write_str(text);
        }
    }
}

fn shown(to: &mut fmt::Formatter<'_>, push: impl FnOnce(&mut Shown<'_, '_>)) -> fmt::Result {
    let outcome = Ok(());
    let mut shown = Shown { to, outcome };
    push(&mut shown);
    shown.outcome
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, |out| push_text(out, self))
    }
}

impl fmt::Display for MapValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, |out| push_map(out, self))
    }
}

impl fmt::Display for Struct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(f, |out| push_struct(out, self))
    }
}

/// Java prints the identity of a byte array, which nobody can rely on; ours is a sum of its content,
/// so that the same record has the same text.
fn identity(bytes: &Bytes) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum: u32, byte| {
        (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
