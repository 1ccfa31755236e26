//! The Java classes at the same work: a small program over the artifacts of Apache Kafka.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::messages;

fn libs() -> PathBuf {
    std::env::var_os("MILENA_KAFKA_LIBS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../target/kafka-libs/lib"
            ))
        },
        PathBuf::from,
    )
}

/// Compiles and runs `java/DataPlane.java`; answers its rates by name.
pub(crate) fn run() -> Result<Vec<(String, f64)>> {
    let libs = libs();
    if !libs.is_dir() {
        bail!("no jars in {}", libs.display());
    }
    let classpath = format!("{}/*", libs.display());
    let out = std::env::temp_dir().join(format!("milena-data-plane-{}", std::process::id()));
    fs::create_dir_all(&out)?;
    fs::write(out.join("envelope.json"), messages::ENVELOPE)?;
    fs::write(out.join("plain.json"), messages::PLAIN)?;
    fs::write(out.join("text.txt"), messages::TEXT)?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/java/DataPlane.java");
    let compiled = Command::new("javac")
        .args(["-nowarn", "-cp", &classpath, "-d"])
        .arg(&out)
        .arg(source)
        .status()
        .context("javac")?;
    if !compiled.success() {
        bail!("javac failed");
    }
    let ran = Command::new("java")
        .args([
            "-Xmx1g",
            "-cp",
            &format!("{classpath}:{}", out.display()),
            "DataPlane",
        ])
        .arg(&out)
        .output()
        .context("java")?;
    fs::remove_dir_all(&out)?;
    if !ran.status.success() {
        bail!("java failed: {}", String::from_utf8_lossy(&ran.stderr));
    }
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    Ok(text
        .lines()
        .filter_map(|line| {
            let (name, rate) = line.split_once('=')?;
            Some((name.to_owned(), rate.parse().ok()?))
        })
        .collect())
}
