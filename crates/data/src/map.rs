//! A map value that keeps insertion order, with keys of any type.

use std::{iter::Zip, slice, sync::Arc};

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
    /// Values of the first of these keys, in their order; never more values than keys.
    Keyed(MapKeys, Vec<Value>),
}

/// Keys that many maps have in common: the objects of a topic have the same members, most of the time. They are there once
/// for all of them.
#[derive(Clone, Debug)]
pub struct MapKeys(Arc<[Value]>);

impl MapKeys {
    /// The keys in order; `None` when they are too many to be looked up by comparing, or one is there twice.
    #[must_use]
    pub fn new(keys: Vec<Value>) -> Option<Self> {
        let distinct = |(at, key)| keys.iter().skip(at + 1).all(|other| other != key);
        let fit = keys.len() <= SCANNED_ENTRIES_MAX && keys.iter().enumerate().all(distinct);
        fit.then(|| Self(keys.into()))
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn zip<'a>(
        &'a self,
        values: &'a [Value],
    ) -> Zip<slice::Iter<'a, Value>, slice::Iter<'a, Value>> {
        self.0.iter().zip(values)
    }
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

    /// Takes the values out of a map of [shared keys](Self::set_keyed), which is empty then, for their memory.
    pub fn take_keyed(&mut self) -> Vec<Value> {
        match &mut self.0 {
            Entries::Keyed(_, values) => std::mem::take(values),
            _ => Vec::new(),
        }
    }

    /// Makes this the map of the first of these keys and their values, whatever it was. Values that have no key are
    /// dropped.
    pub fn set_keyed(&mut self, keys: &MapKeys, mut values: Vec<Value>) {
        values.truncate(keys.len());
        match &mut self.0 {
            // Holders are not counted where nothing changes.
            Entries::Keyed(known, place) if Arc::ptr_eq(&known.0, &keys.0) => *place = values,
            entries => *entries = Entries::Keyed(keys.clone(), values),
        }
    }

    /// The entries with keys of their own, to be added to or taken from.
    fn own(&mut self) {
        if let Entries::Keyed(keys, values) = &mut self.0 {
            let mut entries = Vec::with_capacity(values.len() + 1);
            entries.extend(keys.0.iter().cloned().zip(std::mem::take(values)));
            self.0 = Entries::Scanned(entries);
        }
    }

    /// The entries in order.
    #[must_use]
    #[inline]
    pub fn iter(&self) -> Iter<'_> {
        match &self.0 {
            Entries::Scanned(entries) => Iter::Scanned(entries.iter()),
            Entries::Hashed(entries) => Iter::Hashed(entries.iter()),
            Entries::Keyed(keys, values) => Iter::Keyed(keys.zip(values)),
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Entries::Scanned(entries) => entries.len(),
            Entries::Hashed(entries) => entries.len(),
            Entries::Keyed(_, values) => values.len(),
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
            Entries::Keyed(keys, values) => {
                keys.zip(values).find(|(k, _)| *k == key).map(|(_, v)| v)
            }
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
            Entries::Keyed(keys, values) => keys
                .zip(values)
                .find(|(k, _)| k.as_str() == Some(key))
                .map(|(_, v)| v),
        }
    }

    /// The value of a key, to be changed in place.
    pub fn get_mut(&mut self, key: &Value) -> Option<&mut Value> {
        match &mut self.0 {
            Entries::Scanned(entries) => {
                entries.iter_mut().find(|(k, _)| k == key).map(|e| &mut e.1)
            }
            Entries::Hashed(entries) => entries.get_mut(key),
            Entries::Keyed(keys, values) => {
                let at = keys.0.iter().position(|k| k == key)?;
                values.get_mut(at)
            }
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
        if let Some(place) = self.keyed_mut(&key) {
            return Some(std::mem::replace(place, value));
        }
        self.own();
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
            Entries::Keyed(..) => None,
        }
    }

    fn keyed_mut(&mut self, key: &Value) -> Option<&mut Value> {
        match &self.0 {
            Entries::Keyed(..) => self.get_mut(key),
            _ => None,
        }
    }

    /// Adds a key of which the caller knows for certain that it is not there.
    pub fn push_new(&mut self, key: Value, value: Value) {
        self.own();
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
        self.own();
        match &mut self.0 {
            Entries::Scanned(entries) => {
                let at = entries.iter().position(|(k, _)| k == key)?;
                Some(entries.remove(at).1)
            }
            Entries::Hashed(entries) => entries.shift_remove(key),
            Entries::Keyed(..) => None,
        }
    }

    /// The values, to be changed in place.
    pub fn values_mut(&mut self) -> Box<dyn Iterator<Item = (&Value, &mut Value)> + '_> {
        match &mut self.0 {
            Entries::Scanned(entries) => Box::new(entries.iter_mut().map(|(k, v)| (&*k, v))),
            Entries::Hashed(entries) => Box::new(entries.iter_mut()),
            Entries::Keyed(keys, values) => Box::new(keys.0.iter().zip(values)),
        }
    }
}

/// The entries of a [`MapValue`] in order.
#[derive(Clone, Debug)]
pub enum Iter<'a> {
    /// Of a short map.
    Scanned(slice::Iter<'a, (Value, Value)>),
    /// Of a long map.
    Hashed(indexmap::map::Iter<'a, Value, Value>),
    /// Of a map whose keys others have, too.
    Keyed(Zip<slice::Iter<'a, Value>, slice::Iter<'a, Value>>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a Value, &'a Value);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Scanned(entries) => entries.next().map(|(k, v)| (k, v)),
            Self::Hashed(entries) => entries.next(),
            Self::Keyed(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Scanned(entries) => entries.size_hint(),
            Self::Hashed(entries) => entries.size_hint(),
            Self::Keyed(entries) => entries.size_hint(),
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl IntoIterator for MapValue {
    type Item = (Value, Value);
    type IntoIter = std::vec::IntoIter<(Value, Value)>;

    fn into_iter(mut self) -> Self::IntoIter {
        self.own();
        match self.0 {
            Entries::Scanned(entries) => entries.into_iter(),
            Entries::Hashed(entries) => entries.into_iter().collect::<Vec<_>>().into_iter(),
            Entries::Keyed(..) => Vec::new().into_iter(),
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

#[cfg(test)]
mod tests {
    use super::{MapKeys, MapValue, SCANNED_ENTRIES_MAX};
    use crate::Value;

    fn keys(count: usize) -> Vec<Value> {
        (0..count).map(|n| Value::from(n.to_string())).collect()
    }

    /// The same map twice: with keys of its own and with shared ones.
    fn both(count: usize) -> [MapValue; 2] {
        let values = || (0..count).map(|n| Value::Int32(n as i32));
        let own = keys(count).into_iter().zip(values()).collect();
        let mut shared = MapValue::new();
        shared.insert("other", 1);
        // One key more than values.
        shared.set_keyed(&MapKeys::new(keys(count + 1)).unwrap(), values().collect());
        [own, shared]
    }

    #[test]
    fn maps_of_shared_keys_are_as_others() {
        let changes: [fn(&mut MapValue) -> Option<Value>; 7] = [
            |map| map.insert("1", true),
            // A key that has no value.
            |map| map.insert("3", true),
            |map| map.insert("new", true),
            |map| map.remove(&Value::from("0")),
            |map| map.remove(&Value::from("3")),
            |map| {
                map.push_new("new".into(), Value::Null);
                None
            },
            |map| map.get_mut(&"2".into()).map(std::mem::take),
        ];
        for change in changes {
            let [mut own, mut shared] = both(3);
            assert_eq!(own, shared);
            assert_eq!(change(&mut own), change(&mut shared));
            for (_, value) in own.values_mut().chain(shared.values_mut()) {
                *value = Value::Array(vec![std::mem::take(value)]);
            }
            assert_eq!(own, shared);
            assert_eq!(shared, own);
            assert_eq!(own.to_string(), shared.to_string());
            assert_eq!(
                (own.len(), own.iter().len()),
                (shared.len(), shared.iter().len())
            );
            for key in ["0", "1", "2", "3", "new"] {
                assert_eq!(own.get_str(key), shared.get_str(key));
                assert_eq!(own.get(&key.into()), shared.get(&key.into()));
            }
            assert!(own.into_iter().eq(shared.clone()));
        }
    }

    #[test]
    fn keys_that_are_not_shared_are_refused() {
        assert!(MapKeys::new(keys(SCANNED_ENTRIES_MAX)).is_some());
        assert!(MapKeys::new(keys(SCANNED_ENTRIES_MAX + 1)).is_none());
        assert!(MapKeys::new(vec!["a".into(), "b".into(), "a".into()]).is_none());
    }

    #[test]
    fn values_are_taken_out_for_their_memory() {
        let [mut own, mut shared] = both(3);
        assert!(own.take_keyed().is_empty());
        assert_eq!(own.len(), 3);
        let values = shared.take_keyed();
        assert_eq!((values.len(), shared.len()), (3, 0));
        // Values without a key are dropped.
        let keys = MapKeys::new(keys(2)).unwrap();
        shared.set_keyed(&keys, values);
        assert_eq!(shared.to_string(), "{0=0, 1=1}");
    }
}
