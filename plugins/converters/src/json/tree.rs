//! A JSON tree and its reader, with the tolerance and the texts of Jackson 2.21: for everything the
//! fast way does not take.
//!
//! Leading zeros are read, text after the first value is not looked at, duplicate members keep the
//! last value, UTF-16 and UTF-32 are detected.

use std::borrow::Cow;

use indexmap::IndexMap;
use milena_data::{Decimal, Text};
use num_bigint::BigInt;

use super::{
    tree_error::{TreeError, character, location},
    tree_input::{Input, as_utf8},
};

/// Jackson's limit of nesting.
pub(crate) const NESTING_MAX: usize = 1000;
/// Jackson's limit of the text of a number.
const NUMBER_LENGTH_MAX: usize = 1000;
/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// No input at all.
    Missing,
    Null,
    Boolean(bool),
    Integer(i64),
    BigInteger(BigInt),
    Real(Decimal),
    Text(Text),
    Array(Vec<Node>),
    Object(IndexMap<Text, Node>),
}

impl Node {
    /// `JsonNode.getNodeType()`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Null => "NULL",
            Self::Boolean(_) => "BOOLEAN",
            Self::Integer(_) | Self::BigInteger(_) | Self::Real(_) => "NUMBER",
            Self::Text(_) => "STRING",
            Self::Array(_) => "ARRAY",
            Self::Object(_) => "OBJECT",
        }
    }

    /// The member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Object(members) => members.get(name),
            _ => None,
        }
    }

    /// The text of a text node.
    pub(crate) fn text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads the first value of a text.
pub(crate) fn parse(bytes: &[u8]) -> Result<Node, TreeError> {
    let text = as_utf8(bytes);
    let mut reader = Reader {
        text: Input::new(&text, matches!(text, Cow::Owned(_))),
        at: 0,
        last: "null",
    };
    reader.skip_space()?;
    if reader.peek().is_none() {
        return Ok(Node::Missing);
    }
    reader.value(0, false)
}

pub(super) struct Reader<'t> {
    pub(super) text: Input<'t>,
    pub(super) at: usize,
    /// The last token, as Jackson names it where the input ends within the next.
    pub(super) last: &'static str,
}

impl Reader<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// `Unexpected character (…): <why>` at the current character.
    pub(super) fn unexpected(&self, why: &str) -> TreeError {
        self.unexpected_char(self.current_char(), why)
    }

    pub(super) fn unexpected_char(&self, c: char, why: &str) -> TreeError {
        let comment = "maybe a (non-standard) comment? (not recognized as one since Feature \
                       'ALLOW_COMMENTS' not enabled for parser)";
        let between = !why.starts_with("Expected space") && !why.contains("hex-digit");
        let why = if c == '/' && between { comment } else { why };
        let message = format!("Unexpected character ({}): {why}", character(c));
        TreeError::parse(self.text, self.at, message)
    }

    /// The current byte, which Jackson mostly takes for a character.
    pub(super) fn current_char(&self) -> char {
        if self.text.wide {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let text = String::from_utf8_lossy(rest.get(..rest.len().min(4)).unwrap_or(rest));
            return text.chars().next().unwrap_or(' ');
        }
        self.peek().map_or(' ', char::from)
    }

    /// The current character, consumed but for its last byte (`_decodeCharForError`).
    fn whole_char(&mut self) -> Result<char, TreeError> {
        let mut out = String::new();
        if !self.text.wide && self.peek().is_some_and(|byte| byte >= 0x80) {
            let byte = self.peek().unwrap_or_default();
            self.multibyte(byte, self.last, &mut out)?;
            self.at -= 1;
        }
        Ok(out.chars().next().unwrap_or_else(|| self.current_char()))
    }

    fn skip_space(&mut self) -> Result<(), TreeError> {
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                0..=31 => {
                    let message = format!(
                        "Illegal character ({}): only regular white space (\\r, \\n, \\t) is allowed \
                         between tokens",
                        character(char::from(byte))
                    );
                    return Err(TreeError::parse(self.text, self.at + 1, message));
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// A value at the current non-space character. `in_array` chooses Jackson's words.
    fn value(&mut self, depth: usize, in_array: bool) -> Result<Node, TreeError> {
        let node = self.any_value(depth, in_array)?;
        self.last = match &node {
            Node::Missing | Node::Null => "VALUE_NULL",
            Node::Boolean(true) => "VALUE_TRUE",
            Node::Boolean(false) => "VALUE_FALSE",
            Node::Integer(_) | Node::BigInteger(_) => "VALUE_NUMBER_INT",
            Node::Real(_) => "VALUE_NUMBER_FLOAT",
            Node::Text(_) => "VALUE_STRING",
            Node::Array(_) => "END_ARRAY",
            Node::Object(_) => "END_OBJECT",
        };
        Ok(node)
    }

    fn any_value(&mut self, depth: usize, in_array: bool) -> Result<Node, TreeError> {
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => {
                self.at += 1;
                Ok(Node::Text(self.string("VALUE_STRING")?))
            }
            Some(b'-' | b'0'..=b'9') => self.number(depth == 0),
            Some(b't') => self.literal("true", Node::Boolean(true)),
            Some(b'f') => self.literal("false", Node::Boolean(false)),
            Some(b'n') => self.literal("null", Node::Null),
            Some(b']') if depth == 0 => Err(TreeError::parse(
                self.text,
                self.at,
                "Unexpected close marker ']': no open Array to close",
            )),
            Some(b'}') if depth == 0 => Err(TreeError::parse(
                self.text,
                self.at,
                "Unexpected close marker '}': no open Object to close",
            )),
            _ => Err(self.bad_value(in_array)),
        }
    }

    fn open(&mut self, depth: usize) -> Result<usize, TreeError> {
        if depth > NESTING_MAX {
            return Err(TreeError::limit(format!(
                "Document nesting depth ({depth}) exceeds the maximum allowed ({NESTING_MAX}, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)"
            )));
        }
        let start = self.at;
        let array = self.peek() == Some(b'[');
        self.last = if array { "START_ARRAY" } else { "START_OBJECT" };
        self.at += 1;
        self.skip_space()?;
        Ok(start)
    }

    fn unclosed(&self, what: &str, start: usize) -> TreeError {
        let message = format!(
            "Unexpected end-of-input: expected close marker for {what} (start marker at {})",
            location(self.text, start)
        );
        TreeError::end(self.text, message)
    }

    fn wrong_close(&self, found: char, want: char, what: &str, start: usize) -> TreeError {
        let message = format!(
            "Unexpected close marker '{found}': expected '{want}' (for {what} starting at {})",
            location(self.text, start)
        );
        TreeError::parse(self.text, self.at, message)
    }

    fn array(&mut self, depth: usize) -> Result<Node, TreeError> {
        let start = self.open(depth)?;
        let mut items = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.unclosed("Array", start)),
                Some(b']') if items.is_empty() => {
                    self.at += 1;
                    return Ok(Node::Array(items));
                }
                Some(b'}') if items.is_empty() => {
                    return Err(self.wrong_close('}', ']', "Array", start));
                }
                _ => {}
            }
            items.push(self.value(depth, true)?);
            self.skip_space()?;
            match self.peek() {
                None => return Err(self.unclosed("Array", start)),
                Some(b']') => {
                    self.at += 1;
                    return Ok(Node::Array(items));
                }
                Some(b'}') => return Err(self.wrong_close('}', ']', "Array", start)),
                Some(b',') => self.at += 1,
                Some(_) => {
                    return Err(self.unexpected("was expecting comma to separate Array entries"));
                }
            }
            self.skip_space()?;
            if self.peek().is_none() {
                let message = "Unexpected end-of-input within/between Array entries";
                return Err(TreeError::parse(self.text, self.text.len(), message));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, TreeError> {
        let start = self.open(depth)?;
        let mut members = IndexMap::new();
        let mut first = true;
        loop {
            match self.peek() {
                None => return Err(self.unclosed("Object", start)),
                Some(b'}') if first => {
                    self.at += 1;
                    return Ok(Node::Object(members));
                }
                Some(b']') if first => return Err(self.wrong_close(']', '}', "Object", start)),
                Some(b'"') => self.at += 1,
                Some(_) => {
                    let c = self.whole_char()?;
                    let why = "was expecting double-quote to start field name";
                    return Err(self.unexpected_char(c, why));
                }
            }
            first = false;
            let name = self.name()?;
            self.last = "FIELD_NAME";
            let value = self.member(depth)?;
            members.insert(name, value);
            self.skip_space()?;
            match self.peek() {
                None => return Err(self.unclosed("Object", start)),
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Node::Object(members));
                }
                Some(b']') => return Err(self.wrong_close(']', '}', "Object", start)),
                Some(b',') => self.at += 1,
                Some(_) => {
                    return Err(self.unexpected("was expecting comma to separate Object entries"));
                }
            }
            self.skip_space()?;
            if self.peek().is_none() {
                let message = "Unexpected end-of-input within/between Object entries";
                return Err(TreeError::parse(self.text, self.text.len(), message));
            }
        }
    }

    /// The colon and the value of a member.
    fn member(&mut self, depth: usize) -> Result<Node, TreeError> {
        let end = "Unexpected end-of-input within/between Object entries";
        self.skip_space()?;
        match self.peek() {
            None => return Err(TreeError::end(self.text, end)),
            Some(b':') => self.at += 1,
            Some(_) => {
                let why = "was expecting a colon to separate field name and value";
                return Err(self.unexpected(why));
            }
        }
        self.skip_space()?;
        if self.peek().is_none() {
            return Err(TreeError::end(self.text, end));
        }
        self.value(depth, false)
    }

    /// The rest of a string after its opening quote.
    fn string(&mut self, token: &str) -> Result<Text, TreeError> {
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let run = rest
                .iter()
                .position(|b| *b < 32 || matches!(b, b'"' | b'\\') || *b >= 0x80)
                .unwrap_or(rest.len());
            out.push_str(
                std::str::from_utf8(rest.get(..run).unwrap_or_default()).unwrap_or_default(),
            );
            self.at += run;
            match self.peek() {
                None => {
                    let quote =
                        "Unexpected end-of-input: was expecting closing quote for a string value";
                    let message = match self.text.wide {
                        true => quote.to_owned(),
                        false => format!("Unexpected end-of-input in {token}"),
                    };
                    return Err(TreeError::end(self.text, message));
                }
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out.into());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(byte) if byte < 32 => {
                    return Err(self.unescaped(byte, "string value"));
                }
                Some(byte) => self.multibyte(byte, token, &mut out)?,
            }
        }
    }

    /// A control character stands as it is.
    pub(super) fn unescaped(&self, byte: u8, place: &str) -> TreeError {
        let message = format!(
            "Illegal unquoted character ({}): has to be escaped using backslash to be included in \
             {place}",
            character(char::from(byte))
        );
        TreeError::parse(self.text, self.at, message)
    }

    /// One character of several bytes, with the laxness of Jackson: overlong forms pass.
    pub(super) fn multibyte(
        &mut self,
        first: u8,
        token: &str,
        out: &mut String,
    ) -> Result<(), TreeError> {
        let (length, mut code) = match first {
            0xc0..=0xdf => (2, u32::from(first & 0x1f)),
            0xe0..=0xef => (3, u32::from(first & 0x0f)),
            0xf0..=0xf7 => (4, u32::from(first & 0x07)),
            _ => {
                let message = format!("Invalid UTF-8 start byte 0x{first:x}");
                return Err(TreeError::parse(self.text, self.at + 1, message));
            }
        };
        for index in 1..length {
            let at = self.at + index;
            match self.text.get(at) {
                Some(byte) if byte & 0xc0 == 0x80 => code = code << 6 | u32::from(byte & 0x3f),
                Some(byte) => {
                    let message = format!("Invalid UTF-8 middle byte 0x{byte:x}");
                    return Err(TreeError::middle(self.text, at + 1, message));
                }
                None => {
                    let message = format!("Unexpected end-of-input in {token}");
                    return Err(TreeError::end(self.text, message));
                }
            }
        }
        if (0xd800..0xe000).contains(&code) {
            let message = format!("Invalid UTF-8: Illegal surrogate character 0x{code:x}");
            return Err(TreeError::parse(self.text, self.at + length, message));
        }
        self.at += length;
        match char::from_u32(code) {
            Some(c) => out.push(c),
            // Beyond Unicode Java holds two units that no writer can express.
            None => out.push_str("??"),
        }
        Ok(())
    }

    /// What a backslash, already read, stands for: a unit of UTF-16.
    pub(super) fn escaped_unit(&mut self) -> Result<u32, TreeError> {
        let Some(byte) = self.peek() else {
            let message = "Unexpected end-of-input in character escape sequence";
            return Err(TreeError::end(self.text, message));
        };
        let simple = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.at += 1;
                return self.hex();
            }
            _ => {
                let c = character(self.whole_char()?);
                let message = format!("Unrecognized character escape {c}");
                return Err(TreeError::parse(self.text, self.at, message));
            }
        };
        self.at += 1;
        Ok(u32::from(simple))
    }

    fn escape(&mut self, out: &mut String) -> Result<(), TreeError> {
        let unit = self.escaped_unit()?;
        if (0xd800..0xdc00).contains(&unit) {
            let rest = self.text.get(self.at..).unwrap_or_default();
            if rest.starts_with(b"\\u") {
                let back = self.at;
                self.at += 2;
                let low = self.hex()?;
                if (0xdc00..0xe000).contains(&low) {
                    let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                    out.push(char::from_u32(code).unwrap_or('?'));
                    return Ok(());
                }
                self.at = back;
            }
        }
        // An unpaired surrogate is a `?` for every writer of UTF-8.
        out.push(char::from_u32(unit).unwrap_or('?'));
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, TreeError> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(byte) = self.peek() else {
                let message = "Unexpected end-of-input in character escape sequence";
                return Err(TreeError::end(self.text, message));
            };
            let Some(digit) = char::from(byte).to_digit(16) else {
                let why = "expected a hex-digit for character escape sequence";
                return Err(self.unexpected(why));
            };
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at - start
    }

    pub(super) fn bad_number(&self, at: usize, found: char, why: &str) -> TreeError {
        let message = format!(
            "Unexpected character ({}) in numeric value: {why}",
            character(found)
        );
        TreeError::parse(self.text, at, message)
    }

    fn number(&mut self, root: bool) -> Result<Node, TreeError> {
        let start = self.at;
        let eof = format!("Unexpected end-of-input in {}", self.last);
        let minus = "expected digit (0-9) to follow minus sign, for valid numeric value";
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.digits() == 0 {
            return Err(match self.peek() {
                None if self.text.wide => {
                    TreeError::end(self.text, "Unexpected end-of-inputNo digit following sign")
                }
                None => TreeError::end(self.text, eof),
                Some(b'I') => self.infinity(start, minus),
                // Jackson could read numbers that begin with a point, and is told not to.
                Some(b'.') => self.not_a_value('.'),
                Some(_) => self.bad_number(self.at, self.current_char(), minus),
            });
        }
        let mut real = false;
        if self.peek() == Some(b'.') {
            real = true;
            self.at += 1;
            if self.digits() == 0 {
                let why = "Decimal point not followed by a digit";
                return Err(match self.peek() {
                    None => self.bad_number(self.at - 1, '.', why),
                    Some(_) => self.bad_number(self.at, self.current_char(), why),
                });
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            real = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                let why = "Exponent indicator not followed by a digit";
                return Err(match self.peek() {
                    None if self.text.wide => {
                        let message = "Unexpected end-of-inputexpected a digit for number exponent";
                        TreeError::end(self.text, message)
                    }
                    None => TreeError::end(self.text, eof),
                    Some(_) => self.bad_number(self.at, self.current_char(), why),
                });
            }
        }
        if root && !matches!(self.peek(), None | Some(b' ' | b'\t' | b'\r' | b'\n')) {
            return Err(self.unexpected("Expected space separating root-level values"));
        }
        self.number_node(start, real)
    }

    fn number_node(&self, start: usize, real: bool) -> Result<Node, TreeError> {
        let text = self.text.get(start..self.at).unwrap_or_default();
        let text = std::str::from_utf8(text).unwrap_or_default();
        let digits = text.bytes().filter(|b| b.is_ascii_alphanumeric()).count();
        let length = if real { text.len() } else { digits };
        if length > NUMBER_LENGTH_MAX {
            return Err(TreeError::limit(format!(
                "Number value length ({length}) exceeds the maximum allowed ({NUMBER_LENGTH_MAX}, \
                 from `StreamReadConstraints.getMaxNumberLength()`)"
            )));
        }
        if real {
            return Decimal::parse(text).map(Node::Real).map_err(|error| {
                // Jackson has skipped leading zeros.
                let (sign, rest) = text.split_at(usize::from(text.starts_with('-')));
                let rest = match rest.trim_start_matches('0') {
                    short if short.starts_with(|c: char| c.is_ascii_digit()) => short,
                    _ => rest,
                };
                TreeError::number(format!(
                    "Value \"{sign}{rest}\" can not be deserialized as `java.math.BigDecimal`, reason:  \
                     {error}"
                ))
            });
        }
        Ok(match text.parse::<i64>() {
            Ok(number) => Node::Integer(number),
            Err(_) => Node::BigInteger(text.parse().unwrap_or_default()),
        })
    }
}
