//! The data model of Kafka Connect: schemas, values, structs, logical types, headers and records.
//!
//! Answers to `org.apache.kafka.connect.data` and `…connect.header` (spec `data.md` section 1).
//! It never reads bytes of Kafka itself (converters do) and knows no plugin and no I/O.

pub mod base64_text;
pub mod calendar;
mod decimal;
mod decimal_text;
pub mod error;
pub mod float_text;
mod header;
pub mod logical;
mod map;
mod projector;
mod record;
mod schema;
mod schema_builder;
mod source_map;
mod source_offset;
mod statics;
mod structs;
mod text;
mod validate;
mod value;
pub mod values;

pub use bytestring::ByteString as Text;
pub use decimal::{DECIMAL_ZEROS_MAX, Decimal, DecimalBytes, Rounding, low_bits};
pub use decimal_text::DECIMAL_TEXT_MAX;
pub use error::DataError;
pub use header::{Header, Headers};
pub use map::{Iter as MapIter, MapKeys, MapValue};
pub use projector::project;
pub use record::{Record, SinkOrigin, SinkRecord, SourceRecord, TimestampType};
pub use schema::{Field, LogicalType, Schema, SchemaAndValue, SchemaType};
pub use schema_builder::{SchemaBuilder, SchemaBuilderError, SchemaCopy};
pub use source_map::SourceMap;
pub use source_offset::SourceOffset;
pub use structs::Struct;
pub use text::push_text;
pub use validate::{validate_field, validate_value};
pub use value::Value;
