//! Java's text languages, so that configurations written for Java mean the same here: regular
//! expressions (`java.util.regex`) and date patterns (`java.text.SimpleDateFormat`).
//!
//! Both take bounded time: a regular expression that blows up ends as an error.

pub mod date;
pub mod float;
pub mod regex;

pub use date::{DateFormat, DatePatternError};
pub use regex::{JavaRegex, MatchError, PatternSyntaxError, ReplaceError};
