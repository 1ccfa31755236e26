//! A server process: started until it answers, asked by its own command line client, ended by its id.

use std::{
    io::Write as _,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at its log.
const LOOK: Duration = Duration::from_millis(20);

/// A running server with its own data, which goes with it.
pub struct Server {
    child: Child,
    /// Where it listens on loopback.
    pub port: u16,
    dir: tempfile::TempDir,
    /// Its client with all arguments but the statement.
    client: fn(u16) -> Command,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its children end with it; the data goes with the folder.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Server {
    /// The folder of the server, for files that it reads.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs statements; the rows of the last one, columns joined by `|`, null as `null`.
    ///
    /// # Panics
    /// When the server refuses a statement, with its words.
    pub fn sql(&self, text: &str) -> Vec<String> {
        self.try_sql(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// As [`Self::sql`]; an error is what the client says.
    ///
    /// # Errors
    /// When a statement is refused.
    pub fn try_sql(&self, text: &str) -> Result<Vec<String>, String> {
        let mut client = (self.client)(self.port)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = client.stdin.take().unwrap();
        let text = text.to_owned();
        let feeder = std::thread::spawn(move || {
            // A client that refuses a statement stops reading.
            let _ended = input.write_all(text.as_bytes());
        });
        let out = client.wait_with_output().unwrap();
        feeder.join().unwrap();
        if !out.status.success() {
            return Err(String::from_utf8_lossy(&out.stderr).into_owned());
        }
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        Ok(text.lines().map(|line| line.replace('\t', "|")).collect())
    }
}

/// Notes a test as skipped, as the tests against the Java worker do.
pub(crate) fn skip(test: &str, missing: &str) -> Option<Server> {
    milena_testing_kafka::skipped(test, missing);
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

/// Gives a file to the server's user when we are root.
pub(crate) fn give(path: &Path, user: &str) {
    if id("-u", &[]) == Some(0) {
        chown(path, id("-u", &[user]), id("-g", &[user])).unwrap();
    }
}

/// A command as the server's own user when we are root, who may not run servers.
pub(crate) fn as_user(program: &Path, user: &str) -> Command {
    let mut command = Command::new(program);
    if id("-u", &[]) == Some(0) {
        let (uid, gid) = (id("-u", &[user]).unwrap(), id("-g", &[user]).unwrap());
        command.uid(uid).gid(gid);
    }
    command.stdin(Stdio::null());
    command
}

pub(crate) fn folder(user: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    give(dir.path(), user);
    dir
}

pub(crate) fn run(command: &mut Command) {
    let out = command.output().unwrap();
    assert!(
        out.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
}

/// What `cargo xtask provision` installed under this name, where the server's user can read it: the target directory
/// may be closed to it.
pub(crate) fn installed(name: &str, user: &str, into: &Path) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("databases").join(name);
    if !folder.join(".installed").exists() {
        return None;
    }
    let folder = folder.canonicalize().unwrap();
    let mut open = as_user(Path::new("/usr/bin/test"), user);
    if open
        .arg("-r")
        .arg(folder.join(".installed"))
        .status()
        .unwrap()
        .success()
    {
        return Some(folder);
    }
    let copy = into.join(name);
    run(Command::new("cp").arg("-r").arg(&folder).arg(&copy));
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(&copy));
    Some(copy)
}

/// The first of these programs in the places where Debian has them.
pub(crate) fn found(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/usr/bin"]
        .iter()
        .map(|dir| PathBuf::from(dir).join(name))
        .find(|path| path.exists())
}

/// Starts the server until it answers; another port when somebody took ours in between.
pub(crate) fn start(
    dir: tempfile::TempDir,
    client: fn(u16) -> Command,
    command: impl Fn(&Path, u16) -> Command,
) -> Server {
    for _ in 0..5 {
        let port = free_port();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut child = command(dir.path(), port)
            .current_dir(dir.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            let text = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            if text.contains("ready to accept connections")
                || text.contains("ready for connections")
            {
                return Server {
                    child,
                    port,
                    dir,
                    client,
                };
            }
            std::thread::park_timeout(LOOK);
        }
        let _ended = child.kill();
        let _status = child.wait();
    }
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
    panic!("the server does not start: {log}");
}
