//! A `milena` process under test, ended by its own process id.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up; generous, because machines are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the state of another process, which has no event to wait on.
pub(crate) fn between_looks() {
    std::thread::park_timeout(Duration::from_millis(5));
}

pub(crate) struct Milena {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Arc<Mutex<String>>,
    /// Reads standard error to its end.
    reader: Option<std::thread::JoinHandle<()>>,
}

/// A finished command: its code and what it wrote.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for name in ["LOG", "URL", "USER", "PASSWORD", "NETRC", "CACERT"] {
        command.env_remove(format!("MILENA_{name}"));
    }
    command
}

/// Runs a command that ends by itself.
pub(crate) fn run(args: &[&str]) -> Finished {
    let out = command(args).output().unwrap();
    Finished {
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

impl Milena {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = command(args).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let stdout: ChildStdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let said = Arc::new(Mutex::new(String::new()));
        let errors: ChildStderr = child.stderr.take().unwrap();
        let kept = Arc::clone(&said);
        // Read all the time: a process whose pipe is full stands still.
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        Self {
            child,
            lines,
            said,
            reader: Some(reader),
        }
    }

    /// Where it listens, as the line of its log says that says this.
    pub(crate) fn address(&mut self, says: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Looked at first: what it said before it ended is there then.
            let ended = self.child.try_wait().unwrap();
            let said = self.said.lock().unwrap().clone();
            let line = said.lines().find(|line| line.contains(says));
            let address = line
                .and_then(|line| line.split_once("address="))
                .map(|at| at.1);
            if let Some(address) = address.and_then(|text| text.split_whitespace().next()) {
                return address.to_owned();
            }
            assert!(ended.is_none(), "it ended ({ended:?}): {said}");
            assert!(
                Instant::now() < deadline,
                "it does not say {says:?}: {said}"
            );
            between_looks();
        }
    }

    /// The port of its REST server.
    pub(crate) fn rest_port(&mut self) -> u16 {
        let address = self.address("the REST server listens");
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// The quickstart on free ports in this directory, with JSON lines.
    pub(crate) fn quickstart(dir: &Path, more: &[&str]) -> Self {
        let dir = dir.to_str().unwrap();
        let mut args = vec![
            "quickstart",
            "--dir",
            dir,
            "--broker-port",
            "0",
            "--rest-port",
            "0",
            "--json",
        ];
        args.extend_from_slice(more);
        Self::start(&args)
    }

    /// The next line of standard output that is JSON with this event.
    pub(crate) fn event(&mut self, name: &str) -> serde_json::Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|_| {
                let text = self.said.lock().unwrap();
                panic!("no event {name:?}; standard error: {text}")
            });
            let json: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if json["event"] == name {
                return json;
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.child.wait().unwrap()
    }

    /// SIGTERM; everything it wrote to both streams, and its code.
    pub(crate) fn output_at_end(mut self) -> (String, Option<i32>) {
        self.signal("-TERM");
        let code = self.child.wait().unwrap().code();
        // Both readers end with the process.
        let mut said: String = self.lines.iter().map(|line| line + "\n").collect();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        said.push_str(&self.said.lock().unwrap());
        (said, code)
    }

    /// SIGINT, and how it ended.
    pub(crate) fn interrupt(mut self) -> ExitStatus {
        self.signal("-INT");
        self.child.wait().unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Milena {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A blocking GET: the status and the body.
pub(crate) fn get(url: &str) -> (u16, String) {
    call("GET", url, "")
}

/// A blocking call with nothing but the standard library: the status and the body.
pub(crate) fn call(method: &str, url: &str, body: &str) -> (u16, String) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(h, p)| (h, p.to_owned()));
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned())
        .unwrap_or_default();
    (status, body)
}
