//! The order of versions as Maven has it: numbers by value, words by letters, `alpha` < `beta` < `milestone` < `rc` <
//! `snapshot` < the release itself < `sp` < other words; what says nothing (`.0`, `-ga`) does not count.
//!
//! Answers to the versions that plugins are asked for with (KIP-891), which Java orders with Maven's `ComparableVersion`.

use std::cmp::Ordering;

/// Words with a place of their own; the release has the empty one. Any other word comes behind them.
const WORDS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];

/// A part of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// Digits without leading zeros.
    Number(String),
    Word(String),
    /// A word with a number behind it: `rc1`, `rc-1`.
    Pair(String, String),
    List(Vec<Item>),
}

/// Whether a version is older or newer than another.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    Item::List(parse(a)).cmp_to(Some(&Item::List(parse(b))))
}

fn number(digits: &str) -> String {
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0" } else { digits }.to_owned()
}

fn word(text: &str, before_digit: bool) -> String {
    match (text, before_digit) {
        ("a", true) => "alpha",
        ("b", true) => "beta",
        ("m", true) => "milestone",
        ("cr", _) => "rc",
        (text, _) => text,
    }
    .to_owned()
}

fn item(text: &str, digits: bool, pair: bool) -> Item {
    if pair {
        let text = text.replace('-', "");
        let at = text.find(|c: char| c.is_ascii_digit());
        let (name, digits) = text.split_at(at.unwrap_or(text.len()));
        return Item::Pair(word(name, true), number(digits));
    }
    match digits {
        true => Item::Number(number(text)),
        false => Item::Word(word(text, false)),
    }
}

/// Items in the making: each open list is inside the one before it.
struct Building(Vec<Vec<Item>>);

impl Building {
    fn push(&mut self, item: Item) {
        if let Some(list) = self.0.last_mut() {
            list.push(item);
        }
    }

    fn deeper(&mut self) {
        self.0.push(Vec::new());
    }

    fn deeper_unless_empty(&mut self) {
        if self.0.last().is_some_and(|list| !list.is_empty()) {
            self.deeper();
        }
    }

    fn end(mut self) -> Vec<Item> {
        let mut inner: Option<Vec<Item>> = None;
        while let Some(mut list) = self.0.pop() {
            list.extend(inner.take().map(Item::List));
            normalize(&mut list);
            inner = Some(list);
        }
        inner.unwrap_or_default()
    }
}

fn parse(version: &str) -> Vec<Item> {
    let version = version.to_lowercase();
    let mut items = Building(vec![Vec::new()]);
    let (mut digits, mut pair, mut start) = (false, false, 0);
    for (at, c) in version.char_indices() {
        let part = version.get(start..at).unwrap_or_default();
        let rest = version.get(at + c.len_utf8()..).unwrap_or_default();
        match c {
            '.' => {
                items.push(match part.is_empty() {
                    true => Item::Number(number("")),
                    false => item(part, digits, pair),
                });
                (pair, start) = (false, at + 1);
            }
            '-' => {
                if part.is_empty() {
                    items.push(Item::Number(number("")));
                } else {
                    // `rc-1` is `rc1`.
                    if !digits && rest.starts_with(|c: char| c.is_ascii_digit()) {
                        pair = true;
                        continue;
                    }
                    items.push(item(part, digits, pair));
                }
                start = at + 1;
                items.deeper_unless_empty();
                pair = false;
            }
            '0'..='9' => {
                if !digits && !part.is_empty() {
                    pair = true;
                    items.deeper_unless_empty();
                }
                digits = true;
            }
            _ => {
                if digits && !part.is_empty() {
                    items.push(item(part, true, pair));
                    start = at;
                    items.deeper();
                    pair = false;
                }
                digits = false;
            }
        }
    }
    let part = version.get(start..).unwrap_or_default();
    if !part.is_empty() {
        if !digits {
            items.deeper_unless_empty();
        }
        items.push(item(part, digits, pair));
    }
    items.end()
}

/// Takes out what says nothing: zeros and empty words at the end, before a word and before a list.
fn normalize(list: &mut Vec<Item>) {
    for at in (0..list.len()).rev() {
        let says_nothing = list.get(at).is_some_and(Item::is_null);
        let at_end = matches!(list.get(at + 1), None | Some(Item::Word(_) | Item::List(_)));
        if says_nothing && at_end {
            list.remove(at);
        }
    }
}

/// Java compares the places of words as texts: `5` is the release, `7-word` any other word.
fn place(word: &str) -> String {
    let word = match word {
        "ga" | "final" | "release" => "",
        word => word,
    };
    match WORDS.iter().position(|known| *known == word) {
        Some(at) => at.to_string(),
        None => format!("{}-{word}", WORDS.len()),
    }
}

fn by_value(a: &str, b: &str) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Item {
    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => digits == "0",
            Self::Word(word) => word.is_empty(),
            Self::Pair(..) => false,
            Self::List(items) => items.is_empty(),
        }
    }

    /// `None`: the other version has ended.
    fn cmp_to(&self, other: Option<&Self>) -> Ordering {
        match (self, other) {
            (Self::Number(a), None) => by_value(a, "0"),
            (Self::Word(a) | Self::Pair(a, _), None) => place(a).cmp(&place("")),
            (Self::List(a), None) => {
                let ordered = a.iter().map(|item| item.cmp_to(None));
                ordered
                    .into_iter()
                    .find(|order| order.is_ne())
                    .unwrap_or(Ordering::Equal)
            }
            (Self::Number(a), Some(Self::Number(b))) => by_value(a, b),
            (Self::Number(_), Some(_)) => Ordering::Greater,
            (_, Some(Self::Number(_))) => Ordering::Less,
            (Self::Word(a), Some(Self::Word(b))) => place(a).cmp(&place(b)),
            (Self::Word(a), Some(Self::Pair(b, _))) => place(a).cmp(&place(b)).then(Ordering::Less),
            (Self::Pair(a, _), Some(Self::Word(b))) => {
                place(a).cmp(&place(b)).then(Ordering::Greater)
            }
            (Self::Pair(a, m), Some(Self::Pair(b, n))) => {
                place(a).cmp(&place(b)).then_with(|| by_value(m, n))
            }
            (Self::Word(_) | Self::Pair(..), Some(Self::List(_))) => Ordering::Less,
            (Self::List(_), Some(Self::Word(_) | Self::Pair(..))) => Ordering::Greater,
            (Self::List(a), Some(Self::List(b))) => {
                let order = (0..a.len().max(b.len())).map(|at| match (a.get(at), b.get(at)) {
                    (None, None) => Ordering::Equal,
                    (None, Some(item)) => item.cmp_to(None).reverse(),
                    (Some(item), other) => item.cmp_to(other),
                });
                order
                    .into_iter()
                    .find(|order| order.is_ne())
                    .unwrap_or(Ordering::Equal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::compare;

    /// `testing/golden/versions`: recorded from the class that the Java worker uses.
    #[test]
    fn versions_are_ordered_as_the_java_worker_orders_them() {
        let golden = include_str!("../../../testing/golden/versions/order.tsv");
        let rows: Vec<(&str, &str)> = golden
            .lines()
            .map(|line| line.split_once('\t').unwrap())
            .collect();
        let mut wrong = Vec::new();
        for (a, signs) in &rows {
            for ((b, _), sign) in rows.iter().zip(signs.chars()) {
                let ours = match compare(a, b) {
                    Ordering::Less => '<',
                    Ordering::Equal => '=',
                    Ordering::Greater => '>',
                };
                if ours != sign {
                    wrong.push(format!("{a:?} {ours} {b:?}, Java says {sign}"));
                }
            }
        }
        assert!(rows.len() > 50);
        assert!(
            wrong.is_empty(),
            "{} wrong\n{}",
            wrong.len(),
            wrong.join("\n")
        );
    }
}
