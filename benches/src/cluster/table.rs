//! The figures of a run beside what they should be.

use std::time::Duration;

/// The figures so far; each is said at once, and all of them at the end.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<(String, String, Option<String>)>,
    missed: usize,
}

impl Table {
    /// Takes up a time; `most`: what it may be.
    pub(crate) fn time(&mut self, what: &str, took: Duration, most: Option<Duration>) {
        let seconds = |time: Duration| format!("{:.3} s", time.as_secs_f64());
        self.number(
            what,
            took.as_secs_f64(),
            seconds(took),
            most.map(|most| (most.as_secs_f64(), seconds(most))),
        );
    }

    /// Takes up an amount of memory in MiB.
    pub(crate) fn memory(&mut self, what: &str, mib: f64, most: Option<f64>) {
        let text = |mib: f64| format!("{mib:.1} MiB");
        self.number(what, mib, text(mib), most.map(|most| (most, text(most))));
    }

    /// Takes up a count.
    pub(crate) fn count(&mut self, what: &str, count: usize, most: Option<usize>) {
        self.number(
            what,
            count as f64,
            count.to_string(),
            most.map(|most| (most as f64, most.to_string())),
        );
    }

    fn number(&mut self, what: &str, value: f64, text: String, most: Option<(f64, String)>) {
        let target = most.map(|(most, text)| {
            let kept = value <= most;
            self.missed += usize::from(!kept);
            format!("<= {text}: {}", if kept { "kept" } else { "MISSED" })
        });
        println!("{what}: {text}");
        self.rows.push((what.to_owned(), text, target));
    }

    /// Says everything.
    pub(crate) fn print(&self) {
        println!("\n| figure | measured | wanted |\n|---|---|---|");
        for (what, value, target) in &self.rows {
            println!("| {what} | {value} | {} |", target.as_deref().unwrap_or(""));
        }
        println!("\n{} figures, {} missed", self.rows.len(), self.missed);
    }
}
