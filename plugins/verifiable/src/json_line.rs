//! Lines of JSON on standard output, by which a test follows the connectors; values in Jackson's forms.

use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use milena_data::{Value, base64_text::push_base64};

/// One line of members.
#[derive(Clone, Debug, Default)]
pub(crate) struct JsonLine {
    text: String,
    bad: Option<String>,
}

impl JsonLine {
    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: &Value) -> Self {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        push_text(&mut self.text, name);
        self.text.push(':');
        if let Err(class) = push(&mut self.text, value) {
            self.bad = Some(class);
        }
        self
    }

    /// The line, or what Java writes when a value has no form in JSON.
    pub(crate) fn line(&self) -> String {
        match &self.bad {
            None => format!("{{{}}}", self.text),
            Some(class) => format!(
                "Bad data can't be written as json: No serializer found for class {class} and no \
                 properties discovered to create BeanSerializer"
            ),
        }
    }

    /// Prints the line. A closed output is nobody's concern here.
    pub(crate) fn print(&self) {
        let _ = writeln!(std::io::stdout().lock(), "{}", self.line());
    }
}

/// Milliseconds since the epoch.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn push_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// The error is the class of a value that Jackson cannot write.
fn push(out: &mut String, value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => push_text(out, text),
        Value::Bytes(bytes) => {
            out.push('"');
            push_base64(out, bytes);
            out.push('"');
        }
        Value::Float32(x) if !x.is_finite() => push_text(out, &value.to_string()),
        Value::Float64(x) if !x.is_finite() => push_text(out, &value.to_string()),
        Value::Instant(millis) => out.push_str(&millis.to_string()),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push(out, item)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push_text(out, &key.to_string());
                out.push(':');
                push(out, item)?;
            }
            out.push('}');
        }
        Value::Struct(_) => return Err(value.java_class().to_string()),
        // Numbers, booleans and null are written as Java prints them.
        other => out.push_str(&other.to_string()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use milena_data::{Decimal, MapValue, Schema, SchemaBuilder, Struct, Value};

    use super::JsonLine;

    #[test]
    fn values_have_jacksons_forms() {
        let mut map = MapValue::new();
        map.insert(Value::Int32(1), Value::Null);
        let line = JsonLine::default()
            .with("text", &Value::from("a\"\n"))
            .with("bytes", &Value::Bytes(bytes(b"hi")))
            .with("date", &Value::Instant(7))
            .with("decimal", &Value::Decimal(Decimal::parse("1E+3").unwrap()))
            .with("double", &Value::Float64(f64::NAN))
            .with(
                "list",
                &Value::Array(vec![Value::Boolean(true), map.into()]),
            );
        assert_eq!(
            line.line(),
            r#"{"text":"a\"\n","bytes":"aGk=","date":7,"decimal":1E+3,"double":"NaN","list":[true,{"1":null}]}"#
        );
    }

    #[test]
    fn a_struct_has_none() {
        let schema = SchemaBuilder::structure().field("a", Schema::int8());
        let value = Struct::from_slots(schema.build().unwrap(), vec![Value::Int8(1)]);
        let line = JsonLine::default().with("seqno", &value.into()).line();
        assert!(line.starts_with("Bad data can't be written as json"));
    }

    fn bytes(text: &'static [u8]) -> bytes::Bytes {
        bytes::Bytes::from_static(text)
    }
}
