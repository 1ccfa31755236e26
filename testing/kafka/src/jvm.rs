//! A Java process that cannot outlive us: a shell holds a pipe to us and kills it when the pipe ends.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::jars::ensure_jars;

/// How long a start may take on a busy machine; it ends at once when the process does.
const START: Duration = Duration::from_secs(120);

/// Kills its child when its standard input ends, that is, when we close it or die.
const KEEPER: &str =
    "\"$@\" </dev/null & child=$!; exec >&- 2>&-; read -r _; kill -9 $child; wait $child";

/// Options of a machine that starts soon and takes little memory.
const SMALL: [&str; 4] = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
];

/// A Java machine as Kafka's own scripts start it: their collector and its goals, with a heap from `least` to `most`
/// (`-Xms` and `-Xmx`).
#[must_use]
pub fn scripts_machine(least: &str, most: &str) -> Vec<String> {
    let heap = [format!("-Xms{least}"), format!("-Xmx{most}")];
    let fixed = [
        "-server",
        "-XX:+UseG1GC",
        "-XX:MaxGCPauseMillis=20",
        "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent",
    ];
    heap.into_iter().chain(fixed.map(str::to_owned)).collect()
}

/// The two log levels that matter, on standard output.
const LOG4J: &str = "appender.out.type=Console\nappender.out.name=OUT\nappender.out.layout.type=PatternLayout\n\
                     appender.out.layout.pattern=%p %c{1} %m%n\nrootLogger.level=INFO\n\
                     rootLogger.appenderRef.out.ref=OUT\n";

/// A running Java program.
pub(crate) struct Jvm {
    keeper: Child,
    pipe: Option<ChildStdin>,
}

impl Jvm {
    /// Runs a main class until it prints a line with `ready`, on a machine with these options or the small ones; its
    /// output goes to `<folder>/<class>.log`.
    pub(crate) fn start_on(
        folder: &Path,
        machine: Option<&[String]>,
        main: &str,
        args: &[&str],
        ready: &str,
    ) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh", "java"]);
        match machine {
            Some(machine) => command.args(machine),
            None => command.args(SMALL),
        };
        command.args(options(folder)?).arg(main).args(args);
        command.current_dir(folder).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = command.spawn().context("sh cannot be run")?;
        let pipe = keeper.stdin.take();
        let output = keeper.stdout.take().context("no output")?;
        let jvm = Self { keeper, pipe };
        let log = folder.join(format!("{main}.log"));
        // Behind what it said before it was killed.
        let mut copy = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)?;
        let (tell, told) = mpsc::channel();
        let ready = ready.to_owned();
        std::thread::spawn(move || {
            let mut tell = Some(tell);
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A full disk must not stop the reading, which would stop the process.
                let _ = writeln!(copy, "{line}");
                if line.contains(&ready)
                    && let Some(tell) = tell.take()
                {
                    let _ = tell.send(());
                }
            }
        });
        if told.recv_timeout(START).is_err() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(30)..).unwrap_or(&[]);
            bail!("{main} did not start; its last words:\n{}", tail.join("\n"));
        }
        Ok(jvm)
    }

    /// The id of the Java process, the only child of its keeper.
    pub(crate) fn pid(&self) -> Option<u32> {
        let keeper = self.keeper.id();
        let children = format!("/proc/{keeper}/task/{keeper}/children");
        let text = fs::read_to_string(children).ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    /// Kills the process and waits for its end.
    pub(crate) fn kill(&mut self) {
        drop(self.pipe.take());
        // The keeper ends right after its child; there is nothing to do about a failure to wait.
        let _ = self.keeper.wait();
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a main class to its end.
pub(crate) fn run(folder: &Path, main: &str, args: &[String]) -> Result<String> {
    let mut command = Command::new("java");
    command.args(SMALL);
    command.args(options(folder)?).arg(main).args(args);
    let output = command
        .output()
        .context("java cannot be run; install a JDK 17")?;
    if !output.status.success() {
        bail!(
            "{main} failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn options(folder: &Path) -> Result<Vec<String>> {
    let logging = folder.join("log4j2.properties");
    if !logging.exists() {
        fs::write(&logging, LOG4J)?;
    }
    Ok(vec![
        format!("-Dlog4j2.configurationFile={}", logging.display()),
        "-cp".to_owned(),
        format!("{}/*", ensure_jars()?.display()),
    ])
}

/// Where [`free_ports`] looks: below the range from which systems take the ports of outgoing connections
/// (32768 and up on Linux), so that none is taken between this call and the server's own bind.
const PORTS: std::ops::Range<u16> = 15_000..32_000;

/// Ports on loopback that are free now and are not given out a second time in this process, for servers
/// that must know their port before they start. Whoever can should bind port 0 instead.
///
/// # Errors
/// When there are not so many.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Test binaries that run side by side begin at different places.
    let start = std::process::id().wrapping_mul(97);
    let size = u32::from(PORTS.end - PORTS.start);
    let free: Vec<u16> = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed))
        .take(size as usize)
        .filter_map(|step| u16::try_from(start.wrapping_add(step) % size).ok())
        .map(|offset| PORTS.start + offset)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .take(count)
        .collect();
    if free.len() < count {
        bail!("no {count} free ports on loopback between {PORTS:?}");
    }
    Ok(free)
}
