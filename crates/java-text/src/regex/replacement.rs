//! Java's replacement syntax: `$1`, `${name}`, `\` escapes (`Matcher.appendReplacement`).

use fancy_regex::Captures;

use super::{JavaRegex, MatchError};

/// Why a replacement could not be made; the class is the one Java throws.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// `java.lang.IllegalArgumentException`.
    #[error("{0}")]
    IllegalArgument(String),
    /// `java.lang.IndexOutOfBoundsException`.
    #[error("No group {0}")]
    NoGroup(usize),
    /// The match takes too many steps.
    #[error(transparent)]
    TooComplex(#[from] MatchError),
}

impl ReplaceError {
    /// The full name of the Java class.
    #[must_use]
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::IllegalArgument(_) => "java.lang.IllegalArgumentException",
            Self::NoGroup(_) => "java.lang.IndexOutOfBoundsException",
            Self::TooComplex(_) => "java.lang.StackOverflowError",
        }
    }
}

fn illegal<T>(message: impl Into<String>) -> Result<T, ReplaceError> {
    Err(ReplaceError::IllegalArgument(message.into()))
}

const MISSING_BRACE: &str = "named capturing group is missing trailing '}'";

pub(super) fn expand(
    regex: &JavaRegex,
    captures: &Captures<'_, str>,
    replacement: &str,
    out: &mut String,
) -> Result<(), ReplaceError> {
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(literal) => out.push(literal),
                None => return illegal("character to be escaped is missing"),
            },
            '$' => {
                let group = match chars.next() {
                    None => return illegal("Illegal group reference: group index is missing"),
                    Some('{') => named(regex, &mut chars)?,
                    Some(digit) => numbered(regex, digit, &mut chars)?,
                };
                if group > regex.group_count() {
                    return Err(ReplaceError::NoGroup(group));
                }
                if let Some(found) = captures.get(group) {
                    out.push_str(found.as_str());
                }
            }
            literal => out.push(literal),
        }
    }
    Ok(())
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn named(regex: &JavaRegex, chars: &mut Chars<'_>) -> Result<usize, ReplaceError> {
    let mut name = String::new();
    while let Some(c) = chars.next_if(char::is_ascii_alphanumeric) {
        name.push(c);
    }
    if name.is_empty() {
        return illegal("named capturing group has 0 length name");
    }
    if chars.next() != Some('}') {
        return illegal(MISSING_BRACE);
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return illegal(format!(
            "capturing group name {{{name}}} starts with digit character"
        ));
    }
    match regex.group_of_name(&name) {
        Some(group) => Ok(group),
        None => illegal(format!("No group with name {{{name}}}")),
    }
}

/// The longest number that is a group; the digits after it are text.
fn numbered(regex: &JavaRegex, first: char, chars: &mut Chars<'_>) -> Result<usize, ReplaceError> {
    let digit = |c: char| c.to_digit(10).map(|digit| digit as usize);
    let Some(mut group) = digit(first) else {
        return illegal("Illegal group reference");
    };
    while let Some(next) = chars.peek().copied().and_then(digit) {
        let longer = group * 10 + next;
        if longer > regex.group_count() {
            break;
        }
        group = longer;
        chars.next();
    }
    Ok(group)
}
