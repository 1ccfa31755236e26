//! Appends lines to the demo's input file, so that a newcomer sees movement.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio_util::sync::CancellationToken;

/// How often lines are written; a batch per tick keeps high rates cheap.
const TICK: Duration = Duration::from_millis(50);
/// Lines that a fresh input file starts with, so that the first second shows something.
const FIRST_LINES: u64 = 10;
/// How much of the end of an existing file is read to find the last number.
const TAIL_BYTES: u64 = 4096;

/// Appends numbered lines until it is stopped.
pub(crate) struct Generator {
    file: File,
    next: u64,
}

const ORDERS: [&str; 6] = [
    "espresso",
    "flat white",
    "mate",
    "rooibos",
    "cocoa",
    "water",
];

impl Generator {
    /// Opens the file for appending and finds the number to go on with.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)?;
        let next = next_number(&mut file)?;
        let mut generator = Self { file, next };
        if next == 0 {
            generator.append(FIRST_LINES)?;
        }
        Ok(generator)
    }

    fn append(&mut self, lines: u64) -> io::Result<()> {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut text = String::new();
        for _ in 0..lines {
            let item = usize::try_from(self.next)
                .ok()
                .and_then(|n| ORDERS.get(n % ORDERS.len()));
            text.push_str(&format!(
                "{} order={} item=\"{}\" quantity={}\n",
                since.as_millis(),
                self.next,
                item.unwrap_or(&"water"),
                self.next % 5 + 1
            ));
            self.next += 1;
        }
        self.file.write_all(text.as_bytes())
    }

    /// Appends at the given rate until cancelled.
    pub(crate) async fn run(mut self, rate: u32, stopping: CancellationToken) -> io::Result<()> {
        let mut ticks = tokio::time::interval(TICK);
        let mut owed = 0.0;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            owed += f64::from(rate) * TICK.as_secs_f64();
            if owed >= 1.0 {
                self.append(owed as u64)?;
                owed -= owed.floor();
            }
        }
    }
}

/// One more than the number in the last whole line; an unfinished last line is finished first, so that
/// the next line does not run into it.
fn next_number(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut tail = String::new();
    for line in BufReader::new(Read::by_ref(file).take(TAIL_BYTES))
        .lines()
        .map_while(Result::ok)
    {
        if line.contains("order=") {
            tail = line;
        }
    }
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    let number = tail
        .split_whitespace()
        .find_map(|word| word.strip_prefix("order="));
    Ok(number
        .and_then(|n| n.parse::<u64>().ok())
        .map_or(0, |n| n + 1))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Generator;

    #[test]
    fn a_second_run_goes_on_with_the_next_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("input.txt");
        Generator::open(&path).unwrap().append(3).unwrap();
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("cut");
        fs::write(&path, text).unwrap();
        let mut second = Generator::open(&path).unwrap();
        second.append(1).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let numbers: Vec<&str> = text
            .lines()
            .filter_map(|l| l.split("order=").nth(1))
            .map(|r| r.split(' ').next().unwrap())
            .collect();
        assert_eq!(numbers.len(), 14);
        assert_eq!(numbers.last(), Some(&"13"));
        assert!(text.ends_with('\n'));
    }
}
