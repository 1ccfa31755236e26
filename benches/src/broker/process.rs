//! The two brokers as processes, and what the system knows of them.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use milena_testing_kafka::{BrokerOptions, KafkaBroker, free_ports, scripts_machine};
use tempfile::TempDir;

use crate::client::Client;

const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) enum Server {
    Milena { child: Child, _dir: Option<TempDir> },
    Kafka { _broker: Box<KafkaBroker> },
}

/// A running broker.
pub(crate) struct Broker {
    server: Server,
    pub(crate) pid: u32,
    pub(crate) bootstrap: String,
    /// From the start of the process to its first answer.
    pub(crate) start: Duration,
}

/// Processor time and memory of a process.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) rss_kb: u64,
    pub(crate) rss_most_kb: u64,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Server::Milena { child, .. } = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Broker {
    /// A new one on an empty folder.
    pub(crate) fn milena(binary: &Path) -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let mut broker = Self::milena_on(binary, dir.path())?;
        if let Server::Milena { _dir, .. } = &mut broker.server {
            *_dir = Some(dir);
        }
        Ok(broker)
    }

    /// One on what lies in a folder.
    pub(crate) fn milena_on(binary: &Path, dir: &Path) -> Result<Self> {
        let port = free_ports(1)?.first().copied().context("no port")?;
        let bootstrap = format!("127.0.0.1:{port}");
        let begun = Instant::now();
        let child = Command::new(binary)
            .args(["broker", "--listen", &bootstrap, "--data"])
            .arg(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        let pid = child.id();
        let server = Server::Milena { child, _dir: None };
        first_answer(&bootstrap, begun)?;
        Ok(Self {
            server,
            pid,
            bootstrap,
            start: begun.elapsed(),
        })
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<Duration> {
        let begun = Instant::now();
        if let Server::Milena { child, .. } = &mut self.server {
            Command::new("kill").arg(self.pid.to_string()).status()?;
            child.wait()?;
        }
        Ok(begun.elapsed())
    }

    pub(crate) fn kafka() -> Result<Self> {
        let options = BrokerOptions {
            jvm: Some(scripts_machine("1g", "1g")),
            ..BrokerOptions::default()
        };
        let mut broker = KafkaBroker::start_with(&options)?;
        // The first start formats its folder besides; the second is measured.
        let begun = Instant::now();
        broker.restart()?;
        let bootstrap = broker.bootstrap();
        first_answer(&bootstrap, begun)?;
        Ok(Self {
            pid: broker.pid().context("no process id")?,
            start: begun.elapsed(),
            server: Server::Kafka {
                _broker: Box::new(broker),
            },
            bootstrap,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.server {
            Server::Milena { .. } => "milena",
            Server::Kafka { .. } => "Apache Kafka",
        }
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let (_, fields) = stat.rsplit_once(')').context("stat")?;
        let mut fields = fields.split_whitespace();
        // User and system time are the 14th and 15th fields, the name being the second.
        let user: u64 = fields.nth(11).context("stat")?.parse()?;
        let system: u64 = fields.next().context("stat")?.parse()?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let kb = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            Ok(number.context("status")?.parse()?)
        };
        Ok(Usage {
            // A tick is a hundredth of a second on Linux.
            cpu: Duration::from_millis(10 * (user + system)),
            rss_kb: kb("VmRSS:")?,
            rss_most_kb: kb("VmHWM:")?,
        })
    }
}

fn first_answer(bootstrap: &str, begun: Instant) -> Result<()> {
    while Client::connect(bootstrap)
        .and_then(|mut client| client.versions())
        .is_err()
    {
        if begun.elapsed() > PATIENCE {
            bail!("no answer from {bootstrap}");
        }
        std::thread::park_timeout(Duration::from_micros(500));
    }
    Ok(())
}
