//! The file connectors of Apache Kafka: `FileStreamSource` and `FileStreamSink`.
//!
//! Same class names, keys, partitions and offsets as `org.apache.kafka.connect.file` (spec
//! `connectors.md` section 1). Positions are bytes, where Java counts characters but resumes by bytes
//! (a row in `COMPATIBILITY.md`).

mod lines;
mod sink;
mod source;

pub use sink::FileStreamSinkPlugin;
pub use source::FileStreamSourcePlugin;

/// The version that these connectors report: that of the Kafka whose connectors they stand for.
pub const VERSION: &str = "4.3.1";

pub(crate) const FILE: &str = "file";
pub(crate) const TOPIC: &str = "topic";
pub(crate) const BATCH_SIZE: &str = "batch.size";
