//! Words of a JSON text: `true`, `false`, `null`, and what Jackson says of anything else that stands
//! where a value is expected (`_handleUnexpectedValue`, `_matchToken2`, `_reportInvalidToken`).

use super::{
    tree::{Node, Reader},
    tree_error::{TreeError, character},
};

const EXPECTED_TOKEN: &str =
    "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Jackson's limit of an unknown word in a message.
const TOKEN_LENGTH_MAX: usize = 256;

impl Reader<'_> {
    /// The error of a value that begins with no character of a value.
    pub(super) fn bad_value(&mut self, in_array: bool) -> TreeError {
        match self.peek() {
            // Closing brackets in their place were seen before.
            Some(b',' | b'}') if !self.text.wide => self.unexpected("expected a value"),
            Some(b']') if in_array && !self.text.wide => self.unexpected("expected a value"),
            Some(b'+') => {
                let start = self.at;
                self.at += 1;
                let plus = "JSON spec does not allow numbers to have plus signs: enable \
                            `JsonReadFeature.ALLOW_LEADING_PLUS_SIGN_FOR_NUMBERS` to allow";
                match self.peek() {
                    None => TreeError::end(self.text, "Unexpected end-of-input in a Number value"),
                    Some(b'I') => self.infinity(start, plus),
                    Some(_) => self.bad_number(self.at, '+', plus),
                }
            }
            Some(_) if self.text.wide => {
                let c = self.current_char();
                match c.is_alphabetic() || matches!(c, '_' | '$' | '\u{a2}'..='\u{a5}') {
                    true => self.bad_word(self.at, c.len_utf8()),
                    false => self.unexpected(&format!("expected a valid value {EXPECTED_TOKEN}")),
                }
            }
            Some(byte) if starts_word(byte) => self.bad_word(self.at, 1),
            _ => self.unexpected(&format!("expected a valid value {EXPECTED_TOKEN}")),
        }
    }

    /// A sign before an `I`: the words for infinity are known, but not allowed.
    pub(super) fn infinity(&self, start: usize, why: &str) -> TreeError {
        let rest = self.text.get(start..).unwrap_or_default();
        let plus = rest.first() == Some(&b'+');
        let words = if plus {
            ["+INF", "+Infinity"]
        } else {
            ["-INF", "-Infinity"]
        };
        let word = match rest.get(2) {
            None => {
                return TreeError::end(self.text, "Unexpected end-of-input in a Number value");
            }
            Some(b'N') => words[0],
            Some(b'n') => words[1],
            // Jackson tells the character after the `I`, but the plus whatever follows.
            Some(_) if plus => return self.bad_number(start + 2, '+', why),
            Some(byte) => return self.bad_number(start + 2, char::from(*byte), why),
        };
        let same = rest.iter().zip(word.as_bytes()).take_while(|(a, b)| a == b);
        let matched = same.count();
        if matched < word.len() {
            return self.bad_word(start, matched);
        }
        let message = format!(
            "Non-standard token '{word}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
        );
        TreeError::parse(self.text, start + word.len(), message)
    }

    /// A character just read that begins no value.
    pub(super) fn not_a_value(&self, c: char) -> TreeError {
        let message = format!(
            "Unexpected character ({}): expected a valid value {EXPECTED_TOKEN}",
            character(c)
        );
        TreeError::parse(self.text, self.at, message)
    }

    /// `Unrecognized token '…'`: the bytes that matched, each a character, then as long as the
    /// characters could be of an identifier.
    fn bad_word(&self, start: usize, matched: usize) -> TreeError {
        let head = self.text.get(start..start + matched).unwrap_or_default();
        let mut word: String = match self.text.wide {
            true => String::from_utf8_lossy(head).into_owned(),
            false => head.iter().map(|byte| char::from(*byte)).collect(),
        };
        let mut length = matched;
        let mut reader = Reader {
            text: self.text,
            at: start + matched,
            last: self.last,
        };
        while let Some(byte) = reader.peek() {
            let mut next = String::new();
            if byte < 0x80 {
                next.push(char::from(byte));
                reader.at += 1;
            } else if let Err(error) = reader.multibyte(byte, self.last, &mut next) {
                return error;
            }
            if !next.chars().all(continues_word) {
                break;
            }
            word.push_str(&next);
            length += 1;
            if length >= TOKEN_LENGTH_MAX {
                word.push_str("...");
                break;
            }
        }
        if matches!(word.as_str(), "NaN" | "Infinity") {
            let message = format!(
                "Non-standard token '{word}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to \
                 allow"
            );
            return TreeError::parse(self.text, start + word.len(), message);
        }
        let message = format!("Unrecognized token '{word}': was expecting {EXPECTED_TOKEN}");
        TreeError::parse(self.text, start, message)
    }

    /// One of the three words; what follows must not go on as an identifier.
    pub(super) fn literal(&mut self, word: &str, node: Node) -> Result<Node, TreeError> {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        let same = rest.iter().zip(word.as_bytes()).take_while(|(a, b)| a == b);
        let matched = same.count();
        if matched < word.len() {
            return Err(self.bad_word(start, matched));
        }
        self.at += matched;
        match self.peek() {
            None | Some(..b'0' | b']' | b'}') => Ok(node),
            Some(byte) if byte < 0x80 && continues_word(char::from(byte)) => {
                Err(self.bad_word(start, matched))
            }
            Some(..0x80) => Ok(node),
            Some(_) if self.text.wide => match continues_word(self.current_char()) {
                true => Err(self.bad_word(start, matched)),
                false => Ok(node),
            },
            // Jackson reads the first byte of a character twice here, so that it never fits.
            Some(byte @ 0xc0..=0xf7) => {
                let message = format!("Invalid UTF-8 middle byte 0x{byte:x}");
                Err(TreeError::parse(self.text, self.at + 1, message))
            }
            Some(byte) => {
                let message = format!("Invalid UTF-8 start byte 0x{byte:x}");
                Err(TreeError::parse(self.text, self.at, message))
            }
        }
    }
}

/// `Character.isJavaIdentifierStart` of a byte taken as a character of Latin-1.
fn starts_word(byte: u8) -> bool {
    char::from(byte).is_alphabetic() || matches!(byte, b'_' | b'$' | 0xa2..=0xa5)
}

/// `Character.isJavaIdentifierPart`, which also takes most control characters.
fn continues_word(c: char) -> bool {
    match c {
        '_' | '$' | '\0'..='\u{8}' | '\u{e}'..='\u{1b}' | '\u{7f}'..='\u{9f}' | '\u{ad}' => true,
        '\u{a2}'..='\u{a5}' => true,
        // Superscripts and fractions are numbers, but no digits.
        '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{bc}'..='\u{be}' => false,
        '\u{2070}' | '\u{2074}'..='\u{2079}' | '\u{2080}'..='\u{2089}' => false,
        // Characters of format are ignored within names.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        // Jackson cuts characters to 16 bits here.
        '\u{10000}'.. => char::from_u32(u32::from(c) & 0xffff).is_some_and(char::is_alphanumeric),
        c => c.is_alphanumeric(),
    }
}
