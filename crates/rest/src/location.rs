//! Names in URLs that this server writes: `Location` and forwarded paths, encoded as Java's `UriBuilder` does.

use crate::error::RestError;

// What stays literal beside letters, digits, `-`, `.`, `_` (oracle "Creating and configuring").
const LITERAL: &[u8] = b"-._~+&=:@,$*()'!;/";

/// A connector's name as it stands in a URL: `/` stays, a valid `%XX` stays, everything else that needs it is
/// encoded. `Err` names a template variable, which Java cannot resolve.
///
/// # Errors
/// The name holds `{variable}`.
pub fn encode_segment(name: &str) -> Result<String, String> {
    use std::fmt::Write;
    let bytes = name.as_bytes();
    let mut text = String::with_capacity(name.len());
    for (at, byte) in bytes.iter().copied().enumerate() {
        let hex = |offset: usize| bytes.get(at + offset).is_some_and(u8::is_ascii_hexdigit);
        if byte == b'{'
            && let Some(rest) = name.get(at + 1..)
            && let Some((variable, _)) = rest.split_once('}')
        {
            return Err(variable.trim().to_owned());
        }
        if byte.is_ascii_alphanumeric()
            || LITERAL.contains(&byte)
            || (byte == b'%' && hex(1) && hex(2))
        {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    Ok(text)
}

/// As [`encode_segment`], with Java's error.
pub(crate) fn encoded(name: &str) -> Result<String, RestError> {
    encode_segment(name).map_err(|variable| {
        RestError::failed(format!("The template variable '{variable}' has no value"))
    })
}

#[cfg(test)]
mod tests {
    use super::encode_segment;

    #[test]
    fn names_are_encoded_as_java_encodes_them() {
        assert_eq!(encode_segment("a b+c/d").unwrap(), "a%20b+c/d");
        assert_eq!(encode_segment("50%25%").unwrap(), "50%25%25");
        assert_eq!(encode_segment("é[\\]").unwrap(), "%C3%A9%5B%5C%5D");
        assert_eq!(encode_segment("a{b}c").unwrap_err(), "b");
    }
}
