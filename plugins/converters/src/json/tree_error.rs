//! Jackson's errors: class, text and place, as far as a user sees them.

use milena_api::ConnectError;

use crate::numbers::SERIALIZATION_EXCEPTION;

const PARSE: &str = "com.fasterxml.jackson.core.JsonParseException";
const EOF: &str = "com.fasterxml.jackson.core.io.JsonEOFException";
const LIMIT: &str = "com.fasterxml.jackson.core.exc.StreamConstraintsException";
const SOURCE: &str =
    "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); ";

/// What is wrong with a JSON text.
#[derive(Debug)]
pub(crate) struct TreeError {
    class: &'static str,
    message: String,
}

impl TreeError {
    /// A syntax error at a byte offset.
    pub(crate) fn parse(text: &[u8], at: usize, message: impl Into<String>) -> Self {
        Self {
            class: PARSE,
            message: format!("{}\n at {}", message.into(), location(text, at)),
        }
    }

    /// The text ends too early.
    pub(crate) fn end(text: &[u8], message: impl Into<String>) -> Self {
        Self {
            class: EOF,
            message: format!("{}\n at {}", message.into(), location(text, text.len())),
        }
    }

    /// As [`Self::end`], said at a byte offset.
    pub(crate) fn end_at(text: &[u8], at: usize, message: impl Into<String>) -> Self {
        Self {
            class: EOF,
            message: format!("{}\n at {}", message.into(), location(text, at)),
        }
    }

    /// A limit of Jackson is passed.
    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self {
            class: LIMIT,
            message: message.into(),
        }
    }

    /// A number that `BigDecimal` does not take.
    pub(crate) fn number(message: impl Into<String>) -> Self {
        Self {
            class: "java.lang.NumberFormatException",
            message: message.into(),
        }
    }

    /// As the converter reports it: `outer`, caused by a SerializationException that tells class and
    /// text, caused by the error itself.
    pub(crate) fn into_connect(self, outer: &str) -> ConnectError {
        let inner = ConnectError::of(self.class, self.message);
        let middle = ConnectError::of(SERIALIZATION_EXCEPTION, inner.to_java_string());
        ConnectError::data(outer).caused_by(middle.caused_by(inner))
    }
}

/// Line and column of a byte offset, in the words of Jackson.
pub(crate) fn location(text: &[u8], at: usize) -> String {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let mut line = 1;
    let mut start = 0;
    for (index, byte) in before.iter().enumerate() {
        let pair = *byte == b'\r' && text.get(index + 1) == Some(&b'\n');
        if *byte == b'\n' || (*byte == b'\r' && !pair) {
            line += 1;
            start = index + 1;
        }
    }
    format!("{SOURCE}line: {line}, column: {}]", at - start + 1)
}

/// A character as Jackson names it.
pub(crate) fn character(c: char) -> String {
    if c.is_control() {
        format!("(CTRL-CHAR, code {})", u32::from(c))
    } else if u32::from(c) > 255 {
        format!("'{c}' (code {} / 0x{:x})", u32::from(c), u32::from(c))
    } else {
        format!("'{c}' (code {})", u32::from(c))
    }
}
