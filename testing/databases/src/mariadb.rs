//! MariaDB: user `root` without a password, database `test`.

use std::{path::Path, process::Command};

use crate::server::{Server, as_user, folder, found, run, skip, start};

/// Starts it with more arguments; `None` where it is not installed, and the test is counted as skipped.
#[must_use]
pub fn mariadb(test: &str, more: &[&str]) -> Option<Server> {
    let (Some(install), Some(program)) = (found("mariadb-install-db"), found("mariadbd")) else {
        return skip(test, "MariaDB (Debian package mariadb-server)");
    };
    let dir = folder("mysql");
    let data = dir.path().join("data");
    run(as_user(&install, "mysql")
        .args([
            "--no-defaults",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ])
        .arg(format!("--datadir={}", data.display())));
    let server = start(dir, client, |dir: &Path, port| {
        let mut command = as_user(&program, "mysql");
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}/s.sock", dir.display()))
            .arg(format!("--pid-file={}/pid", dir.display()))
            .arg(format!("--port={port}"))
            .args([
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=0",
            ])
            .args(more);
        command
    });
    let mut make = Command::new("mariadb");
    make.args(["--no-defaults", "-h", "127.0.0.1", "-P"]);
    make.args([&server.port.to_string(), "-u", "root", "-e"]);
    run(make.arg("create database if not exists test character set utf8mb4"));
    Some(server)
}

pub(crate) fn client(port: u16) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "-h", "127.0.0.1", "-P", &port.to_string()]);
    command.args([
        "-u",
        "root",
        "-N",
        "-B",
        "-r",
        "--default-character-set=utf8mb4",
    ]);
    command
        .arg("--init-command=set time_zone='+00:00'")
        .arg("test");
    command
}
