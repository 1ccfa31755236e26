//! Kafka Streams: a word count with exactly_once_v2.

use milena_testing_kafka::oracle_is_missing;

use crate::{Served, java, output};

/// The program writes lines, counts words in two lives of the application, the second of which begins
/// with the state of the first, and reads the counts as a reader of committed records does.
#[test]
fn kafka_streams_counts_words_exactly_once() {
    if oracle_is_missing("kafka_streams_counts_words_exactly_once") {
        return;
    }
    let kafka = Served::start();
    let state = tempfile::tempdir().unwrap();
    let mut count = java("WordCount.java");
    count.arg(&kafka.bootstrap).arg(state.path());
    let said = output(count);
    assert!(said.contains("counts: {a=450, b=300, c=150}"), "{said}");
    assert!(said.contains("in order: true"), "{said}");
}
