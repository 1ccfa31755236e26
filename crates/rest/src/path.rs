//! Request paths as Jetty 12 reads them: what is ambiguous is refused before anything is routed (oracle "HTTP
//! layer"). Each segment is decoded once; `+` stays; matrix parameters are cut off.

/// A path that is refused with a 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPath(pub(crate) &'static str);

/// The decoded segments; a trailing slash makes no difference.
pub(crate) fn segments(raw: &str) -> Result<Vec<String>, BadPath> {
    let inner = raw.strip_prefix('/').unwrap_or(raw);
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    let inner = match inner.rsplit_once('/') {
        // What is cut off a last segment that has no name leaves a trailing slash.
        Some((before, "")) => before,
        Some((before, last)) if last.starts_with(';') => before,
        None if inner.starts_with(';') => return Ok(Vec::new()),
        _ => inner,
    };
    inner.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<String, BadPath> {
    let plain = raw.split(';').next().unwrap_or_default();
    if plain.is_empty() {
        return Err(BadPath(match raw.is_empty() {
            true => "Ambiguous URI empty segment",
            false => "Ambiguous URI path parameter",
        }));
    }
    // None of these may stand in a path as it is (RFC 3986).
    if plain.contains(['|', '^', '{', '}', '\\', '"', '[', ']', '<', '>', '`']) {
        return Err(BadPath("Illegal Path Character"));
    }
    if !plain.contains('%') {
        return Ok(plain.to_owned());
    }
    let mut bytes = Vec::with_capacity(plain.len());
    let mut rest = plain.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|c| char::from(c).to_digit(16));
        let pair = digit()
            .zip(digit())
            .and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        match pair.ok_or(BadPath("Bad URI encoding"))? {
            b'/' => return Err(BadPath("Ambiguous URI path separator")),
            b'%' => return Err(BadPath("Ambiguous URI path encoding")),
            b'\\' => return Err(BadPath("Suspicious Path Character")),
            control if control < 0x20 || control == 0x7f => {
                return Err(BadPath("Illegal Path Character"));
            }
            decoded => bytes.push(decoded),
        }
    }
    if bytes == b"." || bytes == b".." {
        return Err(BadPath("Ambiguous URI path segment"));
    }
    String::from_utf8(bytes).map_err(|_| BadPath("Bad URI encoding"))
}

#[cfg(test)]
mod tests {
    use super::{BadPath, segments};

    #[test]
    fn paths_are_read_as_jetty_reads_them() {
        assert_eq!(segments("/").unwrap(), Vec::<String>::new());
        assert_eq!(segments("/connectors/").unwrap(), ["connectors"]);
        assert_eq!(
            segments("/connectors/a%20b+c;x=y/status").unwrap(),
            ["connectors", "a b+c", "status"]
        );
        assert_eq!(
            segments("/connectors/a%3Bb").unwrap(),
            ["connectors", "a;b"]
        );
        let bad = |path: &str| segments(path).unwrap_err();
        assert_eq!(bad("//"), BadPath("Ambiguous URI empty segment"));
        assert_eq!(
            bad("/connectors//x"),
            BadPath("Ambiguous URI empty segment")
        );
        assert_eq!(bad("/a%2Fb"), BadPath("Ambiguous URI path separator"));
        assert_eq!(bad("/a%25b"), BadPath("Ambiguous URI path encoding"));
        assert_eq!(bad("/%2e%2E"), BadPath("Ambiguous URI path segment"));
        assert_eq!(
            segments("/connectors/../health").unwrap(),
            ["connectors", "..", "health"]
        );
    }
}
