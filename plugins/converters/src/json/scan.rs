//! Small scanners shared by the fast and the slow way.

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
