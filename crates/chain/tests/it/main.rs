//! The chain as its callers see it: order, failures with their place, predicates, batches, and what an
//! observer is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod plugins;

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use milena_api::RawHeader;
use milena_chain::{Chain, Observer, Raw, Seen, Stage, TransformChain};
use milena_config::Props;
use milena_data::{Header, Headers, Record, SchemaAndValue, Value};
use plugins::Shelf;

fn props(config: &[(&str, &str)]) -> Props {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    config.iter().map(own).collect()
}

fn record(text: &str) -> Record {
    Record {
        topic: "t".into(),
        value: SchemaAndValue::new(None, Value::from(text)),
        ..Record::default()
    }
}

fn text(record: &Record) -> String {
    record.value.value.to_string()
}

fn transforms(config: &[(&str, &str)]) -> TransformChain {
    TransformChain::new(&Shelf, &props(config)).unwrap()
}

/// Whole chain with converters that put `key:`, `value:` and `header:` before a text.
fn chain(config: &[(&str, &str)]) -> Chain {
    let worker = props(&[
        ("key.converter", "Tag"),
        ("key.converter.tag", "key:"),
        ("value.converter", "Tag"),
        ("value.converter.tag", "value:"),
        ("header.converter", "Tag"),
        ("header.converter.tag", "header:"),
    ]);
    Chain::new(&Shelf, &props(config), &worker).unwrap()
}

/// Writes down what it sees.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Observer for Notes {
    fn seen(&mut self, seen: &Seen<'_>) {
        let values = |record: Option<&Record>| {
            record.map_or("-".to_owned(), |r| {
                format!("{}/{}", r.key.value, r.value.value)
            })
        };
        let after = match &seen.after {
            Ok(record) => values(*record),
            Err(error) => format!("!{}", error.message.as_deref().unwrap_or_default()),
        };
        let raw = match seen.raw {
            Raw::None => String::new(),
            Raw::Bytes(bytes) => format!(" {bytes:?}"),
            Raw::Headers(headers) => format!(" {} headers", headers.len()),
        };
        let applied = if seen.applied { "" } else { " (not applied)" };
        self.0.lock().unwrap().push(format!(
            "{} {} {}: {} -> {after}{raw}{applied}",
            seen.stage.name(),
            seen.alias,
            seen.step,
            values(seen.before)
        ));
    }
}

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn transforms_run_in_order_and_a_drop_ends_the_way() {
    let mut chain = transforms(&[
        ("transforms", "a, b"),
        ("transforms.a.type", "Append"),
        ("transforms.a.text", "1"),
        ("transforms.b.type", "Append"),
        ("transforms.b.text", "2"),
    ]);
    assert_eq!(text(&chain.apply(record("x")).unwrap().unwrap()), "x12");
    let mut chain = transforms(&[
        ("transforms", "drop,fail"),
        ("transforms.drop.type", "Drop"),
        ("transforms.fail.type", "Fail"),
    ]);
    assert_eq!(chain.apply(record("x")).unwrap(), None);
}

#[test]
fn a_failure_names_its_stage_class_and_step_and_a_retry_goes_on_there() {
    let mut chain = transforms(&[
        ("transforms", "a,shaky,b"),
        ("transforms.a.type", "Append"),
        ("transforms.a.text", "1"),
        ("transforms.shaky.type", "Shaky"),
        ("transforms.shaky.failures", "2"),
        ("transforms.b.type", "Append"),
        ("transforms.b.text", "2"),
    ]);
    chain.keep_for_retries(true);
    let failure = chain.apply(record("x")).unwrap_err();
    assert_eq!(
        (failure.stage, &*failure.class, failure.step),
        (Stage::Transformation, "Shaky", 1)
    );
    assert!(failure.error.is_retriable());
    // It carries the record as it was before the step.
    let given = *failure.given.unwrap();
    assert_eq!(text(&given), "x1");
    let failure = chain.apply_from(1, given).unwrap_err();
    let given = *failure.given.unwrap();
    let found = chain.apply_from(1, given).unwrap().unwrap();
    assert_eq!(text(&found), "x12");
}

#[test]
fn predicates_decide_and_can_be_negated() {
    for (negate, expected) in [("false", "yes!"), ("true", "yes")] {
        let mut chain = transforms(&[
            ("transforms", "a"),
            ("transforms.a.type", "Append"),
            ("transforms.a.text", "!"),
            ("transforms.a.predicate", "p"),
            ("transforms.a.negate", negate),
            ("predicates", "p"),
            ("predicates.p.type", "IsYes"),
        ]);
        assert_eq!(
            text(&chain.apply(record("yes")).unwrap().unwrap()),
            expected
        );
        let other = chain.apply(record("no")).unwrap().unwrap();
        assert_eq!(text(&other) == "no!", negate == "true");
        // A predicate that fails is a failure of its transform.
        let failure = chain.apply(record("unclear")).unwrap_err();
        assert_eq!(
            (failure.stage, &*failure.class),
            (Stage::Transformation, "Append")
        );
    }
}

#[test]
fn a_definition_speaks_before_the_transform() {
    let config = props(&[("transforms", "a"), ("transforms.a.type", "Append")]);
    let error = TransformChain::new(&Shelf, &config).unwrap_err();
    // Wrapped, as Java does with all that goes wrong here.
    assert_eq!(
        error.cause.unwrap().message.as_deref(),
        Some("Missing required configuration \"text\" which has no default value.")
    );
}

#[tokio::test]
async fn a_batch_transform_gets_what_reaches_it_at_once_and_answers_in_order() {
    let mut chain = transforms(&[
        ("transforms", "a,batch,b"),
        ("transforms.a.type", "Append"),
        ("transforms.a.text", "1"),
        ("transforms.batch.type", "Batch"),
        ("transforms.b.type", "Append"),
        ("transforms.b.text", "2"),
    ]);
    assert!(!chain.is_per_record());
    let records = ["x", "drop", "fail", "y"].map(record).to_vec();
    let found = chain.apply_batch(records).await;
    // The batch transform tells how many records it was given.
    assert_eq!(text(found[0].as_ref().unwrap().as_ref().unwrap()), "x1@42");
    assert_eq!(found[1].as_ref().unwrap(), &None);
    let failure = found[2].as_ref().unwrap_err();
    assert_eq!((&*failure.class, failure.step), ("Batch", 1));
    assert_eq!(text(found[3].as_ref().unwrap().as_ref().unwrap()), "y1@42");
    // One by one it cannot be called.
    let failure = chain.apply(record("x")).unwrap_err();
    assert!(failure.error.message.unwrap().contains("works by batches"));
}

#[tokio::test]
async fn records_that_a_predicate_keeps_back_are_not_in_the_batch() {
    let mut chain = transforms(&[
        ("transforms", "batch"),
        ("transforms.batch.type", "Batch"),
        ("transforms.batch.predicate", "p"),
        ("predicates", "p"),
        ("predicates.p.type", "IsYes"),
    ]);
    let records = ["no", "yes", "unclear", "yes"].map(record).to_vec();
    let found = chain.apply_batch(records).await;
    let shown: Vec<String> = found
        .iter()
        .map(|outcome| match outcome {
            Ok(Some(record)) => text(record),
            Ok(None) => "-".to_owned(),
            Err(failure) => format!("!{}", failure.step),
        })
        .collect();
    assert_eq!(shown, ["no", "yes@2", "!0", "yes@2"]);
}

#[tokio::test]
async fn a_batch_transform_that_answers_too_few_fails_the_rest() {
    let mut chain = transforms(&[("transforms", "f"), ("transforms.f.type", "Forgetful")]);
    let found = chain
        .apply_batch(vec![record("x"), record("y"), record("z")])
        .await;
    assert!(found[0].is_ok());
    for outcome in &found[1..] {
        let error = &outcome.as_ref().unwrap_err().error;
        assert!(
            error
                .message
                .as_ref()
                .unwrap()
                .contains("answered fewer records")
        );
    }
}

#[tokio::test]
async fn an_observer_sees_every_stage_of_a_sink_record() {
    let mut chain = chain(&[
        ("transforms", "a,drop"),
        ("transforms.a.type", "Append"),
        ("transforms.a.text", "1"),
        ("transforms.a.predicate", "p"),
        ("transforms.drop.type", "Drop"),
        ("predicates", "p"),
        ("predicates.p.type", "IsYes"),
    ]);
    let notes = Notes::default();
    chain.observe(Some(Box::new(notes.clone())));
    let raw = [RawHeader {
        key: "h".into(),
        value: Some(Bytes::from("header:v")),
    }];
    let empty = Record {
        topic: "t".into(),
        ..Record::default()
    };
    let (key, value) = (Bytes::from("key:k"), Bytes::from("value:v"));
    let decoded = chain.decode(empty.clone(), Some(&key), Some(&value), &raw);
    let decoded = decoded.await.unwrap();
    assert_eq!(chain.apply(decoded).unwrap(), None);
    assert_eq!(
        notes.take(),
        [
            "KEY_CONVERTER key.converter 0: null/null -> k/null Some(b\"key:k\")",
            "VALUE_CONVERTER value.converter 0: k/null -> k/v Some(b\"value:v\")",
            "HEADER_CONVERTER header.converter 0: k/v -> k/v 1 headers",
            "TRANSFORMATION a 0: k/v -> k/v (not applied)",
            "TRANSFORMATION drop 1: k/v -> -",
        ]
    );
    let failure = chain.decode(empty, Some(&key), Some(&key), &raw).await;
    assert_eq!(failure.unwrap_err().stage, Stage::ValueConverter);
    assert_eq!(
        notes.take()[1],
        "VALUE_CONVERTER value.converter 0: k/null -> !no value: here Some(b\"key:k\")"
    );
}

#[tokio::test]
async fn an_observer_sees_every_stage_of_a_source_record() {
    let mut chain = chain(&[("transforms", "batch"), ("transforms.batch.type", "Batch")]);
    let notes = Notes::default();
    chain.observe(Some(Box::new(notes.clone())));
    let mut headers = Headers::default();
    headers.push(Header {
        key: "h".into(),
        value: SchemaAndValue::new(None, Value::from("v")),
    });
    let given = Record {
        key: SchemaAndValue::new(None, Value::from("k")),
        headers,
        ..record("v")
    };
    let mut outcomes = chain.apply_batch(vec![given]).await;
    let changed = outcomes.remove(0).unwrap().unwrap();
    let encoded = chain.encode(&changed).await.unwrap();
    assert_eq!(encoded.value.as_deref(), Some(&b"value:v@1"[..]));
    assert_eq!(encoded.headers[0].value.as_deref(), Some(&b"header:v"[..]));
    assert_eq!(
        notes.take(),
        [
            "TRANSFORMATION batch 0: k/v -> k/v@1",
            "HEADER_CONVERTER header.converter 0: k/v@1 -> k/v@1 1 headers",
            "KEY_CONVERTER key.converter 0: k/v@1 -> k/v@1 Some(b\"key:k\")",
            "VALUE_CONVERTER value.converter 0: k/v@1 -> k/v@1 Some(b\"value:v@1\")",
        ]
    );
    // Without an observer the same answers come, and nothing is told.
    chain.observe(None);
    assert_eq!(chain.encode(&changed).await.unwrap(), encoded);
    assert!(notes.take().is_empty());
}
