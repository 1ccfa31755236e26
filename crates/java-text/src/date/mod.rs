//! Java date patterns (`java.text.SimpleDateFormat`) in UTC with English names: formatting, and lenient
//! parsing as Java does it, down to the calendar change of 1582.

mod calendar;
mod format;
mod parse;
mod pattern;
mod resolve;
mod zones;

pub use format::DateFormat;
pub use pattern::DatePatternError;
