//! Worker processes and calls of their REST servers.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use milena_testing_kafka::JavaWorker;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);

enum Process {
    Milena(Child),
    Java(JavaWorker),
}

/// A worker process; killed when dropped.
pub(crate) struct Worker {
    process: Process,
    pub(crate) url: String,
}

impl Worker {
    /// Starts Kafka's worker, with the small heap of the tests; it has joined its group.
    pub(crate) fn java(props: &BTreeMap<String, String>) -> Result<Self> {
        let worker = JavaWorker::start_distributed(props)?;
        let url = worker.url().to_owned();
        let process = Process::Java(worker);
        Ok(Self { process, url })
    }

    /// Starts a worker and waits for its REST server.
    pub(crate) fn start(
        binary: &PathBuf,
        dir: &Path,
        name: &str,
        props: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut text: String = props.iter().map(|(k, v)| format!("{k}={v}\n")).collect();
        text += "listeners=http://127.0.0.1:0\n";
        let file = dir.join(format!("{name}.properties"));
        fs::write(&file, text)?;
        let log = dir.join(format!("{name}.log"));
        let child = Command::new(binary)
            .arg("distributed")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .context("the worker cannot be run")?;
        let mut worker = Self {
            process: Process::Milena(child),
            url: String::new(),
        };
        until("REST answers", || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let line = text
                .lines()
                .find(|line| line.contains("the REST server listens"));
            let address = line.and_then(|line| line.split("address=").nth(1));
            if let Some(address) = address.and_then(|text| text.split_whitespace().next()) {
                worker.url = format!("http://{address}");
            }
            !worker.url.is_empty() && matches!(call("GET", &worker.url, "/", ""), Ok((200, _)))
        })?;
        Ok(worker)
    }

    /// The process.
    pub(crate) fn pid(&self) -> Result<u32> {
        match &self.process {
            Process::Milena(child) => Ok(child.id()),
            Process::Java(worker) => worker.pid().context("the Java worker has ended"),
        }
    }

    /// Resident memory.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid()?))?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        let kib: f64 = kib.context("no VmRSS")?.parse()?;
        Ok(kib / 1024.0)
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        match &mut self.process {
            Process::Milena(child) => {
                child.kill()?;
                child.wait()?;
            }
            Process::Java(worker) => worker.kill(),
        }
        Ok(())
    }

    /// SIGTERM, and the wait for its end.
    pub(crate) fn terminate(mut self) -> Result<()> {
        let pid = self.pid()?.to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        match &mut self.process {
            Process::Milena(child) => {
                child.wait()?;
                Ok(())
            }
            // Its parent has not been told yet that it ended, so it stays in the table of processes.
            Process::Java(_) => until("the Java worker has ended", || {
                let status = fs::read_to_string(format!("/proc/{pid}/status"));
                status.map_or(true, |text| text.contains("State:\tZ"))
            }),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Process::Milena(child) = &mut self.process {
            // Ended already, most of the time.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits until something holds that costs the worker next to nothing to tell.
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) -> Result<()> {
    until_asked(what, Duration::from_millis(20), holds)
}

/// Waits until something holds, asked for at this interval.
pub(crate) fn until_asked(
    what: &str,
    every: Duration,
    mut holds: impl FnMut() -> bool,
) -> Result<()> {
    let begun = Instant::now();
    while !holds() {
        if begun.elapsed() > PATIENCE {
            bail!("never: {what}");
        }
        std::thread::park_timeout(every);
    }
    Ok(())
}

/// One call: status and body.
pub(crate) fn call(method: &str, url: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let host = url.strip_prefix("http://").context("not http")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).context("no status")?.parse()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
