//! The memory of a worker whose sink does not move while its topic is full: a file that is a pipe nobody reads.

use std::{collections::BTreeMap, fs, io::Read as _, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::runtime::Runtime;

use crate::{
    input::Content,
    worker::{Bench, begin, end, fill, topic_of},
};

/// When the memory is looked at, from the connector's creation on.
const LOOKS: [u64; 3] = [5, 15, 30];

/// Each worker in turn.
pub(crate) fn run(runtime: &Runtime, bench: &mut Bench, records: u64) -> Result<()> {
    runtime.block_on(fill(bench.bootstrap(), Content::Line, records))?;
    for (worker, url, pid) in bench.workers()? {
        let pipe = bench.dir().join(format!("stalled-{worker}"));
        let made = Command::new("mkfifo").arg(&pipe).status()?;
        ensure!(made.success(), "mkfifo failed");
        // Open for both, so that nobody waits for a reader.
        let mut reader = fs::OpenOptions::new().read(true).write(true).open(&pipe)?;
        let before = resident(pid)?;
        let name = format!("stalled-{worker}");
        let config = BTreeMap::from([
            ("connector.class", "FileStreamSink".to_owned()),
            ("topics", topic_of(Content::Line)),
            ("file", pipe.display().to_string()),
        ]);
        begin(&url, &name, &config)?;
        let (mut at, mut seen) = (0, Vec::new());
        for look in LOOKS {
            std::thread::park_timeout(Duration::from_secs(look - at));
            at = look;
            seen.push(format!("{:.1} after {look} s", resident(pid)?));
        }
        println!(
            "{:<24} {worker:<8} MB resident: {before:.1} before, {}",
            "stalled sink",
            seen.join(", ")
        );
        // The write that waits is let go.
        std::thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while reader.read(&mut bytes).is_ok() {}
        });
        end(&url, &name)?;
    }
    Ok(())
}

/// Resident megabytes.
fn resident(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.context("no memory is told")?.parse::<f64>()? / 1024.0)
}
