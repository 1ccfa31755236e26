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

/// Appends a floating point number as Java writes it, from its shortest digits in the form `1.5e-3`.
/// What is no number stands as text, as Jackson writes it.
pub(crate) fn write_float(text: &mut String, value: f64, scientific: &str) {
    if !value.is_finite() {
        let name = match value {
            _ if value.is_nan() => "NaN",
            _ if value > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        return write_string(text, name);
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    text.push_str(sign);
    let or_zero = |part: &str| {
        if part.is_empty() {
            "0".to_owned()
        } else {
            part.to_owned()
        }
    };
    if (-3..7).contains(&exponent) || value == 0.0 {
        let point = usize::try_from(exponent + 1).unwrap_or(0);
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        let padded = format!("{digits:0<point$}");
        let (whole, fraction) = padded.split_at(point.min(padded.len()));
        let fraction = format!("{zeros}{fraction}");
        text.push_str(&format!("{}.{}", or_zero(whole), or_zero(&fraction)));
    } else {
        text.push_str(&format!("{whole}.{}E{exponent}", or_zero(fraction)));
    }
}

/// Appends bytes as a string of standard Base64 with padding.
pub(crate) fn write_base64(text: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    text.push('"');
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4_usize {
            let index = group >> (18 - 6 * i) & 63;
            let digit = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            text.push(char::from(if i <= chunk.len() { digit } else { b'=' }));
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
    fn floats_are_written_as_java_does() {
        for (value, wanted) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (123.45, "123.45"),
            (1_234_567.0, "1234567.0"),
            (12_345_678.0, "1.2345678E7"),
            (0.001, "0.001"),
            (0.000_99, "9.9E-4"),
            (-1e10, "-1.0E10"),
            (f64::NAN, "\"NaN\""),
        ] {
            let mut text = String::new();
            write_float(&mut text, value, &format!("{value:e}"));
            assert_eq!(text, wanted);
        }
    }

    #[test]
    fn trailing_text_is_ignored_and_garbage_is_no_value() {
        assert_eq!(parse(b"{} x"), Some(Value::Object(Default::default())));
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"{"), None);
    }
}
