//! What the tests need beyond Rust: a JDK, Maven and the artifacts of Apache Kafka, kcat, librdkafka as its
//! Python binding brings it, the REST clients that others wrote, and databases.
//!
//! As root on Debian it installs packages with apt-get and says so; elsewhere it says what is missing.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};
use milena_testing_kafka::ensure_jars;

use crate::{
    clients, databases,
    run::{answers, say, step, target_dir},
};

/// What could not be had, by the environment variable that tells the tests of it.
#[derive(Default)]
pub(crate) struct Missing(pub(crate) Vec<(&'static str, String)>);

impl Missing {
    /// One line for a person per missing thing.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(_, reason)| format!("missing: {reason}"))
            .collect()
    }
}

/// Where the jars of Apache Kafka lie, for the tests.
pub(crate) fn kafka_libs() -> PathBuf {
    std::env::var_os("MILENA_KAFKA_LIBS").map_or_else(
        || target_dir().join("kafka-libs").join("lib"),
        PathBuf::from,
    )
}

/// The Python binding of librdkafka, of the version that people use now.
const LIBRDKAFKA: &str = "confluent-kafka==2.12.2";

/// A Python of its own with librdkafka, under the target directory, where the tests look for it.
fn librdkafka() -> Result<()> {
    let folder = target_dir().join("librdkafka");
    let python = folder.join("bin").join("python");
    let works = |python: &PathBuf| {
        let tried = Command::new(python)
            .args(["-c", "import confluent_kafka"])
            .output();
        tried.is_ok_and(|out| out.status.success())
    };
    if works(&python) {
        return Ok(());
    }
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&folder);
    step("a Python for librdkafka", &mut make)?;
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "-q",
        "--only-binary=:all:",
        LIBRDKAFKA,
    ]);
    step("librdkafka", &mut install)
}

/// Installs what can be installed; answers what is missing.
pub(crate) fn provision() -> Result<Missing> {
    let mut missing = Missing::default();
    let wanted = [
        ("java", "-version", "openjdk-17-jdk-headless"),
        ("mvn", "-v", "maven"),
        ("kcat", "-V", "kcat"),
        ("mariadbd", "--version", "mariadb-server"),
        ("pg_lsclusters", "-h", "postgresql"),
    ];
    let mut absent: Vec<&str> = wanted
        .iter()
        .filter(|(p, arg, _)| !answers(p, arg))
        .map(|(_, _, package)| *package)
        .collect();
    // Debian's Python cannot make a venv without this package.
    let venv = Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .output();
    if !venv.is_ok_and(|out| out.status.success()) {
        absent.push("python3-venv");
    }
    if !absent.is_empty() && may_install() {
        say(&format!("installing with apt-get: {}", absent.join(" ")));
        // A failure is not the end: what is still missing is told below, and its tests are skipped.
        let _ = step(
            "apt-get update",
            Command::new("apt-get").args(["-qq", "update"]),
        );
        let mut install = Command::new("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive");
        install
            .args(["-qq", "-y", "--no-install-recommends", "install"])
            .args(&absent);
        let _ = step("apt-get install", &mut install);
    }
    if !answers("kcat", "-V") {
        missing
            .0
            .push(("MILENA_NO_KCAT", "kcat (Debian package kcat)".to_owned()));
    }
    if let Err(error) = librdkafka() {
        let reason = format!("librdkafka through Python 3 with venv and pip ({error:#})");
        missing.0.push(("MILENA_NO_LIBRDKAFKA", reason));
    }
    if !answers("java", "-version") {
        missing.0.push((
            "MILENA_NO_JAVA",
            "a JDK 17 (Debian package openjdk-17-jdk-headless)".to_owned(),
        ));
    } else if let Err(error) = ensure_jars() {
        let reason = format!("the artifacts of Apache Kafka through Maven ({error:#})");
        missing.0.push(("MILENA_NO_JAVA", reason));
    }
    missing.0.extend(clients::install());
    missing.0.extend(databases::install());
    Ok(missing)
}

fn may_install() -> bool {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout.starts_with(b"0\n"));
    root && answers("apt-get", "--version")
}

/// A folder under the target directory for what a run leaves behind.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = target_dir().join("xtask").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
