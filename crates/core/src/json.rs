//! JSON text exactly as Jackson writes it by default, and lenient reading of it.
//!
//! The internal topics carry what `JsonConverter` with `schemas.enable=false` writes: no whitespace, `/` not
//! escaped, control characters as `\b \t \n \f \r` or `\u00XX` with upper-case digits, characters outside
//! the basic plane as two escaped surrogates, everything else raw UTF-8 (spec `distributed.md` 1.2).

use serde_json::Value;

/// Writes one JSON object member by member.
pub(crate) struct ObjectWriter {
    text: String,
}

impl ObjectWriter {
    pub(crate) fn new() -> Self {
        Self {
            text: String::from("{"),
        }
    }

    fn key(&mut self, key: &str) {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        write_string(&mut self.text, key);
        self.text.push(':');
    }

    pub(crate) fn string(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        write_string(&mut self.text, value);
        self
    }

    pub(crate) fn optional(mut self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.string(key, value),
            None => {
                self.key(key);
                self.text.push_str("null");
                self
            }
        }
    }

    pub(crate) fn integer(mut self, key: &str, value: i64) -> Self {
        self.key(key);
        self.text.push_str(&value.to_string());
        self
    }

    pub(crate) fn boolean(mut self, key: &str, value: bool) -> Self {
        self.key(key);
        self.text.push_str(if value { "true" } else { "false" });
        self
    }

    pub(crate) fn object(mut self, key: &str, value: ObjectWriter) -> Self {
        self.key(key);
        self.text.push_str(&value.finish());
        self
    }

    pub(crate) fn finish(mut self) -> String {
        self.text.push('}');
        self.text
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.finish().into_bytes()
    }
}

/// Appends a JSON string literal as Jackson writes it.
pub(crate) fn write_string(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            c if (c as u32) < 0x20 => text.push_str(&format!("\\u{:04X}", c as u32)),
            c if (c as u32) > 0xFFFF => {
                let mut units = [0_u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04X}"));
                }
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

/// The first JSON value of the bytes; what follows it is ignored, as Jackson's `readTree` does. Nesting is
/// limited by the parser (128 levels), so no input exhausts the stack.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    serde_json::Deserializer::from_slice(bytes)
        .into_iter::<Value>()
        .next()?
        .ok()
}

/// An integer of at most 64 bits; a number with fraction or exponent is none.
pub(crate) fn integer(value: Option<&Value>) -> Option<i64> {
    value?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_jackson_does() {
        let mut text = String::new();
        write_string(&mut text, "a/\"\\\n\u{1f}\u{7f}é😀");
        assert_eq!(text, "\"a/\\\"\\\\\\n\\u001F\u{7f}é\\uD83D\\uDE00\"");
    }

    #[test]
    fn trailing_text_is_ignored_and_garbage_is_no_value() {
        assert_eq!(parse(b"{} x"), Some(Value::Object(Default::default())));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"{"), None);
    }
}
