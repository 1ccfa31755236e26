//! Compiling a pattern.

/// A pattern that Java refuses (`IllegalArgumentException`), with Java's text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DatePatternError {
    /// Java's message.
    pub message: String,
}

/// One part of a compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text that stands for itself.
    Literal(char),
    /// A pattern letter and how often it stands.
    Field(char, usize),
}

const LETTERS: &str = "GyMdkHmsSEDFwWahKzZYuXL";

/// How often a letter may stand: more only makes a longer text of zeros.
const COUNT_MAX: usize = 10_000;

pub(super) fn compile(pattern: &str) -> Result<Vec<Part>, DatePatternError> {
    let refuse = |message: String| Err(DatePatternError { message });
    let mut parts = Vec::new();
    let mut chars = pattern.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        if c == '\'' {
            if chars.next_if_eq(&'\'').is_some() {
                parts.push(Part::Literal('\''));
            } else {
                quoted = !quoted;
            }
        } else if quoted || !c.is_ascii_alphabetic() {
            parts.push(Part::Literal(c));
        } else if LETTERS.contains(c) {
            let mut count = 1;
            while chars.next_if_eq(&c).is_some() {
                count += 1;
            }
            if c == 'X' && count > 3 {
                return refuse(format!("invalid ISO 8601 format: length={count}"));
            }
            if count > COUNT_MAX {
                return refuse(format!("pattern letter '{c}' stands too often"));
            }
            parts.push(Part::Field(c, count));
        } else {
            return refuse(format!("Illegal pattern character '{c}'"));
        }
    }
    if quoted {
        return refuse("Unterminated quote".to_owned());
    }
    Ok(parts)
}
