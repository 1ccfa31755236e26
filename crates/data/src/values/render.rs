//! `Values.convertToString` (spec `data.md` 1.7.3).

use std::fmt::Write as _;

use crate::{
    DataError, Value,
    base64_text::push_base64,
    calendar::{DateTime, MILLIS_PER_DAY},
    float_text,
};

/// The text of a value: bare at top level, quoted inside containers. Null has none.
///
/// # Errors
/// The value has no text form (`Failed to serialize unexpected value type …`).
pub fn convert_to_string(value: &Value) -> Result<Option<String>, DataError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.to_string())),
        _ => {
            let mut out = String::new();
            push(&mut out, value, false);
            Ok(Some(out))
        }
    }
}

/// A moment by its magnitude, not its schema: below a day as a time, on midnight as a date, else as
/// a timestamp.
#[must_use]
pub fn instant_text(millis: i64) -> String {
    let at = DateTime::from_millis(millis);
    let mut out = String::with_capacity(24);
    let time = |out: &mut String| {
        let _ = write!(
            out,
            "{:02}:{:02}:{:02}.{:03}Z",
            at.hour, at.minute, at.second, at.milli
        );
    };
    if millis < MILLIS_PER_DAY {
        time(&mut out);
        return out;
    }
    let _ = write!(out, "{:04}-{:02}-{:02}", at.year_of_era(), at.month, at.day);
    if millis % MILLIS_PER_DAY != 0 {
        out.push('T');
        time(&mut out);
    }
    out
}

fn push(out: &mut String, value: &Value, embedded: bool) {
    match value {
        Value::Float32(x) => float_text::push_float(out, *x),
        Value::Float64(x) => float_text::push_double(out, *x),
        Value::String(text) if embedded => push_quoted(out, text),
        Value::String(text) => out.push_str(text),
        Value::Bytes(bytes) => {
            let quote = if embedded { "\"" } else { "" };
            out.push_str(quote);
            push_base64(out, bytes);
            out.push_str(quote);
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push(out, item, true);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push(out, key, true);
                out.push(':');
                push(out, value, true);
            }
            out.push('}');
        }
        Value::Struct(inner) => {
            out.push('{');
            for (index, field) in inner.schema().fields().values().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_quoted(out, field.name());
                out.push(':');
                push(out, inner.get_field(field), true);
            }
            out.push('}');
        }
        Value::Instant(millis) => out.push_str(&instant_text(*millis)),
        Value::Null
        | Value::Boolean(_)
        | Value::Int8(_)
        | Value::Int16(_)
        | Value::Int32(_)
        | Value::Int64(_)
        | Value::Decimal(_)
        | Value::BigInteger(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '\\' | '"') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}
