//! Real servers from Debian's packages, each on its own data; ended by their process id.

use std::{
    io::Write as _,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
    dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children end with it; the data goes with the folder.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Notes a test as skipped, as the tests against the Java worker do.
fn skip(test: &str, missing: &str) -> Option<Server> {
    let line = format!("{test} (missing: {missing})\n");
    if let Some(log) = std::env::var_os("MILENA_SKIP_LOG") {
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(log)
            .unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
    eprint!("skipped: {line}");
    None
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn id(flag: &str, user: &[&str]) -> Option<u32> {
    let out = Command::new("id").arg(flag).args(user).output().ok()?;
    String::from_utf8(out.stdout).ok()?.trim().parse().ok()
}

/// A command as the server's own user when we are root, who may not run servers.
fn as_user(program: &Path, user: &str) -> Command {
    let mut command = Command::new(program);
    if id("-u", &[]) == Some(0) {
        let (uid, gid) = (id("-u", &[user]).unwrap(), id("-g", &[user]).unwrap());
        command.uid(uid).gid(gid);
    }
    command.stdin(Stdio::null());
    command
}

fn folder(user: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    if id("-u", &[]) == Some(0) {
        chown(dir.path(), id("-u", &[user]), id("-g", &[user])).unwrap();
    }
    dir
}

fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// Starts the server until it answers; another port when somebody took ours in between.
async fn start(dir: tempfile::TempDir, command: impl Fn(&Path, u16) -> Command) -> Server {
    for _ in 0..5 {
        let port = free_port();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut child = command(dir.path(), port)
            .current_dir(dir.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            let text = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            if text.contains("ready to accept connections")
                || text.contains("ready for connections")
            {
                return Server { child, port, dir };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let _ended = child.kill();
        let _status = child.wait();
    }
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    panic!("the server does not start: {log}");
}

/// PostgreSQL of any version; `None` where it is not installed.
pub(crate) async fn postgres(test: &str) -> Option<Server> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let bin = versions
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .max();
    let Some(bin) = bin else {
        return skip(test, "PostgreSQL (Debian package postgresql)");
    };
    let dir = folder("postgres");
    let data = dir.path().join("data");
    run(as_user(&bin.join("initdb"), "postgres")
        .args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "-D",
        ])
        .arg(&data));
    Some(
        start(dir, |dir, port| {
            let mut command = as_user(&bin.join("postgres"), "postgres");
            command.arg("-D").arg(&data).arg("-k").arg(dir);
            command.args([
                "-p",
                &port.to_string(),
                "-c",
                "fsync=off",
                "-c",
                "listen_addresses=127.0.0.1",
            ]);
            command
        })
        .await,
    )
}

/// MariaDB; `None` where it is not installed.
pub(crate) async fn mariadb(test: &str) -> Option<Server> {
    let found = |name: &str| {
        ["/usr/sbin", "/usr/bin"]
            .iter()
            .map(|dir| PathBuf::from(dir).join(name))
            .find(|path| path.exists())
    };
    let (Some(install), Some(server)) = (found("mariadb-install-db"), found("mariadbd")) else {
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
    Some(
        start(dir, |dir, port| {
            let mut command = as_user(&server, "mysql");
            command
                .arg("--no-defaults")
                .arg(format!("--datadir={}", data.display()));
            command
                .arg(format!("--socket={}/s.sock", dir.display()))
                .arg(format!("--pid-file={}/pid", dir.display()));
            command.args([
                &format!("--port={port}"),
                "--bind-address=127.0.0.1",
                "--innodb-flush-log-at-trx-commit=0",
            ]);
            command
        })
        .await,
    )
}

impl Server {
    /// The folder of the server, for files that it reads.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}
