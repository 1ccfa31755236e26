//! Java `.properties` files, as `java.util.Properties.load` reads them: comments, `=`, `:` or white space
//! between key and value, continuation lines, escapes.
//!
//! Input is bounded: [`MAX_FILE_BYTES`] and [`MAX_LINE_CHARS`]. Errors name file and line, never a value.

use std::path::{Path, PathBuf};

use crate::Props;

/// The largest file that is read; a configuration of this size is a mistake.
pub const MAX_FILE_BYTES: u64 = 16 << 20;
/// The longest logical line (continuations included), room for a chain of certificates.
pub const MAX_LINE_CHARS: usize = 1 << 20;

/// How the bytes of a file stand for characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// `Properties.load(InputStream)`: worker and connector files.
    Latin1,
    /// `Properties.load(Reader)`: what the file config provider reads.
    Utf8,
}

/// A file that cannot be used as a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is too large to be a configuration.
    #[error("{} is larger than {MAX_FILE_BYTES} bytes, which no configuration needs", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line is malformed.
    #[error("{}, line {line}: {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line where the entry begins, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// A malformed entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct PropertiesError {
    /// The line where the entry begins, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads a properties file.
///
/// # Errors
/// The file cannot be read, is too large or malformed.
pub fn read_properties(path: &Path) -> Result<Props, ConfigFileError> {
    let unreadable = |source| ConfigFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE_BYTES {
        return Err(ConfigFileError::TooLarge {
            path: path.to_owned(),
        });
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    parse_properties(&bytes, Charset::Latin1).map_err(|error| ConfigFileError::Malformed {
        path: path.to_owned(),
        line: error.line,
        what: error.what,
    })
}

/// Parses the content of a properties file; a later entry of the same key wins.
///
/// # Errors
/// A malformed escape, a line that is too long, or text that is not in the charset.
pub fn parse_properties(bytes: &[u8], charset: Charset) -> Result<Props, PropertiesError> {
    let text = match charset {
        Charset::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
        Charset::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
    };
    let mut props = Props::new();
    let mut lines = natural_lines(&text);
    while let Some((line, first)) = lines.next() {
        let mut logical = first.trim_start_matches(is_blank).to_owned();
        if logical.is_empty() || logical.starts_with(['#', '!']) {
            continue;
        }
        while ends_in_continuation(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
            if logical.len() > MAX_LINE_CHARS {
                break;
            }
        }
        if logical.len() > MAX_LINE_CHARS {
            return Err(PropertiesError {
                line,
                what: "the line is longer than a configuration needs",
            });
        }
        let (key, value) = split(&logical);
        let what = "malformed \\uxxxx encoding; write four hexadecimal digits after \\u";
        let error = || PropertiesError { line, what };
        let key = unescape(key).ok_or_else(error)?;
        let value = unescape(value).ok_or_else(error)?;
        props.insert(key, value);
    }
    Ok(props)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn natural_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = Some(text);
    let mut number = 0;
    std::iter::from_fn(move || {
        let now = rest?;
        number += 1;
        match now.find(['\n', '\r']) {
            None => {
                rest = None;
                Some((number, now))
            }
            Some(at) => {
                let (line, tail) = now.split_at(at);
                let tail = tail
                    .strip_prefix("\r\n")
                    .or_else(|| tail.strip_prefix(['\n', '\r']));
                rest = tail;
                Some((number, line))
            }
        }
    })
}

fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// Key and value of a logical line: split at the first unescaped `=`, `:` or blank.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let found = !escaped && (is_blank(*c) || matches!(c, '=' | ':'));
            escaped = *c == '\\' && !escaped;
            found
        })
        .map_or(line.len(), |(at, _)| at);
    let (key, rest) = line.split_at(end);
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    // Escapes name UTF-16 units, so that pairs of surrogates come together again.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    let mut buffer = [0; 2];
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('u') => {
                    let mut unit: u16 = 0;
                    for _ in 0..4 {
                        let digit = chars.next()?.to_digit(16)?;
                        unit = unit << 4 | u16::try_from(digit).ok()?;
                    }
                    units.push(unit);
                    continue;
                }
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('f') => '\u{c}',
                Some(other) => other,
                None => break,
            },
            plain => plain,
        };
        units.extend_from_slice(c.encode_utf16(&mut buffer));
    }
    Some(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::{Charset, parse_properties};

    fn parse(text: &str) -> Vec<(String, String)> {
        parse_properties(text.as_bytes(), Charset::Utf8)
            .unwrap()
            .into_iter()
            .collect()
    }

    #[test]
    fn the_forms_of_java_are_read() {
        let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
            all.iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect()
        };
        assert_eq!(
            parse(
                "# c\n! c\n a = b \nc:d\ne f\ng\n\nh=\\\n  1,\\\n\t2\ni\\=j=k\\:l\r\nm=\\u00e9\\ud83d\\ude00\nn=a\\\\"
            ),
            pairs(&[
                ("a", "b "),
                ("c", "d"),
                ("e", "f"),
                ("g", ""),
                ("h", "1,2"),
                ("i=j", "k:l"),
                ("m", "é😀"),
                ("n", "a\\"),
            ])
        );
    }

    #[test]
    fn a_bad_escape_names_its_line() {
        let error = parse_properties(b"a=1\nb=\\u12x4\n", Charset::Latin1).unwrap_err();
        assert_eq!(error.line, 2);
        assert_eq!(
            parse_properties(b"a=\xe9", Charset::Latin1).unwrap()["a"],
            "\u{e9}"
        );
    }
}
