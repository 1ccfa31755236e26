//! Versions and version ranges as Maven writes them (KIP-891): `1.2` means exactly that, `[1,2)` a range.

use std::cmp::Ordering;

use crate::maven::compare;

/// A range that versions are in or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    sets: Vec<Set>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Set {
    low: Option<String>,
    high: Option<String>,
    with_low: bool,
    with_high: bool,
}

/// A range that cannot be read; the texts are the parser's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// A bracket is not closed.
    #[error("Unbounded range: {0}")]
    Unbounded(String),
    /// Something stands behind a set that is no set.
    #[error("Only fully-qualified sets allowed in multiple set scenario: {0}")]
    NotASet(String),
    /// A single version in round brackets.
    #[error("Single version must be surrounded by []: {0}")]
    Single(String),
    /// It ends before it begins.
    #[error("Range defies version ordering: {0}")]
    Backwards(String),
    /// A set begins before the one in front of it ends.
    #[error("Ranges overlap: {0}")]
    Overlap(String),
}

impl VersionRange {
    /// Reads a range; `None`: the newest version will do (`latest`).
    ///
    /// # Errors
    /// It is no range.
    pub fn parse(text: &str) -> Result<Option<Self>, RangeError> {
        if text == "latest" {
            return Ok(None);
        }
        let text = milena_config::java_trim(text);
        if text.starts_with(['[', '(']) {
            return sets(text).map(|sets| Some(Self { sets }));
        }
        sets(&format!("[{text}]")).map(|sets| Some(Self { sets }))
    }

    /// Whether a version is in the range.
    #[must_use]
    pub fn contains(&self, version: &str) -> bool {
        self.sets.iter().any(|set| {
            let low = set.low.as_deref().map(|low| compare(version, low));
            let high = set.high.as_deref().map(|high| compare(high, version));
            let is_in = |order: Option<Ordering>, included| match order {
                None | Some(Ordering::Greater) => true,
                Some(Ordering::Equal) => included,
                Some(Ordering::Less) => false,
            };
            is_in(low, set.with_low) && is_in(high, set.with_high)
        })
    }

    /// Java's words about a plugin that is not there in this range.
    #[must_use]
    pub fn not_found(&self, class: &str, available: &[&str]) -> String {
        let sets: Vec<String> = self.sets.iter().map(Set::text).collect();
        format!(
            "Plugin {class} not found that matches the version range {}, available versions: [{}]",
            sets.join(","),
            available.join(", ")
        )
    }
}

fn sets(text: &str) -> Result<Vec<Set>, RangeError> {
    let mut sets: Vec<Set> = Vec::new();
    let mut rest = text;
    while rest.starts_with(['[', '(']) {
        let end = rest.find([']', ')']);
        let Some((set, behind)) = end.and_then(|end| rest.split_at_checked(end + 1)) else {
            return Err(RangeError::Unbounded(text.to_owned()));
        };
        let set = Set::parse(set)?;
        if let Some(before) = sets.last().and_then(|set| set.high.as_deref())
            && set
                .low
                .as_deref()
                .is_none_or(|low| compare(low, before).is_lt())
        {
            return Err(RangeError::Overlap(text.to_owned()));
        }
        sets.push(set);
        rest = behind.trim();
        rest = rest.strip_prefix(',').map_or(rest, str::trim);
    }
    match rest.is_empty() {
        true => Ok(sets),
        false => Err(RangeError::NotASet(text.to_owned())),
    }
}

impl Set {
    fn parse(text: &str) -> Result<Self, RangeError> {
        let (with_low, with_high) = (text.starts_with('['), text.ends_with(']'));
        let inner = text.get(1..text.len() - 1).unwrap_or_default().trim();
        let Some((low, high)) = inner.split_once(',') else {
            if !with_low || !with_high {
                return Err(RangeError::Single(text.to_owned()));
            }
            let bound = Some(inner.to_owned());
            return Ok(Self {
                low: bound.clone(),
                high: bound,
                with_low,
                with_high,
            });
        };
        let bound = |text: &str| {
            Some(text.trim())
                .filter(|text| !text.is_empty())
                .map(ToOwned::to_owned)
        };
        let (low, high) = (bound(low), bound(high));
        if let (Some(low), Some(high)) = (&low, &high) {
            let order = compare(high, low);
            if order.is_lt() || (order.is_eq() && !(with_low && with_high)) {
                return Err(RangeError::Backwards(text.to_owned()));
            }
        }
        Ok(Self {
            low,
            high,
            with_low,
            with_high,
        })
    }

    fn text(&self) -> String {
        format!(
            "{}{},{}{}",
            if self.with_low { '[' } else { '(' },
            self.low.as_deref().unwrap_or_default(),
            self.high.as_deref().unwrap_or_default(),
            if self.with_high { ']' } else { ')' },
        )
    }
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
            VersionRange::parse("9.9")
                .unwrap()
                .unwrap()
                .not_found("a.B", &["4.3.1"]),
            "Plugin a.B not found that matches the version range [9.9,9.9], available versions: [4.3.1]"
        );
    }

    #[test]
    fn what_is_no_range_is_refused_in_the_parsers_words() {
        for (range, words) in [
            ("[1,", "Unbounded range: [1,"),
            ("[5,4]", "Range defies version ordering: [5,4]"),
            ("(4)", "Single version must be surrounded by []: (4)"),
            ("[5],[4]", "Ranges overlap: [5],[4]"),
            (
                "1]",
                "Only fully-qualified sets allowed in multiple set scenario: [1]]",
            ),
        ] {
            let error = VersionRange::parse(range).unwrap_err();
            assert_eq!(error.to_string(), words);
        }
    }
}
