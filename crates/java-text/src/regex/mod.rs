//! Java regular expressions: a translator in front of `fancy-regex`.
//!
//! Java's dialect is parsed here and written out in the engine's, so that line ends, ASCII classes,
//! case folding, quoting and errors are Java's. Matching has a limit on backtracking, where Java would
//! run for years or overflow its stack.

mod class;
mod compiled;
mod properties;
mod replacement;
mod syntax_error;
mod translate;

pub use compiled::{JavaRegex, MatchError};
pub use replacement::ReplaceError;
pub use syntax_error::PatternSyntaxError;
