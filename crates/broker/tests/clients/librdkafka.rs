//! librdkafka 2.12 through its Python binding, which brings the library with it.

use std::{path::PathBuf, process::Command};

use crate::{Served, output};

/// The Python that has the binding, or a note that the test was skipped.
fn python(test: &str) -> Option<PathBuf> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(root).join("target"), PathBuf::from);
    let installed = target.join("librdkafka/bin/python");
    let reason = match std::env::var("MILENA_NO_LIBRDKAFKA") {
        Ok(reason) => reason,
        Err(_) if installed.exists() => return Some(installed),
        Err(_) => "librdkafka; run: cargo xtask test".to_owned(),
    };
    milena_testing_kafka::skipped(test, &reason);
    None
}

fn script(test: &str, part: &str) {
    let Some(python) = python(test) else {
        return;
    };
    let kafka = Served::start();
    let mut command = Command::new(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/python/clients.py"
        ))
        .args([part, &kafka.bootstrap]);
    let said = output(command);
    assert!(said.ends_with("done\n"), "{said}");
}

#[test]
fn librdkafka_writes_and_reads_every_codec_idempotently() {
    script(
        "librdkafka_writes_and_reads_every_codec_idempotently",
        "records",
    );
}

#[test]
fn librdkafka_commits_aborts_and_fences_transactions() {
    script(
        "librdkafka_commits_aborts_and_fences_transactions",
        "transactions",
    );
}

#[test]
fn librdkafka_shares_a_group_and_rebalances() {
    script("librdkafka_shares_a_group_and_rebalances", "groups");
}

#[test]
fn librdkafka_administers() {
    script("librdkafka_administers", "admin");
}
