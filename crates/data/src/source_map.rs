//! The small maps of a source: its partitions and its offsets. Every record of a source has an offset of its own, and
//! almost every one has a single entry, which lies in the map itself: no table, no hash.

use crate::{Text, Value};

/// A map from string to a primitive value: a source partition or a source offset. Order is kept: it decides the bytes of the
/// key in the offsets topic (spec `distributed.md` 1.6). Equality does not regard it. Lookup compares one entry after the
/// other.
#[derive(Clone, Debug, Default)]
pub struct SourceMap(Entries);

#[derive(Clone, Debug)]
enum Entries {
    One([(Text, Value); 1]),
    Many(Vec<(Text, Value)>),
}

impl Default for Entries {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl SourceMap {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty map with room for some entries.
    #[must_use]
    pub fn with_capacity(entries: usize) -> Self {
        match entries {
            0 | 1 => Self::default(),
            more => Self(Entries::Many(Vec::with_capacity(more))),
        }
    }

    /// A map of a single entry.
    #[must_use]
    pub fn of(key: Text, value: Value) -> Self {
        Self(Entries::One([(key, value)]))
    }

    fn entries(&self) -> &[(Text, Value)] {
        match &self.0 {
            Entries::One(one) => one,
            Entries::Many(many) => many,
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let found = self.entries().iter().find(|(name, _)| **name == *key);
        found.map(|(_, value)| value)
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Value)> {
        self.entries().iter().map(|(key, value)| (key, value))
    }

    /// Puts an entry; a key that is there keeps its place. Answers the value that it had.
    pub fn insert(&mut self, key: Text, value: Value) -> Option<Value> {
        let entries = match &mut self.0 {
            Entries::One(one) => one.as_mut_slice(),
            Entries::Many(many) => many.as_mut_slice(),
        };
        if let Some((_, old)) = entries.iter_mut().find(|(name, _)| *name == key) {
            return Some(std::mem::replace(old, value));
        }
        self.0 = match std::mem::take(&mut self.0) {
            Entries::Many(many) if many.capacity() == 0 => Entries::One([(key, value)]),
            Entries::Many(mut many) => {
                many.push((key, value));
                Entries::Many(many)
            }
            Entries::One([first]) => Entries::Many(vec![first, (key, value)]),
        };
        None
    }
}

impl PartialEq for SourceMap {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Eq for SourceMap {}

impl FromIterator<(Text, Value)> for SourceMap {
    fn from_iter<I: IntoIterator<Item = (Text, Value)>>(entries: I) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl<'a> IntoIterator for &'a SourceMap {
    type Item = &'a (Text, Value);
    type IntoIter = std::slice::Iter<'a, (Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries().iter()
    }
}

#[cfg(test)]
mod tests {
    use super::SourceMap;
    use crate::{Text, Value};

    fn of(entries: &[(&'static str, i64)]) -> SourceMap {
        let entries = entries.iter();
        entries
            .map(|(key, n)| (Text::from_static(key), Value::Int64(*n)))
            .collect()
    }

    #[test]
    fn entries_keep_their_order_and_their_place() {
        let mut map = of(&[("b", 1)]);
        assert_eq!(map.insert("a".into(), Value::Int64(2)), None);
        assert_eq!(map.insert("b".into(), Value::Null), Some(Value::Int64(1)));
        let keys: Vec<_> = map.iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, ["b", "a"]);
        assert_eq!(map.get("b"), Some(&Value::Null));
        assert!(!map.contains_key("c"));
    }

    #[test]
    fn equality_does_not_regard_the_order() {
        assert_eq!(of(&[("a", 1), ("b", 2)]), of(&[("b", 2), ("a", 1)]));
        assert_ne!(of(&[("a", 1)]), of(&[("a", 2)]));
        assert_ne!(of(&[("a", 1)]), of(&[("a", 1), ("b", 2)]));
        assert_eq!(SourceMap::new(), SourceMap::with_capacity(3));
    }
}
