//! Jackson's errors: class, text and place, as far as a user sees them.

use milena_api::ConnectError;

use super::tree_input::Input;
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
    pub(super) fn parse(text: Input<'_>, at: usize, message: impl Into<String>) -> Self {
        Self {
            class: PARSE,
            message: format!("{}\n at {}", message.into(), location(text, at)),
        }
    }

    /// A byte that does not go on a character: it was not looked at as the end of a line.
    pub(super) fn middle(text: Input<'_>, at: usize, message: impl Into<String>) -> Self {
        let place = place(text, at, at.saturating_sub(1));
        Self {
            class: PARSE,
            message: format!("{}\n at {place}", message.into()),
        }
    }

    /// The text ends too early.
    pub(super) fn end(text: Input<'_>, message: impl Into<String>) -> Self {
        Self {
            class: EOF,
            message: format!("{}\n at {}", message.into(), location(text, text.len())),
        }
    }

    /// As [`Self::end`], said at a byte offset.
    pub(super) fn end_at(text: Input<'_>, at: usize, message: impl Into<String>) -> Self {
        Self {
            class: EOF,
            message: format!("{}\n at {}", message.into(), location(text, at)),
        }
    }

    /// A limit of Jackson is passed.
    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self {
            class: LIMIT,
            message: message.into(),
        }
    }

    /// A number that `BigDecimal` does not take.
    pub(super) fn number(message: impl Into<String>) -> Self {
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
pub(super) fn location(text: Input<'_>, at: usize) -> String {
    place(text, at, at)
}

/// As [`location`]; line ends are counted up to `seen`.
fn place(text: Input<'_>, at: usize, seen: usize) -> String {
    let upto = |end: usize| text.get(..end.min(text.len())).unwrap_or(&text);
    let mut line = 1;
    let mut start = 0;
    for (index, byte) in upto(seen).iter().enumerate() {
        let pair = *byte == b'\r' && text.get(index + 1) == Some(&b'\n');
        if *byte == b'\n' || (*byte == b'\r' && !pair) {
            line += 1;
            start = index + 1;
        }
    }
    let column = if text.wide {
        let before = upto(at).get(start..).unwrap_or_default();
        String::from_utf8_lossy(before).encode_utf16().count() + 1
    } else {
        at - start + 1
    };
    format!("{SOURCE}line: {line}, column: {column}]")
}

/// A character as Jackson names it.
pub(super) fn character(c: char) -> String {
    if c.is_control() {
        format!("(CTRL-CHAR, code {})", u32::from(c))
    } else if u32::from(c) > 255 {
        format!("'{c}' (code {} / 0x{:x})", u32::from(c), u32::from(c))
    } else {
        format!("'{c}' (code {})", u32::from(c))
    }
}
