//! Small scanners shared by the fast and the slow way.

/// `TextNode.getBinaryValue`: standard base64 with padding, white space between groups of four is
/// skipped; nothing when it is malformed.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.trim_matches(|c| c <= ' ').bytes();
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    loop {
        let first = loop {
            match bytes.next() {
                None => return Some(out),
                Some(byte) if byte <= b' ' => {}
                Some(byte) => break sextet(byte)?,
            }
        };
        let mut word = first << 6 | sextet(bytes.next()?)?;
        match bytes.next()? {
            b'=' => {
                if bytes.next()? != b'=' {
                    return None;
                }
                out.push(low_byte(word >> 4));
                continue;
            }
            byte => word = word << 6 | sextet(byte)?,
        }
        match bytes.next()? {
            b'=' => {
                let word = word >> 2;
                out.push(low_byte(word >> 8));
                out.push(low_byte(word));
            }
            byte => {
                let word = word << 6 | sextet(byte)?;
                out.push(low_byte(word >> 16));
                out.push(low_byte(word >> 8));
                out.push(low_byte(word));
            }
        }
    }
}

fn low_byte(word: u32) -> u8 {
    word.to_le_bytes()[0]
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}
