//! The storage of the embedded broker: one append-only log per partition, in Kafka's record batch
//! format v2 and stored as received.
//!
//! Synchronous by design: an append is a checksum pass and one `write`, a read is one `pread`, so
//! the server calls both inline. Only opening a partition for the first time, maintenance
//! ([`LogStore::maintain`]) and [`PartitionLog::compact`] may take long and belong on a blocking
//! thread.
//!
//! The files of a partition, named by the first offset a segment may hold (20 digits):
//!
//! ```text
//! <base>.log      batches, as received
//! <base>.index    sparse index by offset and time (rebuilt from the batches)
//! <base>.txn      aborted transactions whose marker is in the segment (rebuilt)
//! checkpoint      what an open need not scan for: producers, segments, log start (rebuilt)
//! *.cleaned, *.swap, *.tmp   work in progress, finished or removed on open
//! ```
//!
//! What this module must never do: acknowledge an append the operating system has not been handed
//! (a killed process loses nothing acknowledged), change a byte of a record it stores, show a
//! `read_committed` reader anything at or above the last stable offset, or hold memory in
//! proportion to the data.
//!
//! Answers to Java's `LogManager`, `UnifiedLog`, `LogSegment`, `ProducerStateManager`,
//! `LogCleaner`; KIP-98 (transactions), KIP-101, KIP-360, KIP-534 (delete horizon).

mod aborted;
mod append;
pub mod batch;
mod build;
mod checkpoint;
mod compact;
mod compact_filter;
mod config;
mod data_dir;
mod files;
mod index;
mod maintain;
mod open;
mod partition;
mod prepare;
mod producers;
mod read;
mod reading;
mod records;
pub mod recovery;
mod retention;
mod search;
mod segment;
mod state;
mod store;
mod swap;
mod topic_file;

pub use append::{AppendError, AppendOrigin, Appended};
pub use build::{BatchBuilder, MarkerKind, control_batch};
pub use config::{CleanupPolicy, CompressionSetting, ConfigError, LogConfig, TimestampKind};
pub use data_dir::OpenError;
pub use maintain::MaintenanceReport;
pub use partition::{DeleteRecordsError, OpenTransaction, PartitionLog, ProducerSummary};
pub use read::{AbortedTransaction, Bounds, Isolation, ReadError, ReadSlice, TimestampedOffset};
pub(crate) use read::{FileSlice, Records};
pub use store::{LogStore, StoreError, StoreOptions, Topic, valid_topic_name};
