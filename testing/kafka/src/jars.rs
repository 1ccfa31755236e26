//! Where the jars are, and how they get there.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

/// The version of Apache Kafka that Milena is compared with.
pub(crate) const KAFKA: &str = "4.3.1";
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

/// Whether the oracle cannot be had here. If so, the test is noted as skipped and must return.
#[must_use]
pub fn oracle_is_missing(test: &str) -> bool {
    let reason = match std::env::var("MILENA_NO_JAVA") {
        Ok(reason) => reason,
        Err(_) if has_jars(&libs()) => return false,
        Err(_) => "the artifacts of Apache Kafka; run: cargo xtask test".to_owned(),
    };
    skipped(test, &reason);
    true
}

/// Notes a test that cannot run for what is missing: it must return then, and the runner counts it as skipped.
pub fn skipped(test: &str, missing: &str) {
    let line = format!("{test} (missing: {missing})\n");
    if let Some(log) = std::env::var_os("MILENA_SKIP_LOG") {
        let file = fs::OpenOptions::new().append(true).create(true).open(log);
        if let Ok(mut file) = file {
            // The line on standard error below says it as well.
            let _ = file.write_all(line.as_bytes());
        }
    }
    let _ = write!(std::io::stderr(), "skipped: {line}");
}

/// The folder with the jars, installed by Maven when they are not there yet.
///
/// # Errors
/// When Maven is missing or fails.
pub fn ensure_jars() -> Result<PathBuf> {
    let lib = libs();
    if has_jars(&lib) {
        return Ok(lib);
    }
    let folder = lib.parent().context("the jars need a folder")?;
    fs::create_dir_all(folder)?;
    let mut dependencies: String = ARTIFACTS
        .iter()
        .map(|artifact| dependency("org.apache.kafka", artifact, KAFKA))
        .collect();
    dependencies += &dependency("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4");
    let pom = folder.join("pom.xml");
    let text = format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>milena</groupId><artifactId>oracle</artifactId><version>1</version>\
         <dependencies>{dependencies}</dependencies></project>"
    );
    fs::write(&pom, text)?;
    let status = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", lib.display()))
        .status()
        .context("mvn cannot be run; install Maven and a JDK 17")?;
    if !status.success() || !has_jars(&lib) {
        bail!("mvn did not install Apache Kafka {KAFKA}; see its output above");
    }
    Ok(lib)
}

fn dependency(group: &str, artifact: &str, version: &str) -> String {
    format!(
        "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
         <version>{version}</version></dependency>"
    )
}

fn has_jars(lib: &Path) -> bool {
    lib.join(format!("kafka_2.13-{KAFKA}.jar")).exists()
}

fn libs() -> PathBuf {
    std::env::var_os("MILENA_KAFKA_LIBS").map_or_else(
        || {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
            let target = std::env::var_os("CARGO_TARGET_DIR")
                .map_or_else(|| root.join("target"), PathBuf::from);
            target.join("kafka-libs").join("lib")
        },
        PathBuf::from,
    )
}
