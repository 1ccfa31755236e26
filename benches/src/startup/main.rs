//! How soon the quickstart answers: process start to `GET /` = 200, and to the first record in the output
//! file. `cargo run --release -p milena-benches --bin startup -- target/release/milena [RUNS]`
//!
//! Each run starts from an empty directory and, once, from the directory of the run before.

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

const PATIENCE: Duration = Duration::from_secs(60);

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let binary = args.next().context("usage: startup MILENA [RUNS]")?;
    let runs: usize = args.next().map_or(Ok(9), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let (mut fresh, mut again) = (Vec::new(), Vec::new());
    for run in 0..runs {
        let place = dir.path().join(run.to_string());
        fresh.push(measure(&binary, &place)?);
        again.push(measure(&binary, &place)?);
    }
    print("empty directory", &fresh)?;
    print("second start", &again)
}

struct Figures {
    rest: Duration,
    record: Duration,
    rss_kb: u64,
    stop: Duration,
}

fn measure(binary: &str, dir: &Path) -> Result<Figures> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let output = dir.join("output.txt");
    let before = fs::metadata(&output).map_or(0, |meta| meta.len());
    let begun = Instant::now();
    let child = Command::new(binary)
        .args([
            "quickstart",
            "--broker-port",
            "0",
            "--json",
            "--rest-port",
            &port.to_string(),
            "--dir",
        ])
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("cannot run {binary}"))?;
    let mut child = Ended(child);
    let rest = until(begun, || answers(port))?;
    let record = until(begun, || {
        fs::metadata(&output).is_ok_and(|meta| meta.len() > before)
    })?;
    let status = fs::read_to_string(format!("/proc/{}/status", child.0.id()))?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let rss_kb = rss
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let stopping = Instant::now();
    Command::new("kill")
        .args(["-INT", &child.0.id().to_string()])
        .status()?;
    let ended = child.0.wait()?;
    if !ended.success() {
        bail!("the quickstart ended with {ended}");
    }
    Ok(Figures {
        rest,
        record,
        rss_kb,
        stop: stopping.elapsed(),
    })
}

fn until(begun: Instant, mut holds: impl FnMut() -> bool) -> Result<Duration> {
    loop {
        if holds() {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > PATIENCE {
            bail!("nothing happened in {PATIENCE:?}");
        }
        std::thread::yield_now();
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn print(what: &str, figures: &[Figures]) -> Result<()> {
    let spread = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            values
                .get((values.len() as f64 * share) as usize)
                .copied()
                .unwrap_or_default()
        };
        (
            at(0.5),
            values.first().copied().unwrap_or_default(),
            values.last().copied().unwrap_or_default(),
        )
    };
    let ms = |pick: fn(&Figures) -> Duration| {
        spread(
            figures
                .iter()
                .map(|figure| pick(figure).as_secs_f64() * 1000.0)
                .collect(),
        )
    };
    let mut out = std::io::stdout().lock();
    for (name, (median, least, most)) in [
        ("GET / = 200", ms(|f| f.rest)),
        ("first record in the output", ms(|f| f.record)),
        ("clean stop", ms(|f| f.stop)),
    ] {
        writeln!(
            out,
            "{what:<16} {name:<28} median {median:>7.0} ms   least {least:.0}   most {most:.0}"
        )?;
    }
    let rss = spread(
        figures
            .iter()
            .map(|figure| figure.rss_kb as f64 / 1024.0)
            .collect(),
    );
    writeln!(out, "{what:<16} {:<28} median {:>7.1} MiB", "RSS", rss.0)?;
    Ok(())
}
