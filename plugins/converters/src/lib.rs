//! The converters of Apache Kafka, under their Java class names (spec `data.md` section 2).
//!
//! Bytes to values and back, record by record, without I/O. Malformed input answers with Java's class
//! and text; it never panics and never takes unbounded time or memory.

mod boolean;
mod byte_array;
mod charset;
mod json;
mod numbers;
mod plugin;
mod simple_header;
mod string;

pub use json::{JsonConfig, JsonConverter};
pub use plugin::{converters, header_converters};
pub use simple_header::SimpleHeaderConverter;
pub use string::StringConverter;
