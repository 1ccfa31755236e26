//! What happened: a hash of everything, and on demand the words.

use std::fmt::{self, Write};

/// Lines kept for a failure's report; a whole history of ten minutes.
const LINES_MAX: usize = 200_000;

/// A running hash over every event, and the last lines if they are wanted.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    lines: Option<std::collections::VecDeque<String>>,
}

impl Trace {
    /// `words`: keep the lines.
    #[must_use]
    pub fn new(words: bool) -> Self {
        Self {
            hash: 0xcbf2_9ce4_8422_2325,
            lines: words.then(Default::default),
        }
    }

    /// Notes one event.
    pub fn note(&mut self, at: u64, who: &str, what: fmt::Arguments<'_>) {
        let _ = write!(Hasher(&mut self.hash), "{at} {who} {what}");
        if let Some(lines) = &mut self.lines {
            if lines.len() == LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(format!("{:>9.3}s {who:<12} {what}", at as f64 / 1000.0));
        }
    }

    /// Equal for equal histories.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines, oldest first; none if they were not wanted.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().flatten().map(String::as_str)
    }
}

/// FNV-1a over whatever is written.
struct Hasher<'a>(&'a mut u64);

impl Write for Hasher<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.0 = (*self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}
