//! The data model of Kafka Connect: schemas, values, structs, logical types, headers and records.
//!
//! Answers to `org.apache.kafka.connect.data` and `…connect.header` (spec `data.md` section 1).
//! It never reads bytes of Kafka itself (converters do) and knows no plugin and no I/O.

mod decimal;
mod header;
mod map;
mod record;
mod schema;
mod structs;
mod value;

pub use bytestring::ByteString as Text;
pub use decimal::Decimal;
pub use header::{Header, Headers};
pub use map::MapValue;
pub use record::{Record, SinkOrigin, SinkRecord, SourceMap, SourceRecord, TimestampType};
pub use schema::{Field, Schema, SchemaAndValue, SchemaBuilder, SchemaBuilderError, SchemaType};
pub use structs::Struct;
pub use value::Value;
