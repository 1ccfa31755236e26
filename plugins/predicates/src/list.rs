//! The explicit list of all predicates, in alphabetical order.

use std::sync::Arc;

use milena_api::PredicatePlugin;

use crate::{has_header_key, plugin::predicate, record_is_tombstone, topic_name_matches};

/// The version that the registry reports: that of the Apache Kafka these predicates are equal to.
pub const VERSION: &str = "4.3.1";

/// All predicates, in alphabetical order of their classes.
#[must_use]
pub fn predicates() -> Vec<Arc<dyn PredicatePlugin>> {
    vec![
        predicate(
            "HasHeaderKey",
            has_header_key::config_def,
            has_header_key::make,
        ),
        predicate(
            "RecordIsTombstone",
            record_is_tombstone::config_def,
            record_is_tombstone::make,
        ),
        predicate(
            "TopicNameMatches",
            topic_name_matches::config_def,
            topic_name_matches::make,
        ),
    ]
}
