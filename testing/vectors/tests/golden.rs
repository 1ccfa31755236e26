//! The golden vectors of Kafka's own areas pass.
#![allow(clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

#[test]
fn every_golden_vector_passes() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../golden/vectors.jsonl");
    let text = std::fs::read_to_string(file).expect("the golden vectors");
    let report = milena_vectors::run_text(&text).expect("vectors of the format");
    assert_eq!(report.failed(), 0, "{}", report.render());
}
