//! JSON texts as Jackson reads them: what is wrong with a text is said in its words, with its line and column, and what
//! stood before the fault is handed out too, because Jackson binds values while it reads.
//!
//! Never recurses and never goes deeper than [`MAX_DEPTH`].

use serde_json::{Map, Number, Value};

use crate::error::RestError;

/// How deep a text may be nested (`StreamReadConstraints`).
const MAX_DEPTH: usize = 1000;

/// A text that was read.
pub(crate) enum Read {
    /// Nothing but blanks.
    Blank,
    /// One value, and what is wrong behind it.
    Whole(Value, Option<Behind>),
    /// A fault inside of the value; what stood before it.
    Cut(Option<Value>, RestError),
}

/// What stands behind the value.
pub(crate) enum Behind {
    /// Something that is no JSON.
    Fault(RestError),
    /// Another value: its token, and where it is.
    Token(&'static str, Place),
}

/// A place in a text.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    line: usize,
    column: usize,
}

impl Place {
    /// A text about this place.
    pub(crate) fn says(self, text: &str) -> RestError {
        RestError::failed(format!("{text}\n at {}", self.source()))
    }

    fn source(self) -> String {
        format!(
            "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {}, column: {}]",
            self.line, self.column
        )
    }
}

enum Open {
    Object(Map<String, Value>, Option<String>),
    Array(Vec<Value>),
}

impl Open {
    fn put(&mut self, value: Value) {
        match self {
            Self::Object(fields, name) => {
                if let Some(name) = name.take() {
                    fields.insert(name, value);
                }
            }
            Self::Array(items) => items.push(value),
        }
    }

    fn closed(self) -> Value {
        match self {
            Self::Object(fields, _) => Value::Object(fields),
            Self::Array(items) => Value::Array(items),
        }
    }

    fn kind(&self) -> (&'static str, u8) {
        match self {
            Self::Object(..) => ("Object", b'}'),
            Self::Array(_) => ("Array", b']'),
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// The last token, as it is named when a text ends inside of the next one.
    token: &'static str,
    open: Vec<(Open, Place)>,
}

type Fault<T> = Result<T, RestError>;

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Reads a text.
pub(crate) fn read(text: &[u8]) -> Read {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader = Reader {
        text,
        at: 0,
        token: "null",
        open: Vec::new(),
    };
    match reader.blanks() {
        Err(fault) => return Read::Cut(None, fault),
        Ok(None) => return Read::Blank,
        Ok(Some(_)) => {}
    }
    match reader.whole() {
        Ok(value) => {
            let behind = reader.behind();
            Read::Whole(value, behind)
        }
        Err(fault) => {
            let mut before: Option<Value> = None;
            while let Some((mut open, _)) = reader.open.pop() {
                if let Some(value) = before.take() {
                    open.put(value);
                }
                before = Some(open.closed());
            }
            Read::Cut(before, fault)
        }
    }
}

impl Reader<'_> {
    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.iter().rposition(|byte| *byte == b'\n');
        Place {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            column: at - line_start.map_or(0, |newline| newline + 1) + 1,
        }
    }

    fn here(&self, text: &str) -> RestError {
        self.place(self.at).says(text)
    }

    fn unexpected(&self, byte: u8, what: &str) -> RestError {
        self.here(&format!(
            "Unexpected character ('{}' (code {byte})){what}",
            char::from(byte)
        ))
    }

    fn ended(&self, what: &str) -> RestError {
        self.here(&format!("Unexpected end-of-input{what}"))
    }

    /// Skips blanks; the byte behind them.
    fn blanks(&mut self) -> Fault<Option<u8>> {
        while let Some(byte) = self.byte() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'/' => {
                    return Err(self.unexpected(
                        byte,
                        ": maybe a (non-standard) comment? (not recognized as one since Feature \
                         'ALLOW_COMMENTS' not enabled for parser)",
                    ));
                }
                control if control < b' ' => {
                    self.at += 1;
                    return Err(self.here(&format!(
                        "Illegal character ((CTRL-CHAR, code {control})): only regular white space (\\r, \\n, \\t) is \
                         allowed between tokens"
                    )));
                }
                byte => return Ok(Some(byte)),
            }
        }
        Ok(None)
    }

    /// As [`Self::blanks`] where something must follow.
    fn next(&mut self) -> Fault<u8> {
        let kind = self.open.last().map_or("root", |(open, _)| open.kind().0);
        self.blanks()?
            .ok_or_else(|| self.ended(&format!(" within/between {kind} entries")))
    }

    fn whole(&mut self) -> Fault<Value> {
        let mut done = self.begin()?;
        loop {
            let Some(value) = done else {
                done = self.step(true)?;
                continue;
            };
            match self.open.last_mut() {
                None => return Ok(value),
                Some((open, _)) => open.put(value),
            }
            done = self.step(false)?;
        }
    }

    /// The next value of the innermost container, or the container itself when it ends. `None`: one was opened.
    fn step(&mut self, first: bool) -> Fault<Option<Value>> {
        let Some((open, began)) = self.open.last() else {
            return Err(self.ended(""));
        };
        let ((kind, close), began) = (open.kind(), *began);
        let Some(mut byte) = self.blanks()? else {
            return Err(self.ended(&format!(
                ": expected close marker for {kind} (start marker at {})",
                began.source()
            )));
        };
        if byte == close {
            self.at += 1;
            self.token = if close == b'}' {
                "END_OBJECT"
            } else {
                "END_ARRAY"
            };
            return Ok(self.open.pop().map(|(open, _)| open.closed()));
        }
        if matches!(byte, b'}' | b']') {
            return Err(self.here(&format!(
                "Unexpected close marker '{}': expected '{}' (for {kind} starting at {})",
                char::from(byte),
                char::from(close),
                began.source()
            )));
        }
        if !first {
            if byte != b',' {
                let what = format!(": was expecting comma to separate {kind} entries");
                return Err(self.unexpected(byte, &what));
            }
            self.at += 1;
            byte = self.next()?;
        }
        if close == b'}' {
            if byte != b'"' {
                return Err(self.no_name(byte));
            }
            let name = self.string(" in field name", "name")?;
            self.token = "FIELD_NAME";
            byte = self.next()?;
            if byte != b':' {
                let what = ": was expecting a colon to separate field name and value";
                return Err(self.unexpected(byte, what));
            }
            self.at += 1;
            if let Some((Open::Object(_, slot), _)) = self.open.last_mut() {
                *slot = Some(name);
            }
            self.next()?;
        }
        self.begin()
    }

    fn no_name(&mut self, byte: u8) -> RestError {
        let what = ": was expecting double-quote to start field name";
        let rest = String::from_utf8_lossy(self.text.get(self.at..).unwrap_or_default());
        match rest.chars().next() {
            Some(c) if byte >= 0x80 => {
                self.at += c.len_utf8() - 1;
                self.here(&format!(
                    "Unexpected character ('{c}' (code {})){what}",
                    u32::from(c)
                ))
            }
            _ => self.unexpected(byte, what),
        }
    }

    /// The value that begins here; `None`: a container, which is open now.
    fn begin(&mut self) -> Fault<Option<Value>> {
        let Some(byte) = self.byte() else {
            return Err(self.ended(""));
        };
        let value = match byte {
            b'{' | b'[' => {
                let place = self.place(self.at);
                self.at += 1;
                if self.open.len() >= MAX_DEPTH {
                    return Err(self.here(&format!(
                        "Document nesting depth ({}) exceeds the maximum allowed ({MAX_DEPTH}, from \
                         `StreamReadConstraints.getMaxNestingDepth()`)",
                        MAX_DEPTH + 1
                    )));
                }
                let (open, token) = match byte {
                    b'{' => (Open::Object(Map::new(), None), "START_OBJECT"),
                    _ => (Open::Array(Vec::new()), "START_ARRAY"),
                };
                self.token = token;
                self.open.push((open, place));
                return Ok(None);
            }
            b'"' => {
                let text = self.string(" in VALUE_STRING", "string value")?;
                self.token = "VALUE_STRING";
                Value::String(text)
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'+' => return Err(self.plus()),
            b',' | b'}' => return Err(self.unexpected(byte, ": expected a value")),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => self.word()?,
            0x80.. => return Err(self.latin(byte)),
            _ => return Err(self.unexpected(byte, &format!(": expected a valid value {VALUES}"))),
        };
        Ok(Some(value))
    }

    /// Jackson takes the first byte for a letter, then stumbles over the next.
    fn latin(&mut self, byte: u8) -> RestError {
        match self.text.get(self.at + 1) {
            Some(second) if char::from(byte).is_alphabetic() => {
                self.at += 2;
                self.here(&format!("Invalid UTF-8 start byte 0x{second:02x}"))
            }
            _ => self.unexpected(byte, &format!(": expected a valid value {VALUES}")),
        }
    }

    fn word(&mut self) -> Fault<Value> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
        let length = rest.iter().take_while(is_part).count();
        let word = String::from_utf8_lossy(rest.get(..length).unwrap_or_default());
        let (value, token) = match &*word {
            "true" => (Value::Bool(true), "VALUE_TRUE"),
            "false" => (Value::Bool(false), "VALUE_FALSE"),
            "null" => (Value::Null, "VALUE_NULL"),
            "NaN" | "Infinity" => return Err(self.not_a_number(&word)),
            word => {
                let text = format!("Unrecognized token '{word}': was expecting {VALUES}");
                return Err(self.here(&text));
            }
        };
        (self.at, self.token) = (self.at + length, token);
        Ok(value)
    }

    fn not_a_number(&mut self, word: &str) -> RestError {
        let length = word.len();
        self.at += length;
        self.here(&format!(
            "Non-standard token '{word}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
        ))
    }

    fn plus(&mut self) -> RestError {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(b"+Infinity") {
            return self.not_a_number("+Infinity");
        }
        self.at += 1;
        match self.byte() {
            None => self.ended(" in a Number value"),
            Some(_) => self.here(
                "Unexpected character ('+' (code 43)) in numeric value: JSON spec does not allow numbers to have plus \
                 signs: enable `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow",
            ),
        }
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// Digits that must be there.
    fn more_digits(&mut self, what: &str) -> Fault<()> {
        if self.digits() > 0 {
            return Ok(());
        }
        Err(match self.byte() {
            Some(byte) => self.unexpected(byte, &format!(" in numeric value: {what}")),
            None => self.ended(&format!(" in {}", self.token)),
        })
    }

    fn number(&mut self) -> Fault<Value> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            let rest = self.text.get(start..).unwrap_or_default();
            if rest.starts_with(b"-Infinity") {
                return Err(self.not_a_number("-Infinity"));
            }
            self.at += 1;
        }
        let first = self.at;
        self.more_digits("expected digit (0-9) to follow minus sign, for valid numeric value")?;
        if self.text.get(first) == Some(&b'0') && self.at > first + 1 {
            self.at = first + 1;
            return Err(self.here("Invalid numeric value: Leading zeroes not allowed"));
        }
        let mut token = "VALUE_NUMBER_INT";
        if self.byte() == Some(b'.') {
            token = "VALUE_NUMBER_FLOAT";
            if self.text.get(self.at + 1).is_some() {
                self.at += 1;
            }
            self.more_digits("Decimal point not followed by a digit")?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            token = "VALUE_NUMBER_FLOAT";
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.more_digits("Exponent indicator not followed by a digit")?;
        }
        if self.open.is_empty()
            && let Some(byte) = self.byte()
            && !byte.is_ascii_whitespace()
        {
            return Err(self.unexpected(byte, ": Expected space separating root-level values"));
        }
        self.token = token;
        let text = self.text.get(start..self.at).unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        Ok(Value::Number(Number::from_string_unchecked(text)))
    }

    /// The text between double quotes.
    fn string(&mut self, end: &str, what: &str) -> Fault<String> {
        self.at += 1;
        let mut bytes: Vec<u8> = Vec::new();
        loop {
            let Some(byte) = self.byte() else {
                return Err(self.ended(end));
            };
            match byte {
                b'"' => {
                    self.at += 1;
                    return match String::from_utf8(bytes) {
                        Ok(text) => Ok(text),
                        Err(error) => {
                            let at = error.utf8_error().valid_up_to();
                            let bad = error.as_bytes().get(at).copied().unwrap_or_default();
                            Err(self.here(&format!("Invalid UTF-8 start byte 0x{bad:02x}")))
                        }
                    };
                }
                b'\\' => {
                    self.at += 1;
                    let c = self.escape()?;
                    bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                control if control < b' ' => {
                    return Err(self.here(&format!(
                        "Illegal unquoted character ((CTRL-CHAR, code {control})): has to be escaped using backslash to \
                         be included in {what}"
                    )));
                }
                byte => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn escape(&mut self) -> Fault<char> {
        let Some(byte) = self.byte() else {
            return Err(self.ended(" in character escape sequence"));
        };
        let c = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            byte => {
                let c = char::from(byte);
                return Err(self.here(&format!(
                    "Unrecognized character escape '{c}' (code {byte})"
                )));
            }
        };
        self.at += 1;
        Ok(c)
    }

    fn unicode(&mut self) -> Fault<char> {
        let high = self.unit()?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        if (0xd800..0xdc00).contains(&high) && rest.starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.unit()?;
            if let Some(Ok(c)) = char::decode_utf16([high, low]).next() {
                return Ok(c);
            }
            self.at = back;
        }
        // Half of a pair stands for nothing that a text of ours could hold.
        Ok(char::from_u32(u32::from(high)).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn unit(&mut self) -> Fault<u16> {
        let mut unit: u16 = 0;
        for _ in 0..4 {
            let Some(byte) = self.byte() else {
                return Err(self.ended(" in character escape sequence"));
            };
            let digit = char::from(byte).to_digit(16);
            let Some(digit) = digit.and_then(|digit| u16::try_from(digit).ok()) else {
                let what = ": expected a hex-digit for character escape sequence";
                return Err(self.unexpected(byte, what));
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn behind(&mut self) -> Option<Behind> {
        let byte = match self.blanks() {
            Err(fault) => return Some(Behind::Fault(fault)),
            Ok(byte) => byte?,
        };
        if matches!(byte, b'}' | b']') {
            let kind = if byte == b'}' { "Object" } else { "Array" };
            let text = format!(
                "Unexpected close marker '{}': no open {kind} to close",
                char::from(byte)
            );
            return Some(Behind::Fault(self.here(&text)));
        }
        let place = self.place(self.at);
        // The start of a text is a token already.
        if byte == b'"' {
            return Some(Behind::Token("VALUE_STRING", place));
        }
        Some(match self.begin() {
            Err(fault) => Behind::Fault(fault),
            Ok(_) => Behind::Token(self.token, place),
        })
    }
}
