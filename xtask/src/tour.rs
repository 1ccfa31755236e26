//! Runs the README's first command with a time limit, then the commands of its tour, and checks what they
//! show.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{
    printed,
    provision::scratch,
    run::{cargo, root, say, step},
};

/// How long the quickstart may take until its first record has arrived, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const REST: &str = "http://127.0.0.1:8083";

/// The quickstart as a newcomer runs it.
pub(crate) fn run() -> Result<()> {
    step(
        "build of the quickstart",
        &mut cargo(&["build", "--release"]),
    )?;
    say("--- the README's first command, and its tour");
    let dir = scratch("tour")?;
    // A tour of an earlier run must not stand in for this one.
    fs::remove_dir_all(&dir)?;
    let mut command = cargo(&["run", "--release", "--quiet", "--", "quickstart", "--dir"]);
    command.arg(&dir).current_dir(root()).stdout(Stdio::piped());
    let mut quickstart = Ended(command.spawn().context("cannot run the quickstart")?);
    let outcome = tour(&mut quickstart.0, &dir);
    let pid = quickstart.0.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status()?;
    let begun = Instant::now();
    let status = quickstart.0.wait()?;
    outcome?;
    if !status.success() {
        bail!("the quickstart ended with {status} after Ctrl-C");
    }
    say(&format!(
        "stopped cleanly in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Ends the process whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

fn tour(quickstart: &mut Child, dir: &Path) -> Result<()> {
    let stdout = quickstart.stdout.take().context("no output")?;
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let deadline = Instant::now() + PATIENCE;
    let mut shown = Vec::new();
    // All connectors run and records have gone all the way.
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(line) = lines.recv_timeout(left) else {
            bail!(
                "the quickstart shows no record in time; it showed:\n{}",
                shown.join("\n")
            );
        };
        say(&format!("  {line}"));
        let arrived =
            fs::read_to_string(dir.join("output.txt")).is_ok_and(|text| text.lines().count() > 0);
        let arrived = arrived && !line.contains("orders-sink RUNNING records=0 ");
        let running = line.matches("RUNNING").count() == 4;
        shown.push(line);
        if arrived && running {
            break;
        }
    }
    let url = shown.iter().find_map(|line| {
        line.trim()
            .strip_prefix("REST")
            .map(|url| url.trim().to_owned())
    });
    let url = url.context("the quickstart does not show its REST address")?;
    let readme = fs::read_to_string(root().join("README.md"))?;
    for line in readme.lines() {
        let Some(arguments) = line.strip_prefix("curl ") else {
            continue;
        };
        let arguments = arguments.replace(REST, &url);
        let mut curl = Command::new("curl");
        curl.args(["--fail", "--max-time", "20"])
            .args(arguments.split_whitespace());
        let out = curl
            .output()
            .context("cannot run curl (Debian package curl)")?;
        if !out.status.success() {
            bail!("`{line}` failed: {}", String::from_utf8_lossy(&out.stderr));
        }
        say(&format!(
            "  {line}\n    {}",
            String::from_utf8_lossy(&out.stdout).trim()
        ));
    }
    printed::check(&readme, &url, dir)
}
