//! The single message transforms of Apache Kafka 4.3, under their Java class names, with Java's
//! configuration, behaviour and messages (spec `data.md` section 4).
//!
//! One transform is one file and one line in [`transforms`]. Transforms do no I/O.

mod cast;
mod cast_value;
mod copy;
mod drop_headers;
mod extract_field;
pub mod field_path;
mod filter;
mod flatten;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod keys;
mod list;
mod mask_field;
mod plugin;
mod regex_router;
mod replace_field;
mod requirements;
mod schema_cache;
mod set_schema_metadata;
mod side;
mod timestamp_converter;
mod timestamp_router;
mod timestamp_types;
mod value_to_key;

pub use list::{VERSION, transforms};
