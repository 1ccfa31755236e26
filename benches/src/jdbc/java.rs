//! Debezium's JDBC sink in the Java worker, on the same topic into the same database.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};
use milena_testing_kafka::{JavaWorker, scripts_machine};

use crate::{
    Bench, HEAP, JAVA_MAX,
    process::{call, until},
};

/// Between two counts of a table that fills: a count takes processor time from those who are measured.
const LOOK: std::time::Duration = std::time::Duration::from_millis(250);
/// Debezium's archive of the connector and all that it needs.
const ARTIFACT: &str = "io.debezium:debezium-connector-jdbc:3.6.0.Final:tar.gz:plugin";

/// The folder with the connector, from Maven.
fn plugin(bench: &Bench) -> Result<PathBuf> {
    let dir = bench.dir.path().join("plugins");
    std::fs::create_dir_all(&dir)?;
    let maven = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";
    let run = |command: &mut Command| -> Result<()> {
        let out = command.output().context("cannot run it")?;
        if !out.status.success() {
            bail!("{command:?}: {}", String::from_utf8_lossy(&out.stdout));
        }
        Ok(())
    };
    run(Command::new("mvn")
        .args(["-q", "-B", &format!("{maven}:get"), "-Dtransitive=false"])
        .arg(format!("-Dartifact={ARTIFACT}")))?;
    run(Command::new("mvn")
        .args(["-q", "-B", &format!("{maven}:copy")])
        .arg(format!("-Dartifact={ARTIFACT}"))
        .arg(format!("-DoutputDirectory={}", dir.display())))?;
    let archive = std::fs::read_dir(&dir)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "gz"))
        .context("Maven brought no archive")?;
    run(Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(&dir))?;
    Ok(dir)
}

/// Insert and upsert; how much faster Milena was.
pub(crate) fn measure(bench: &Bench, insert: f64, upsert: f64) -> Result<()> {
    let dir = match plugin(bench) {
        Ok(dir) => dir,
        Err(error) => {
            println!("java: not measured: {error:#}");
            return Ok(());
        }
    };
    let mut props = bench.props("java");
    props.insert("plugin.path".to_owned(), dir.display().to_string());
    let worker = JavaWorker::start_distributed_on(&props, Some(&scripts_machine(HEAP, HEAP)))?;
    until("Java serves", || {
        matches!(call("GET", worker.url(), "/connectors", ""), Ok((200, _)))
    })?;
    let url = bench.url();
    let url = url.split('?').next().unwrap_or_default();
    for (table, mode, ours) in [
        ("java_inserted", "insert", insert),
        ("java_upserted", "upsert", upsert),
    ] {
        let mut config = vec![
            (
                "connector.class",
                "io.debezium.connector.jdbc.JdbcSinkConnector",
            ),
            ("connection.url", url),
            ("connection.username", "postgres"),
            ("connection.password", "x"),
            ("topics", "rows0-source"),
            ("collection.name.format", table),
            ("insert.mode", mode),
            ("schema.evolution", "basic"),
            ("batch.size", &bench.batch),
            // It writes no more at once than one poll brings.
            ("consumer.override.max.poll.records", &bench.batch),
        ];
        match mode {
            "upsert" => config.extend([
                ("primary.key.mode", "record_value"),
                ("primary.key.fields", "id"),
            ]),
            _ => config.push(("primary.key.mode", "none")),
        }
        let begun = std::time::Instant::now();
        bench.create(worker.url(), table, &config)?;
        // It makes the table itself, when the first record comes.
        crate::process::until("the table is full", || {
            std::thread::park_timeout(LOOK);
            bench.watch.count(table).unwrap_or(0) >= bench.rows || begun.elapsed() > JAVA_MAX
        })?;
        let count = bench.watch.count(table).unwrap_or(0);
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        if count == 0 {
            let (_, status) = call(
                "GET",
                worker.url(),
                &format!("/connectors/{table}/status"),
                "",
            )?;
            println!("java: Debezium's sink wrote nothing: {status}");
            continue;
        }
        println!(
            "java: Kafka -> table, {mode} (Debezium 3.6.0): {rate:.0} rows/s ({count} rows); milena is {:.1} times as fast",
            ours / rate
        );
        call("DELETE", worker.url(), &format!("/connectors/{table}"), "")?;
    }
    Ok(())
}
