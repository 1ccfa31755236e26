//! The JAAS line of `sasl.jaas.config`, parsed to a module name and its options; nothing is loaded.
//!
//! Answers to `org.apache.kafka.common.security.JaasConfig`: one module, a control flag, `key=value`
//! options with quoted values, a semicolon.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

use milena_config::Secret;

/// The longest line that is parsed: real ones are a few hundred bytes, tokens a few thousand.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A parsed line. Options may be secrets.
#[derive(Debug)]
pub(super) struct JaasLine {
    /// The class name of the login module.
    pub(super) module: String,
    /// The options by name.
    pub(super) options: BTreeMap<String, Secret<String>>,
}

/// Why a line cannot be used; holds no part of the line but its structure.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum JaasError {
    #[error("the line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    #[error("a quoted value does not end")]
    OpenQuote,
    #[error("the login module name is missing")]
    NoModule,
    #[error(
        "the control flag after the login module must be required, requisite, sufficient or optional"
    )]
    Flag,
    #[error("option {0} lacks \"=value\"")]
    Option(usize),
    #[error("the line must end with a semicolon and hold one login module")]
    End,
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Equals,
    Semicolon,
}

impl JaasLine {
    pub(super) fn parse(line: &str) -> Result<Self, JaasError> {
        if line.len() > LINE_BYTES_MAX {
            return Err(JaasError::TooLong);
        }
        let mut tokens = tokens(line)?.into_iter();
        let Some(Token::Word(module)) = tokens.next() else {
            return Err(JaasError::NoModule);
        };
        let flags = ["required", "requisite", "sufficient", "optional"];
        match tokens.next() {
            Some(Token::Word(flag)) if flags.contains(&flag.to_ascii_lowercase().as_str()) => {}
            _ => return Err(JaasError::Flag),
        }
        let mut options = BTreeMap::new();
        loop {
            match tokens.next() {
                Some(Token::Semicolon) => break,
                Some(Token::Word(name)) => match (tokens.next(), tokens.next()) {
                    (Some(Token::Equals), Some(Token::Word(value))) => {
                        options.insert(name, Secret::new(value));
                    }
                    _ => return Err(JaasError::Option(options.len() + 1)),
                },
                _ => return Err(JaasError::End),
            }
        }
        if tokens.next().is_some() {
            return Err(JaasError::End);
        }
        Ok(Self { module, options })
    }
}

fn tokens(line: &str) -> Result<Vec<Token>, JaasError> {
    let mut chars = line.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(&next) = chars.peek() {
        match next {
            c if c.is_whitespace() => {
                chars.next();
            }
            '=' => {
                chars.next();
                tokens.push(Token::Equals);
            }
            ';' => {
                chars.next();
                tokens.push(Token::Semicolon);
            }
            '"' | '\'' => tokens.push(Token::Word(quoted(&mut chars)?)),
            _ => tokens.push(Token::Word(bare(&mut chars))),
        }
    }
    Ok(tokens)
}

fn bare(chars: &mut Peekable<Chars<'_>>) -> String {
    let mut word = String::new();
    while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !['=', ';', '"', '\''].contains(c))
    {
        word.push(c);
    }
    word
}

fn quoted(chars: &mut Peekable<Chars<'_>>) -> Result<String, JaasError> {
    let quote = chars.next();
    let mut word = String::new();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == quote => return Ok(word),
            '\\' => match chars.next() {
                Some('n') => word.push('\n'),
                Some('t') => word.push('\t'),
                Some('r') => word.push('\r'),
                Some(escaped) => word.push(escaped),
                None => return Err(JaasError::OpenQuote),
            },
            c => word.push(c),
        }
    }
    Err(JaasError::OpenQuote)
}
