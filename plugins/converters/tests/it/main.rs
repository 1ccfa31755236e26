//! Converters under bad input: bounded, an error or an answer, never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod conformance;
mod remembered;

use std::time::{Duration, Instant};

use bytes::Bytes;
use milena_api::ConverterUse;
use milena_converters::{JsonConfig, JsonConverter, converters, header_converters};

fn json(schemas_enable: bool) -> JsonConverter {
    let config = JsonConfig {
        schemas_enable,
        ..JsonConfig::default()
    };
    JsonConverter::new(config).unwrap()
}

/// SplitMix64: the same bytes in every run.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn random_bytes_never_panic() {
    const PIECES: &[&str] = &[
        "{\"schema\":",
        "{\"type\":\"struct\",\"fields\":[",
        "\"payload\":",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\u",
        "d800",
        "1e9",
        "-",
        "0.",
        "null",
        "true",
        "\u{feff}",
        "漢",
        "\u{0}",
        " ",
        "\"optional\":true",
        "\"type\":\"map\"",
    ];
    let mut state = 1;
    let mut plugins: Vec<_> = converters()
        .iter()
        .map(|plugin| {
            plugin
                .converter(&Default::default(), ConverterUse::Value)
                .unwrap()
        })
        .collect();
    let mut headers: Vec<_> = header_converters()
        .iter()
        .map(|plugin| plugin.header_converter(&Default::default()).unwrap())
        .collect();
    let mut plain = json(false);
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        for _ in 0..random(&mut state) % 12 {
            let choice = random(&mut state);
            if choice.is_multiple_of(8) {
                bytes.push(choice.to_le_bytes()[3]);
            } else {
                let piece = PIECES[(choice / 8) as usize % PIECES.len()];
                bytes.extend_from_slice(piece.as_bytes());
            }
        }
        let bytes = Bytes::from(bytes);
        for plugin in &mut plugins {
            if let milena_api::ConverterInstance::PerRecord(converter) = plugin {
                let _ = converter.to_connect("t", &[], Some(&bytes));
            }
        }
        for header in &mut headers {
            let _ = header.to_connect("t", "h", Some(&bytes));
        }
        if let Ok(pair) = plain.decode(&bytes) {
            let _ = plain.encode(None, &pair.value);
        }
    }
}

#[test]
fn deep_nesting_is_an_error_with_jacksons_text() {
    for open in ["[", "{\"a\":"] {
        let bytes = Bytes::from(open.repeat(100_000));
        let error = json(false).decode(&bytes).unwrap_err();
        let cause = error.cause.unwrap().cause.unwrap();
        assert_eq!(
            cause.message.as_deref(),
            Some(
                "Document nesting depth (1001) exceeds the maximum allowed (1000, from \
                 `StreamReadConstraints.getMaxNestingDepth()`)"
            )
        );
    }
}

#[test]
fn a_thousand_levels_are_read() {
    let text = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(json(false).decode(&Bytes::from(text)).is_ok());
}

#[test]
fn deep_literals_are_strings() {
    let text = Bytes::from("[".repeat(100_000));
    for plugin in header_converters() {
        let mut header = plugin.header_converter(&Default::default()).unwrap();
        let _ = header.to_connect("t", "h", Some(&text));
    }
}

#[test]
fn huge_numbers_take_little_time() {
    let start = Instant::now();
    for text in [
        "1e999999999",
        "-1e-999999999",
        "123456789e2000000000",
        &"9".repeat(1_000_000),
    ] {
        let bytes = Bytes::from(text.to_owned());
        let _ = json(false).decode(&bytes);
        for plugin in header_converters() {
            let mut header = plugin.header_converter(&Default::default()).unwrap();
            let _ = header.to_connect("t", "h", Some(&bytes));
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_same_schema_again_is_the_same_object() {
    let text =
        r#"{"schema":{"type":"struct","fields":[{"type":"int32","field":"a"}]},"payload":{"a":1}}"#;
    let mut converter = json(true);
    let first = converter
        .decode(&Bytes::from(text))
        .unwrap()
        .schema
        .unwrap();
    let second = converter
        .decode(&Bytes::from(text))
        .unwrap()
        .schema
        .unwrap();
    assert!(first.same(&second));
}
