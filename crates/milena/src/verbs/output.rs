//! Standard output of the commands: tables for people, JSON for programs, colours only on a terminal.

use std::io::{self, IsTerminal, Write};

use clap::{Args, ValueEnum};
use serde_json::Value;

/// How a command shows what it found.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// Print JSON, errors included.
    #[arg(long)]
    pub(crate) json: bool,
    /// When colours are used; NO_COLOR is honoured.
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    color: Colour,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl Shown {
    /// Whether colours are used on standard output.
    pub(crate) fn colours(self) -> bool {
        match self.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => colours(),
        }
    }
}

/// Whether standard output is a terminal that shows colours, and nobody asked for none.
pub(crate) fn colours() -> bool {
    let asked_not = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !asked_not && !dumb
}

/// Nobody reads any more: the command ends quietly.
pub(crate) struct Gone;

/// Writes text and a line end.
pub(crate) fn say(text: &str) -> Result<(), Gone> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush());
    written.map_err(|_| Gone)
}

/// Writes a JSON document over several lines.
pub(crate) fn say_json(value: &Value) -> Result<(), Gone> {
    // A `Value` can always be written.
    say(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Text of others on a terminal: without what would steer it.
pub(crate) fn plain(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(harmless).collect()
}

/// A state in its colour.
fn painted(state: &str, text: &str) -> String {
    let code = match state {
        "RUNNING" | "healthy" | "ok" => "32",
        "FAILED" | "UNASSIGNED" | "invalid" => "31",
        "PAUSED" | "STOPPED" | "RESTARTING" | "STARTING" => "33",
        _ => return text.to_owned(),
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Columns under a head, as wide as they need to be.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self {
            rows: vec![head.iter().map(|title| (*title).to_owned()).collect()],
        }
    }

    /// Adds a row; control characters of foreign text are made visible.
    pub(crate) fn row(&mut self, cells: &[&str]) {
        let cell = |text: &&str| plain(text).replace(['\n', '\t'], " ");
        self.rows.push(cells.iter().map(cell).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// The text, a line per row.
    pub(crate) fn render(&self, colours: bool) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (at, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let padded = format!("{cell:<width$}  ", width = *width);
                line.push_str(&match (colours, at) {
                    (false, _) => padded,
                    (true, 0) => format!("\x1b[1m{padded}\x1b[0m"),
                    (true, _) => painted(cell, &padded),
                });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(&["a-long-name", "RUNNING"]);
        table.row(&["é\x1b[2J", "FAILED"]);
        assert_eq!(
            table.render(false),
            "NAME         STATE\na-long-name  RUNNING\né\u{fffd}[2J        FAILED\n"
        );
        assert!(table.render(true).contains("\x1b[31mFAILED"));
    }
}
