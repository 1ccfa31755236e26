//! The file that makes a directory a topic: id, number of partitions, settings.
//!
//! Lines of text with a checksum, so that a person can read it and a program can trust it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::files::replace_file;

const FILE_NAME: &str = "topic";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TopicFile {
    pub(super) id: Uuid,
    pub(super) partitions: usize,
    pub(super) overrides: BTreeMap<String, String>,
}

impl TopicFile {
    /// Writes the file into the topic's directory, durably.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        replace_file(&dir.join(FILE_NAME), self.encode().as_bytes(), true)
    }

    /// Reads the file of a topic's directory, `None` if there is none.
    pub(super) fn read(dir: &Path) -> io::Result<Option<TopicFile>> {
        let path = dir.join(FILE_NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match TopicFile::decode(&text) {
            Some(file) => Ok(Some(file)),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} is damaged: restore it or remove the topic",
                    path.display()
                ),
            )),
        }
    }

    fn encode(&self) -> String {
        let mut text = format!("id {}\npartitions {}\n", self.id, self.partitions);
        for (name, value) in &self.overrides {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "config {}={}", escape(name), escape(value));
        }
        let crc = crc32c::crc32c(text.as_bytes());
        let _ = writeln!(text, "crc32c {crc:08x}");
        text
    }

    fn decode(text: &str) -> Option<TopicFile> {
        let (covered, stated) = text.trim_end_matches('\n').rsplit_once("crc32c ")?;
        if u32::from_str_radix(stated, 16).ok()? != crc32c::crc32c(covered.as_bytes()) {
            return None;
        }
        let mut id = None;
        let mut partitions = None;
        let mut overrides = BTreeMap::new();
        for line in covered.lines() {
            match line.split_once(' ')? {
                ("id", value) => id = Some(Uuid::parse_str(value).ok()?),
                ("partitions", value) => partitions = Some(value.parse().ok()?),
                ("config", pair) => {
                    let (name, value) = pair.split_once('=')?;
                    overrides.insert(unescape(name), unescape(value));
                }
                // A newer program of the same format may say more.
                _ => {}
            }
        }
        Some(TopicFile {
            id: id?,
            partitions: partitions?,
            overrides,
        })
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '%' => out.push_str("%25"),
            '=' => out.push_str("%3d"),
            '\n' => out.push_str("%0a"),
            '\r' => out.push_str("%0d"),
            other => out.push(other),
        }
    }
    out
}

fn unescape(text: &str) -> String {
    text.replace("%0d", "\r")
        .replace("%0a", "\n")
        .replace("%3d", "=")
        .replace("%25", "%")
}
