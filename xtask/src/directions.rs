//! Dependency directions (`ARCHITECTURE.md`): which crate may know which, checked from `cargo metadata`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::{cargo, root};

/// What each crate of ours may depend on (normal dependencies). A crate that is not listed may depend on
/// anything of ours: binaries, tests and benchmarks.
const ALLOWED: &[(&str, &[&str])] = &[
    ("milena-data", &[]),
    ("milena-java-text", &[]),
    ("milena-broker", &["protocol"]),
    ("milena-config", &["data", "java-text"]),
    ("milena-api", &["data", "config"]),
    ("milena-core", &["data", "config"]),
    ("milena-telemetry", &["config"]),
    ("milena-tls", &["config"]),
    ("milena-kafka", &["config", "protocol", "tls"]),
    ("milena-protocol", &[]),
    ("milena-registry", &["api", "config", "data"]),
    ("milena-chain", &["api", "config", "data", "java-text"]),
    ("milena-rest-model", &["config", "data"]),
    (
        "milena-validation",
        &[
            "api",
            "config",
            "data",
            "java-text",
            "registry",
            "rest-model",
            "chain",
        ],
    ),
    (
        "milena-runtime",
        &[
            "api",
            "chain",
            "config",
            "core",
            "data",
            "java-text",
            "kafka",
            "registry",
            "rest-model",
            "telemetry",
            "validation",
        ],
    ),
    (
        "milena-rest",
        &[
            "config",
            "registry",
            "rest-model",
            "runtime",
            "telemetry",
            "tls",
            "validation",
        ],
    ),
];

/// What plugins may depend on.
const PLUGINS: &[&str] = &["api", "config", "data", "java-text"];

/// Which libraries only the named crates may name.
const RESERVED: &[(&str, &[&str])] = &[
    ("confluent-kafka", &["milena-kafka"]),
    (
        "kafka-protocol",
        &["milena-kafka", "milena-broker", "milena-protocol"],
    ),
    ("hyper", &["milena-rest"]),
    ("hyper-rustls", &["milena-rest"]),
    ("hyper-util", &["milena-rest"]),
];

/// Crates of the core that must stay without I/O, clock, randomness and async.
const PURE: &[&str] = &["milena-core", "milena-data", "milena-config"];
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "async-trait",
    "rand",
    "hyper",
    "tracing",
    "socket2",
    "libc",
    "futures-util",
];

/// Fails with every dependency that goes the wrong way.
pub(crate) fn check() -> Result<()> {
    let out = cargo(&["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()?;
    let metadata: Value = serde_json::from_slice(&out.stdout).context("cargo metadata")?;
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in metadata
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = text(package, "name");
        let manifest = text(package, "manifest_path");
        let plugin = manifest.contains("/plugins/");
        let rule = if plugin {
            Some(PLUGINS)
        } else {
            allowed.get(name).copied()
        };
        let bench_or_test = manifest.contains("/testing/") || manifest.contains("/benches/");
        for dependency in package
            .get("dependencies")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if dependency.get("kind").is_some_and(|kind| !kind.is_null()) {
                continue;
            }
            let on = text(dependency, "name");
            let ours = on.strip_prefix("milena-");
            if let (Some(rule), Some(ours)) = (rule, ours)
                && !rule.contains(&ours)
            {
                wrong.push(format!("{name} must not depend on {on}"));
            }
            for (library, users) in RESERVED {
                if on == *library && !users.contains(&name) && !bench_or_test {
                    wrong.push(format!(
                        "{name} must not name {on}: that is for {}",
                        users.join(", ")
                    ));
                }
            }
            if PURE.contains(&name) && IMPURE.contains(&on) {
                wrong.push(format!(
                    "{name} must stay without I/O, clock and async: not {on}"
                ));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("dependencies in the wrong direction:\n{}", wrong.join("\n"));
    }
    Ok(())
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_dependency_goes_the_right_way() {
        super::check().unwrap();
    }
}
