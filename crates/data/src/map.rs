//! A map value that keeps insertion order, with keys of any type.

use indexmap::IndexMap;

use crate::Value;

/// Up to this many entries a key is looked up by comparing, beyond by hash: for short maps
/// comparing is faster, for long ones it would be quadratic.
const SCANNED_ENTRIES_MAX: usize = 16;

/// The entries of a `MAP` value in insertion order; a key that is put again keeps its place.
/// Equality does not regard the order.
#[derive(Clone, Debug)]
pub struct MapValue(Entries);

#[derive(Clone, Debug)]
enum Entries {
    Scanned(Vec<(Value, Value)>),
    Hashed(IndexMap<Value, Value>),
}

impl Default for MapValue {
    fn default() -> Self {
        Self(Entries::Scanned(Vec::new()))
    }
}

impl MapValue {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty map with room for some entries.
    #[must_use]
    pub fn with_capacity(entries: usize) -> Self {
        if entries > SCANNED_ENTRIES_MAX {
            Self(Entries::Hashed(IndexMap::with_capacity(entries)))
        } else {
            Self(Entries::Scanned(Vec::with_capacity(entries)))
        }
    }

    /// The entries in order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        match &self.0 {
            Entries::Scanned(entries) => Iter::Scanned(entries.iter()),
            Entries::Hashed(entries) => Iter::Hashed(entries.iter()),
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Entries::Scanned(entries) => entries.len(),
            Entries::Hashed(entries) => entries.len(),
        }
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &Value) -> Option<&Value> {
        match &self.0 {
            Entries::Scanned(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            Entries::Hashed(entries) => entries.get(key),
        }
    }

    /// The value of a text key.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<&Value> {
        match &self.0 {
            Entries::Scanned(entries) => entries
                .iter()
                .find(|(k, _)| k.as_str() == Some(key))
                .map(|(_, v)| v),
            Entries::Hashed(entries) => entries.get(&Value::from(key)),
        }
    }

    /// The value of a key, to be changed in place.
    pub fn get_mut(&mut self, key: &Value) -> Option<&mut Value> {
        match &mut self.0 {
            Entries::Scanned(entries) => {
                entries.iter_mut().find(|(k, _)| k == key).map(|e| &mut e.1)
            }
            Entries::Hashed(entries) => entries.get_mut(key),
        }
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains_key(&self, key: &Value) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key; answers the value that was there.
    pub fn insert(&mut self, key: impl Into<Value>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        match &mut self.0 {
            Entries::Scanned(entries) => {
                if let Some(entry) = entries.iter_mut().find(|(k, _)| *k == key) {
                    return Some(std::mem::replace(&mut entry.1, value));
                }
                entries.push((key, value));
                if entries.len() > SCANNED_ENTRIES_MAX {
                    self.0 = Entries::Hashed(std::mem::take(entries).into_iter().collect());
                }
                None
            }
            Entries::Hashed(entries) => entries.insert(key, value),
        }
    }

    /// Adds a key of which the caller knows for certain that it is not there.
    pub fn push_new(&mut self, key: Value, value: Value) {
        match &mut self.0 {
            Entries::Scanned(entries) if entries.len() < SCANNED_ENTRIES_MAX => {
                debug_assert!(!entries.iter().any(|(k, _)| *k == key));
                entries.push((key, value));
            }
            _ => drop(self.insert(key, value)),
        }
    }

    /// Removes a key; the others keep their order.
    pub fn remove(&mut self, key: &Value) -> Option<Value> {
        match &mut self.0 {
            Entries::Scanned(entries) => {
                let at = entries.iter().position(|(k, _)| k == key)?;
                Some(entries.remove(at).1)
            }
            Entries::Hashed(entries) => entries.shift_remove(key),
        }
    }

    /// The values, to be changed in place.
    pub fn values_mut(&mut self) -> Box<dyn Iterator<Item = (&Value, &mut Value)> + '_> {
        match &mut self.0 {
            Entries::Scanned(entries) => Box::new(entries.iter_mut().map(|(k, v)| (&*k, v))),
            Entries::Hashed(entries) => Box::new(entries.iter_mut()),
        }
    }
}

/// The entries of a [`MapValue`] in order.
#[derive(Clone, Debug)]
pub enum Iter<'a> {
    /// Of a short map.
    Scanned(std::slice::Iter<'a, (Value, Value)>),
    /// Of a long map.
    Hashed(indexmap::map::Iter<'a, Value, Value>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Value, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Scanned(entries) => entries.next().map(|(k, v)| (k, v)),
            Self::Hashed(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Scanned(entries) => entries.size_hint(),
            Self::Hashed(entries) => entries.size_hint(),
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl IntoIterator for MapValue {
    type Item = (Value, Value);
    type IntoIter = std::vec::IntoIter<(Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        match self.0 {
            Entries::Scanned(entries) => entries.into_iter(),
            Entries::Hashed(entries) => entries.into_iter().collect::<Vec<_>>().into_iter(),
        }
    }
}

impl<'a> IntoIterator for &'a MapValue {
    type Item = (&'a Value, &'a Value);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl FromIterator<(Value, Value)> for MapValue {
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut map = Self::with_capacity(entries.size_hint().0);
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl PartialEq for MapValue {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Eq for MapValue {}
