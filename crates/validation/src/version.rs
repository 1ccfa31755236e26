//! Versions and version ranges as Maven writes them (KIP-891): `1.2` means exactly that, `[1,2)` a range.

use std::cmp::Ordering;

/// A range that versions are in or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    sets: Vec<Set>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Set {
    low: Option<(String, bool)>,
    high: Option<(String, bool)>,
}

/// A range that cannot be read; the text is the parser's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unbounded range: {0}")]
pub struct RangeError(String);

impl VersionRange {
    /// Reads a range; `None`: the newest version will do (`latest`).
    ///
    /// # Errors
    /// A bracket is not closed.
    pub fn parse(text: &str) -> Result<Option<Self>, RangeError> {
        let text = text.trim();
        if text == "latest" {
            return Ok(None);
        }
        if !text.starts_with(['[', '(']) {
            let bound = Some((text.to_owned(), true));
            let set = Set {
                low: bound.clone(),
                high: bound,
            };
            return Ok(Some(Self {
                text: format!("[{text},{text}]"),
                sets: vec![set],
            }));
        }
        let mut sets = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.chars().next().filter(|c| matches!(c, '[' | '(')) {
            let Some(end) = rest.find([']', ')']) else {
                return Err(RangeError(rest.to_owned()));
            };
            let inner = rest.get(1..end).unwrap_or_default();
            let closed = rest.get(end..=end) == Some("]");
            let bound = |text: &str, included| {
                let text = text.trim();
                (!text.is_empty()).then(|| (text.to_owned(), included))
            };
            sets.push(match inner.split_once(',') {
                Some((low, high)) => Set {
                    low: bound(low, open == '['),
                    high: bound(high, closed),
                },
                None => Set {
                    low: bound(inner, true),
                    high: bound(inner, true),
                },
            });
            rest = rest
                .get(end + 1..)
                .unwrap_or_default()
                .trim_start_matches([',', ' ']);
        }
        Ok(Some(Self {
            text: text.to_owned(),
            sets,
        }))
    }

    /// Whether a version is in the range.
    #[must_use]
    pub fn contains(&self, version: &str) -> bool {
        self.sets.iter().any(|set| {
            let above =
                set.low
                    .as_ref()
                    .is_none_or(|(low, included)| match compare(version, low) {
                        Ordering::Greater => true,
                        Ordering::Equal => *included,
                        Ordering::Less => false,
                    });
            let below =
                set.high
                    .as_ref()
                    .is_none_or(|(high, included)| match compare(version, high) {
                        Ordering::Less => true,
                        Ordering::Equal => *included,
                        Ordering::Greater => false,
                    });
            above && below
        })
    }

    /// Java's words about a plugin that is not there in this range.
    #[must_use]
    pub fn not_found(&self, class: &str, available: &[&str]) -> String {
        format!(
            "Plugin {class} not found that matches the version range {}, available versions: [{}]",
            self.text,
            available.join(", ")
        )
    }
}

// Numbers by value, words by letters, a number is newer than a word, missing parts count as zero.
fn compare(a: &str, b: &str) -> Ordering {
    let split = |text: &str| -> Vec<String> {
        text.split(['.', '-', '_']).map(ToOwned::to_owned).collect()
    };
    let (a, b) = (split(a), split(b));
    for index in 0..a.len().max(b.len()) {
        let part = |parts: &[String]| parts.get(index).cloned().unwrap_or_else(|| "0".to_owned());
        let (x, y) = (part(&a), part(&b));
        let order = match (x.parse::<u64>(), y.parse::<u64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            (Ok(_), Err(_)) => Ordering::Greater,
            (Err(_), Ok(_)) => Ordering::Less,
            (Err(_), Err(_)) => x.to_lowercase().cmp(&y.to_lowercase()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

#[cfg(test)]
mod tests {
    use super::VersionRange;

    #[test]
    fn ranges_are_read_as_maven_reads_them() {
        let contains = |range: &str, version| {
            VersionRange::parse(range)
                .unwrap()
                .unwrap()
                .contains(version)
        };
        assert!(contains("4.3.1", "4.3.1") && !contains("4.3", "4.3.1"));
        assert!(
            contains("[4.0,)", "4.3.1")
                && !contains("(,4.3.1)", "4.3.1")
                && contains("(,1],[4,5)", "4.3.1")
        );
        assert!(contains("[4.3-SNAPSHOT,]", "4.3"));
        assert_eq!(VersionRange::parse("latest").unwrap(), None);
        assert_eq!(
            VersionRange::parse("[1,").unwrap_err().to_string(),
            "Unbounded range: [1,"
        );
        assert_eq!(
            VersionRange::parse("9.9")
                .unwrap()
                .unwrap()
                .not_found("a.B", &["4.3.1"]),
            "Plugin a.B not found that matches the version range [9.9,9.9], available versions: [4.3.1]"
        );
    }
}
