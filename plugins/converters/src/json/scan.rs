//! Small scanners shared by the fast and the slow way.

/// The lowest bit of each byte of a word.
const LOW: u64 = 0x0101_0101_0101_0101;
/// The highest.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Not zero where some byte of a word is a quote, a backslash or a control character. Bytes above the first may be
/// marked in error.
fn quoted(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(LOW) & !word;
    let control = word.wrapping_sub(LOW * 0x20) & !word;
    (zero(word ^ (LOW * 0x22)) | zero(word ^ (LOW * 0x5c)) | control) & HIGH
}

/// How many bytes at the beginning no test holds for; `any` looks at eight at once and may say yes in error.
fn before(bytes: &[u8], any: impl Fn(u64) -> bool, one: impl FnMut(&u8) -> bool) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    let clean = words
        .iter()
        .take_while(|word| !any(u64::from_le_bytes(**word)));
    let at = clean.count() * 8;
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(one).unwrap_or(rest.len())
}

/// The length of what may stand in a JSON string as it is, as Jackson writes it: characters of four bytes may not.
pub(crate) fn written_plain(bytes: &[u8]) -> usize {
    let any = |word: u64| {
        let four = word & word << 1 & word << 2 & word << 3 & HIGH;
        quoted(word) | four != 0
    };
    before(bytes, any, |byte| {
        *byte < 32 || *byte == b'"' || *byte == b'\\' || *byte >= 0xf0
    })
}

/// The length of what stands in a JSON string as it is, when it is read.
pub(crate) fn read_plain(bytes: &[u8]) -> usize {
    before(
        bytes,
        |word| quoted(word) != 0,
        |byte| *byte < 32 || *byte == b'"' || *byte == b'\\',
    )
}

/// `TextNode.getBinaryValue`: standard base64 with padding, white space between groups of four is
/// skipped; Jackson's words when it is malformed.
pub(crate) fn base64(text: &str) -> Result<Vec<u8>, String> {
    let mut chars = text.trim_matches(|c| c <= ' ').chars();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let end = || {
        "Unexpected end of base64-encoded String: base64 variant 'MIME-NO-LINEFEEDS' expects padding \
         (one or more '=' characters) at the end. This Base64Variant might have been incorrectly \
         configured"
            .to_owned()
    };
    loop {
        let first = loop {
            match chars.next() {
                None => return Ok(out),
                Some(c) if c <= ' ' => {}
                Some(c) => break sextet(c, 1)?,
            }
        };
        let mut word = first << 6 | sextet(chars.next().ok_or_else(end)?, 2)?;
        match chars.next().ok_or_else(end)? {
            '=' => {
                let c = chars.next().ok_or_else(end)?;
                if c != '=' {
                    return Err(format!("{}: expected padding character '='", illegal(c, 4)));
                }
                out.push(low_byte(word >> 4));
                continue;
            }
            c => word = word << 6 | sextet(c, 3)?,
        }
        match chars.next().ok_or_else(end)? {
            '=' => {
                let word = word >> 2;
                out.push(low_byte(word >> 8));
                out.push(low_byte(word));
            }
            c => {
                let word = word << 6 | sextet(c, 4)?;
                out.push(low_byte(word >> 16));
                out.push(low_byte(word >> 8));
                out.push(low_byte(word));
            }
        }
    }
}

/// As [`base64`] for a short text without white space, in place; `None`: it is something else.
pub(crate) fn base64_short<'p>(text: &[u8], place: &'p mut [u8; 12]) -> Option<&'p [u8]> {
    let (groups, rest) = text.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let mut length = 0;
    for (index, group) in groups.iter().enumerate() {
        let padding = match group {
            _ if index + 1 < groups.len() => 0,
            [_, _, b'=', b'='] => 2,
            [_, _, _, b'='] => 1,
            _ => 0,
        };
        let mut word = 0;
        for (at, byte) in group.iter().enumerate() {
            let padded = at >= 4 - padding;
            word = word << 6
                | if padded {
                    0
                } else {
                    sextet(char::from(*byte), 1).ok()?
                };
        }
        let bytes = word.to_be_bytes();
        let bytes = bytes.get(1..4 - padding)?;
        place
            .get_mut(length..length + bytes.len())?
            .copy_from_slice(bytes);
        length += bytes.len();
    }
    place.get(..length)
}

/// `Base64Variant._reportInvalidBase64`: a character at a place of its group.
fn illegal(c: char, place: usize) -> String {
    // Java looks at units of UTF-16.
    let unit = c.encode_utf16(&mut [0; 2]).first().copied().unwrap_or(0);
    match c {
        ..=' ' => format!(
            "Illegal white space character (code 0x{unit:x}) as character #{place} of 4-char base64 \
             unit: can only used between units"
        ),
        '=' => format!(
            "Unexpected padding character ('=') as character #{place} of 4-char base64 unit: padding \
             only legal as 3rd or 4th character"
        ),
        c if c.is_control() => format!("Illegal character (code 0x{unit:x}) in base64 content"),
        c => {
            let shown = if c > '\u{ffff}' { '?' } else { c };
            format!("Illegal character '{shown}' (code 0x{unit:x}) in base64 content")
        }
    }
}

fn low_byte(word: u32) -> u8 {
    word.to_le_bytes()[0]
}

fn sextet(c: char, place: usize) -> Result<u32, String> {
    Ok(match c {
        'A'..='Z' => u32::from(c) - u32::from('A'),
        'a'..='z' => u32::from(c) - u32::from('a') + 26,
        '0'..='9' => u32::from(c) - u32::from('0') + 52,
        '+' => 62,
        '/' => 63,
        _ => return Err(illegal(c, place)),
    })
}

#[cfg(test)]
mod tests {
    use super::{base64, base64_short, read_plain, written_plain};

    #[test]
    fn short_texts_of_base64_are_as_others() {
        let mut place = [0; 12];
        for text in [
            "",
            "AA==",
            "/w==",
            "//8=",
            "AAEC",
            "AAECAw==",
            "AAECAwQFBgcICQoL",
            "QR==",
            "Zm9vYmFy",
        ] {
            let found = base64_short(text.as_bytes(), &mut place).unwrap();
            assert_eq!(found, base64(text).unwrap(), "{text}");
        }
        for text in [
            "A",
            "AA=",
            "A===",
            "AA==AA==",
            " AA=",
            "AA\u{e9}",
            "AAECAwQFBgcICQoLDA==",
        ] {
            assert_eq!(base64_short(text.as_bytes(), &mut place), None, "{text}");
        }
    }

    #[test]
    fn eight_bytes_at_once_are_as_one_after_the_other() {
        let special = |byte: u8| byte < 32 || byte == b'"' || byte == b'\\';
        for byte in 0..=255_u8 {
            for at in 0..19 {
                // What comes behind must not matter, nor bytes that are nearly special.
                for around in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xef] {
                    let mut bytes = vec![around; 19];
                    bytes[at] = byte;
                    let length = if special(byte) { at } else { 19 };
                    assert_eq!(read_plain(&bytes), length, "{byte} at {at} in {around}");
                    let length = if special(byte) || byte >= 0xf0 {
                        at
                    } else {
                        19
                    };
                    assert_eq!(written_plain(&bytes), length, "{byte} at {at} in {around}");
                }
            }
        }
    }
}
