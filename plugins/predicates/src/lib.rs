//! The predicates of Apache Kafka 4.3 (KIP-585), under their Java class names, with Java's
//! configuration and messages (spec `data.md` 4.4). One predicate is one file.

mod has_header_key;
mod list;
mod plugin;
mod record_is_tombstone;
mod topic_name_matches;

pub use list::{VERSION, predicates};
