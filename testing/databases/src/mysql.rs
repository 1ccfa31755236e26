//! Oracle's MySQL: user `root` without password, database `test`.

use std::{path::Path, process::Command};

use crate::{
    mariadb::client,
    server::{Server, as_user, folder, found, give, installed, run, skip, start},
};

/// Starts it with more arguments; `None` where it is not installed, and the test is counted as skipped.
///
/// It is of version 5.5: no fractions of seconds, no JSON, an upsert by `VALUES()` only.
#[must_use]
pub fn mysql(test: &str, more: &[&str]) -> Option<Server> {
    let dir = folder("mysql");
    let (Some(installed), Some(_)) = (installed("mysql", "mysql", dir.path()), found("mariadb"))
    else {
        return skip(
            test,
            "MySQL (cargo xtask provision) and the client of MariaDB",
        );
    };
    let base = installed.join("5-5-9");
    let data = dir.path().join("data");
    run(Command::new("cp")
        .arg("-r")
        .arg(base.join("data"))
        .arg(&data));
    let listed = Command::new("find").arg(&data).output().unwrap().stdout;
    for path in String::from_utf8(listed).unwrap().lines() {
        give(Path::new(path), "mysql");
    }
    let server = start(dir, client, |dir: &Path, port| {
        let mut command = as_user(&base.join("Linux-x86_64/mysqld"), "mysql");
        let path = |name: &str, path: &Path| format!("--{name}={}", path.display());
        command
            .arg("--no-defaults")
            .arg(path("basedir", &base))
            .arg(path("datadir", &data))
            .arg(path("lc-messages-dir", &base.join("share/english")))
            .arg(path("character-sets-dir", &base.join("share/charsets")))
            .arg(path("socket", &dir.join("s.sock")))
            .arg(path("pid-file", &dir.join("pid")))
            .arg(format!("--port={port}"))
            .args([
                "--bind-address=127.0.0.1",
                "--default-storage-engine=InnoDB",
                "--innodb-flush-log-at-trx-commit=0",
            ])
            .args(more);
        command
    });
    server.sql("alter database test character set utf8mb4");
    Some(server)
}
