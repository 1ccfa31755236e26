//! A compiled pattern: `Pattern` and `Matcher`.

use std::sync::OnceLock;

use fancy_regex::{Regex, RegexBuilder};

use super::{
    PatternSyntaxError, ReplaceError, replacement,
    translate::{Ends, Translated, translate},
};

/// How many steps of backtracking a match may take. Java has no limit and hangs; a topic name or a
/// field needs a few hundred.
const BACKTRACK_MAX: usize = 1_000_000;

/// The compiled form of a pattern may take this much memory, in bytes.
const COMPILED_SIZE_MAX: usize = 10 << 20;

/// A pattern may be this long, in bytes: the time to compile one can grow with the square of it.
const PATTERN_LENGTH_MAX: usize = 20_000;

/// A match took more steps than is reasonable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("matching the regular expression {pattern} takes too many steps; simplify it")]
pub struct MatchError {
    /// The pattern.
    pub pattern: String,
}

/// A regular expression in Java's dialect.
#[derive(Debug)]
pub struct JavaRegex {
    pattern: String,
    translated: Translated,
    /// For text without line ends, where `$` is simply the end; made when first needed.
    plain: Programs,
    /// For text with line ends.
    exact: Programs,
}

#[derive(Debug, Default)]
struct Programs {
    find: OnceLock<Regex>,
    whole: OnceLock<Regex>,
}

impl JavaRegex {
    /// Compiles a pattern (`Pattern.compile`).
    ///
    /// # Errors
    /// Java's `PatternSyntaxException`.
    pub fn new(pattern: &str) -> Result<Self, PatternSyntaxError> {
        if pattern.len() > PATTERN_LENGTH_MAX {
            return Err(PatternSyntaxError {
                description: format!(
                    "Unsupported regular expression (longer than {PATTERN_LENGTH_MAX} bytes)"
                ),
                index: None,
                pattern: pattern.chars().take(100).collect(),
            });
        }
        let translated = translate(pattern)?;
        let regex = Self {
            pattern: pattern.to_owned(),
            translated,
            plain: Programs::default(),
            exact: Programs::default(),
        };
        // What the engine refuses must be known now, not at the first record.
        for ends in [Ends::Plain, Ends::Exact] {
            for whole in [false, true] {
                regex.program(ends, whole).map_err(|reason| {
                    let description = format!("Unsupported regular expression ({reason})");
                    PatternSyntaxError {
                        description,
                        index: None,
                        pattern: pattern.to_owned(),
                    }
                })?;
                if regex.translated.is_same_for_all_text() && whole {
                    return Ok(regex);
                }
            }
        }
        Ok(regex)
    }

    /// The pattern as given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The number of capturing groups.
    #[must_use]
    pub fn group_count(&self) -> usize {
        self.translated.group_count
    }

    /// The number of a named group.
    #[must_use]
    pub fn group_of_name(&self, name: &str) -> Option<usize> {
        let mut names = self.translated.names.iter();
        names.find(|(own, _)| own == name).map(|(_, index)| *index)
    }

    /// Whether the whole text matches (`Matcher.matches`).
    ///
    /// # Errors
    /// The match takes too many steps.
    pub fn matches(&self, text: &str) -> Result<bool, MatchError> {
        let program = self.program_for(text, true)?;
        program.is_match(text).map_err(|_| self.too_complex())
    }

    /// The first match (`Matcher.find`), in bytes of the text.
    ///
    /// # Errors
    /// The match takes too many steps.
    pub fn find(&self, text: &str) -> Result<Option<std::ops::Range<usize>>, MatchError> {
        let program = self.program_for(text, false)?;
        let found = program.find(text).map_err(|_| self.too_complex())?;
        Ok(found.map(|found| found.start()..found.end()))
    }

    /// Replaces the first match (`Matcher.replaceFirst`) by a replacement in Java's syntax.
    ///
    /// # Errors
    /// The match takes too many steps, or the replacement names a group that does not exist.
    pub fn replace_first(&self, text: &str, replacement: &str) -> Result<String, ReplaceError> {
        let program = self.program_for(text, false)?;
        let captures = program.captures(text).map_err(|_| self.too_complex())?;
        let Some(captures) = captures else {
            return Ok(text.to_owned());
        };
        let Some(whole) = captures.get(0) else {
            return Ok(text.to_owned());
        };
        let mut out = String::with_capacity(text.len() + replacement.len());
        out.push_str(text.get(..whole.start()).unwrap_or_default());
        replacement::expand(self, &captures, replacement, &mut out)?;
        out.push_str(text.get(whole.end()..).unwrap_or_default());
        Ok(out)
    }

    fn too_complex(&self) -> MatchError {
        MatchError {
            pattern: self.pattern.clone(),
        }
    }

    fn program_for(&self, text: &str, whole: bool) -> Result<&Regex, MatchError> {
        let line_end = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        let ends = if self.translated.is_same_for_all_text() || !text.contains(line_end) {
            Ends::Plain
        } else {
            Ends::Exact
        };
        self.program(ends, whole).map_err(|_| self.too_complex())
    }

    fn program(&self, ends: Ends, whole: bool) -> Result<&Regex, String> {
        let programs = match ends {
            Ends::Plain => &self.plain,
            Ends::Exact => &self.exact,
        };
        let cell = if whole {
            &programs.whole
        } else {
            &programs.find
        };
        if let Some(regex) = cell.get() {
            return Ok(regex);
        }
        let inner = self.translated.text(ends);
        let text = if whole {
            format!(r"\A(?:{inner})\z")
        } else {
            inner.to_owned()
        };
        let regex = RegexBuilder::new(&text)
            .backtrack_limit(BACKTRACK_MAX)
            .delegate_size_limit(COMPILED_SIZE_MAX)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(cell.get_or_init(|| regex))
    }
}
