//! Names of members as Jackson decodes them: first all bytes up to the closing quote, then the characters
//! (`UTF8StreamJsonParser.parseEscapedName`, `addName`). What is wrong with a character is therefore
//! said at the end of the name, and in Jackson's own arithmetic of four bytes.

use milena_data::Text;

use super::{tree::Reader, tree_error::TreeError};

/// Jackson's limit of a member's name.
const NAME_LENGTH_MAX: usize = 50_000;

impl Reader<'_> {
    /// A name after its opening quote.
    pub(super) fn name(&mut self) -> Result<Text, TreeError> {
        if self.peek().is_none() && !self.text.wide {
            let message = "Unexpected end-of-input: was expecting closing '\"' for name";
            return Err(TreeError::end(self.text, message));
        }
        let mut bytes = Vec::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let ends = |byte: &u8| *byte < 32 || matches!(byte, b'"' | b'\\');
            let run = rest.iter().position(ends).unwrap_or(rest.len());
            bytes.extend_from_slice(rest.get(..run).unwrap_or_default());
            self.at += run;
            match self.peek() {
                None => {
                    let message = "Unexpected end-of-input in field name";
                    return Err(TreeError::end(self.text, message));
                }
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    let c = self.escape_in_name()?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) => return Err(self.unescaped(byte, "name")),
            }
        }
        self.at += 1;
        if bytes.len() > NAME_LENGTH_MAX {
            return Err(TreeError::limit(format!(
                "Name length ({}) exceeds the maximum allowed ({NAME_LENGTH_MAX}, from \
                 `StreamReadConstraints.getMaxNameLength()`)",
                bytes.len()
            )));
        }
        match String::from_utf8(bytes) {
            Ok(name) => Ok(name.into()),
            Err(error) => self.odd_name(error.as_bytes()),
        }
    }

    /// Halves of surrogate pairs are errors here, not in strings.
    fn escape_in_name(&mut self) -> Result<char, TreeError> {
        let wrong =
            |reader: &Self, message: String| Err(TreeError::parse(reader.text, reader.at, message));
        let unit = self.escaped_unit()?;
        match unit {
            0xd800..0xdc00 => {
                match self.peek() {
                    None => {
                        let message = "Unexpected end-of-input in field name";
                        return Err(TreeError::end(self.text, message));
                    }
                    Some(b'\\') => self.at += 1,
                    Some(byte) => {
                        let message = format!(
                            "Broken surrogate pair in field name: expected '\\' to start low \
                             surrogate, got 0x{byte:x}"
                        );
                        return wrong(self, message);
                    }
                }
                let low = self.escaped_unit()?;
                if !(0xdc00..0xe000).contains(&low) {
                    let message = format!(
                        "Broken surrogate pair in field name: expected low surrogate, got \
                         0x{low:04X}"
                    );
                    return wrong(self, message);
                }
                let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                Ok(char::from_u32(code).unwrap_or('?'))
            }
            0xdc00..0xe000 => {
                let message = format!("Unexpected low surrogate in field name: 0x{unit:x}");
                wrong(self, message)
            }
            _ => Ok(char::from_u32(unit).unwrap_or('?')),
        }
    }

    /// A name that is no UTF-8, as Jackson reads it, or its error.
    fn odd_name(&self, bytes: &[u8]) -> Result<Text, TreeError> {
        let wrong = |message: String| Err(TreeError::parse(self.text, self.at, message));
        // A byte with those of its group of four before it, as they lie in a number of 32 bits.
        let shifted = |at: usize| -> u32 {
            let group = bytes.get(at / 4 * 4..=at).unwrap_or_default();
            let number = group
                .iter()
                .fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
            let missing = 8 * (3 - at % 4);
            // The shift that took it there kept the sign.
            ((number << missing).cast_signed() >> missing).cast_unsigned()
        };
        let mut units: Vec<u16> = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(first) = bytes.get(at).copied() {
            at += 1;
            let (more, mut code) = match first {
                ..0x80 => (0, u32::from(first)),
                0xc0..=0xdf => (1, u32::from(first & 0x1f)),
                0xe0..=0xef => (2, u32::from(first & 0x0f)),
                0xf0..=0xf7 => (3, u32::from(first & 0x07)),
                _ => return wrong(format!("Invalid UTF-8 start byte 0x{first:x}")),
            };
            if at + more > bytes.len() {
                let message = "Unexpected end-of-input in field name";
                return Err(TreeError::end_at(self.text, self.at, message));
            }
            for index in 0..more {
                let found = shifted(at);
                at += 1;
                if found & 0xc0 != 0x80 {
                    let shown = if index == 2 { found & 0xff } else { found };
                    return wrong(format!("Invalid UTF-8 middle byte 0x{shown:x}"));
                }
                code = code << 6 | (found & 0x3f);
            }
            let low_half = |code: u32| u16::try_from(code & 0xffff).unwrap_or_default();
            if more == 3 {
                let code = code.wrapping_sub(0x1_0000);
                let high = (code.cast_signed() >> 10).cast_unsigned();
                units.push(low_half(0xd800_u32.wrapping_add(high)));
                units.push(low_half(0xdc00 | (code & 0x3ff)));
            } else {
                units.push(low_half(code));
            }
        }
        let text: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or('?'))
            .collect();
        Ok(text.into())
    }
}
