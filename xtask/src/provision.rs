//! What the tests need beyond Rust: a JDK, Maven and the artifacts of Apache Kafka, kcat.
//!
//! As root on Debian it installs packages with apt-get and says so; elsewhere it says what is missing.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::run::{answers, say, step, target_dir};

/// The version of Apache Kafka that Milena is compared with.
const KAFKA: &str = "4.3.1";
/// The artifacts of the real broker and the real Java worker (group `org.apache.kafka`).
const ARTIFACTS: [&str; 9] = [
    "kafka_2.13",
    "connect-runtime",
    "connect-file",
    "connect-mirror",
    "connect-transforms",
    "connect-test-plugins",
    "connect-basic-auth-extension",
    "kafka-tools",
    "kafka-streams",
];

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

/// Installs what can be installed; answers what is missing.
pub(crate) fn provision() -> Result<Missing> {
    let mut missing = Missing::default();
    let wanted = [
        ("java", "-version", "openjdk-17-jdk-headless"),
        ("mvn", "-v", "maven"),
        ("kcat", "-V", "kcat"),
    ];
    let absent: Vec<&str> = wanted
        .iter()
        .filter(|(p, arg, _)| !answers(p, arg))
        .map(|(_, _, package)| *package)
        .collect();
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
    if !answers("java", "-version") {
        missing.0.push((
            "MILENA_NO_JAVA",
            "a JDK 17 (Debian package openjdk-17-jdk-headless)".to_owned(),
        ));
    } else if let Err(error) = kafka_artifacts() {
        let reason = format!("the artifacts of Apache Kafka {KAFKA} through Maven ({error:#})");
        missing.0.push(("MILENA_NO_JAVA", reason));
    }
    Ok(missing)
}

fn may_install() -> bool {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout.starts_with(b"0\n"));
    root && answers("apt-get", "--version")
}

/// Copies the jars of Apache Kafka and of the Java worker into one folder, once.
fn kafka_artifacts() -> Result<()> {
    let lib = kafka_libs();
    let done = lib.join(format!(".complete-{KAFKA}"));
    if done.exists() || lib.join(format!("kafka_2.13-{KAFKA}.jar")).exists() {
        return Ok(());
    }
    let folder = lib.parent().context("no folder for the jars")?.to_owned();
    fs::create_dir_all(&folder)?;
    let mut dependencies = String::new();
    for artifact in ARTIFACTS {
        dependencies.push_str(&dependency("org.apache.kafka", artifact, KAFKA));
    }
    dependencies.push_str(&dependency(
        "org.apache.logging.log4j",
        "log4j-slf4j-impl",
        "2.25.4",
    ));
    let pom = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>milena</groupId><artifactId>oracle</artifactId><version>1</version>\
         <dependencies>{dependencies}</dependencies></project>"
    );
    fs::write(folder.join("pom.xml"), pom)?;
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "-f"]).arg(folder.join("pom.xml"));
    maven.arg("dependency:copy-dependencies");
    maven.arg(format!("-DoutputDirectory={}", lib.display()));
    step("the artifacts of Apache Kafka (Maven)", &mut maven)?;
    fs::write(done, "")?;
    Ok(())
}

fn dependency(group: &str, artifact: &str, version: &str) -> String {
    format!(
        "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
         <version>{version}</version></dependency>"
    )
}

/// A folder under the target directory for what a run leaves behind.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = target_dir().join("xtask").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
