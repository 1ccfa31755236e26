//! The fold of the offsets topic: where each source partition stands (spec `distributed.md` 1.6).
//!
//! Java finds an offset by the serialised bytes of its key, so one partition written with two orders of its
//! members is two keys there. Here partitions are compared by meaning, and the bytes under which each stands
//! are remembered: a rewrite uses the bytes that are there, a reset removes every variant.

use std::collections::BTreeMap;

use milena_data::{SourceMap, Text, Value};

use crate::{ConnectorName, json};

/// Why a partition or offset cannot be written. The words are Java's: they reach a user's screen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OffsetEncodeError {
    /// Only null, booleans, numbers, text and bytes can stand in partitions and offsets.
    #[error(
        "Offsets may only contain primitive types as values, but field {field} contains {kind}"
    )]
    NotPrimitive {
        /// The member.
        field: String,
        /// The schema type of its value.
        kind: &'static str,
    },
}

/// Why a record of the offsets topic is passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OffsetDecodeError {
    /// The key is no array of a connector name and a partition.
    #[error("offset record whose key is not [connector, partition]")]
    Key,
    /// The value is no object of primitive values.
    #[error("offset record whose value is not an object of primitive values")]
    Value,
}

/// The key bytes of a partition's offset, members in the order given: `["c",{"filename":"/f"}]`.
///
/// # Errors
/// A value is not primitive.
pub fn encode_offset_key(
    connector: &str,
    partition: Option<&SourceMap>,
) -> Result<Vec<u8>, OffsetEncodeError> {
    let mut text = String::from("[");
    json::write_string(&mut text, connector);
    text.push(',');
    match partition {
        Some(partition) => write_map(&mut text, partition.iter())?,
        None => text.push_str("null"),
    }
    text.push(']');
    Ok(text.into_bytes())
}

/// The value bytes of an offset.
///
/// # Errors
/// A value is not primitive.
pub fn encode_offset_value(offset: &SourceMap) -> Result<Vec<u8>, OffsetEncodeError> {
    let mut text = String::new();
    write_map(&mut text, offset.iter())?;
    Ok(text.into_bytes())
}

#[derive(Clone, Debug)]
struct Stored {
    partition: Option<SourceMap>,
    offset: Option<SourceMap>,
    /// The key bytes that hold a value, the one written last at the end. Almost always one.
    keys: Vec<Vec<u8>>,
}

/// The offsets of all source connectors as far as the topic (or file) has been read.
#[derive(Clone, Debug, Default)]
pub struct OffsetStore {
    connectors: BTreeMap<ConnectorName, BTreeMap<String, Stored>>,
}

impl OffsetStore {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a record; no value, or a null, removes the offset.
    ///
    /// # Errors
    /// The record is passed over.
    pub fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), OffsetDecodeError> {
        let (connector, partition) = decode_key(key)?;
        let offset = value.map(decode_value).transpose()?.flatten();
        let partitions = self.connectors.entry(connector).or_default();
        let stored = partitions
            .entry(canonical(partition.as_ref()))
            .or_insert_with(|| Stored {
                partition,
                offset: None,
                keys: Vec::new(),
            });
        stored.keys.retain(|known| known != key);
        if offset.is_some() {
            stored.keys.push(key.to_vec());
        }
        // The last write by log position counts, whichever variant of the key it used.
        stored.offset = offset;
        Ok(())
    }

    /// The committed offset of a partition.
    #[must_use]
    pub fn offset(&self, connector: &str, partition: &SourceMap) -> Option<&SourceMap> {
        self.stored(connector, Some(partition))?.offset.as_ref()
    }

    /// The bytes under which a partition's offset stands already; a rewrite must use them, or two keys would
    /// speak for one partition.
    #[must_use]
    pub fn stored_key(&self, connector: &str, partition: Option<&SourceMap>) -> Option<&[u8]> {
        let stored = self.stored(connector, partition)?;
        stored.keys.last().map(Vec::as_slice)
    }

    /// All bytes under which a partition's offset stands: a reset writes a tombstone for each.
    #[must_use]
    pub fn all_keys(&self, connector: &str, partition: Option<&SourceMap>) -> Vec<Vec<u8>> {
        self.stored(connector, partition)
            .map_or_else(Vec::new, |stored| stored.keys.clone())
    }

    /// The partitions of a connector that have an offset.
    pub fn offsets(
        &self,
        connector: &str,
    ) -> impl Iterator<Item = (Option<&SourceMap>, &SourceMap)> {
        self.connectors
            .get(connector)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter_map(|stored| Some((stored.partition.as_ref(), stored.offset.as_ref()?)))
    }

    /// One connector's offsets out of two stores: what stands in `over` counts, what does not stand there is taken from
    /// here (KIP-618, the connector's own topic over the worker's). The bytes of keys are those of both.
    #[must_use]
    pub fn overlaid(&self, connector: &str, over: &Self) -> Self {
        let of = |store: &Self| store.connectors.get(connector).cloned().unwrap_or_default();
        let mut merged = of(self);
        for (canonical, above) in of(over) {
            let Some(below) = merged.remove(&canonical) else {
                merged.insert(canonical, above);
                continue;
            };
            let mut keys = below.keys;
            keys.retain(|key| !above.keys.contains(key));
            keys.extend(above.keys);
            let both = Stored {
                partition: above.partition,
                offset: above.offset.or(below.offset),
                keys,
            };
            merged.insert(canonical, both);
        }
        Self {
            connectors: BTreeMap::from([(connector.into(), merged)]),
        }
    }

    fn stored(&self, connector: &str, partition: Option<&SourceMap>) -> Option<&Stored> {
        self.connectors.get(connector)?.get(&canonical(partition))
    }
}

/// The partition as text, members sorted: equal for equal partitions, whatever order wrote them. A value
/// that cannot be written stands as its kind; such a partition is never stored.
fn canonical(partition: Option<&SourceMap>) -> String {
    let mut text = String::new();
    if let Some(partition) = partition {
        let mut members: Vec<_> = partition.iter().collect();
        members.sort_by(|a, b| a.0.cmp(b.0));
        if let Err(error) = write_map(&mut text, members.into_iter()) {
            text.push_str(&error.to_string());
        }
    }
    text
}

fn write_map<'a>(
    text: &mut String,
    members: impl Iterator<Item = (&'a Text, &'a Value)>,
) -> Result<(), OffsetEncodeError> {
    text.push('{');
    for (at, (key, value)) in members.enumerate() {
        if at > 0 {
            text.push(',');
        }
        json::write_string(text, key);
        text.push(':');
        write_value(text, key, value)?;
    }
    text.push('}');
    Ok(())
}

fn write_value(text: &mut String, field: &str, value: &Value) -> Result<(), OffsetEncodeError> {
    let not_primitive = |kind| OffsetEncodeError::NotPrimitive {
        field: field.to_owned(),
        kind,
    };
    match value {
        Value::Null => text.push_str("null"),
        Value::Boolean(true) => text.push_str("true"),
        Value::Boolean(false) => text.push_str("false"),
        Value::Int8(n) => text.push_str(&n.to_string()),
        Value::Int16(n) => text.push_str(&n.to_string()),
        Value::Int32(n) => text.push_str(&n.to_string()),
        Value::Int64(n) => text.push_str(&n.to_string()),
        Value::Float32(n) => json::write_float(text, f64::from(*n), &format!("{n:e}")),
        Value::Float64(n) => json::write_float(text, *n, &format!("{n:e}")),
        Value::String(value) => json::write_string(text, value),
        Value::Bytes(bytes) => json::write_base64(text, bytes),
        Value::Array(_) => return Err(not_primitive("ARRAY")),
        Value::Map(_) => return Err(not_primitive("MAP")),
        Value::Struct(_) => return Err(not_primitive("STRUCT")),
        Value::Decimal(_) | Value::BigInteger(_) => return Err(not_primitive("BYTES")),
        Value::Instant(_) => return Err(not_primitive("INT64")),
    }
    Ok(())
}

fn decode_key(key: &[u8]) -> Result<(ConnectorName, Option<SourceMap>), OffsetDecodeError> {
    use serde_json::Value as Json;
    let Some(Json::Array(parts)) = json::parse(key) else {
        return Err(OffsetDecodeError::Key);
    };
    let (connector, partition) = match <[Json; 2]>::try_from(parts) {
        Ok([Json::String(connector), partition]) => (connector, partition),
        _ => return Err(OffsetDecodeError::Key),
    };
    let partition = match partition {
        Json::Null => None,
        partition => Some(decode_map(partition).ok_or(OffsetDecodeError::Key)?),
    };
    Ok((connector.into(), partition))
}

fn decode_value(value: &[u8]) -> Result<Option<SourceMap>, OffsetDecodeError> {
    match json::parse(value) {
        Some(serde_json::Value::Null) => Ok(None),
        Some(value) => Ok(Some(decode_map(value).ok_or(OffsetDecodeError::Value)?)),
        None => Err(OffsetDecodeError::Value),
    }
}

fn decode_map(value: serde_json::Value) -> Option<SourceMap> {
    use serde_json::Value as Json;
    let Json::Object(members) = value else {
        return None;
    };
    let primitive = |value| {
        Some(match value {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Boolean(value),
            Json::String(text) => Value::String(text.into()),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Value::Int64(number),
                None => Value::Float64(number.as_f64()?),
            },
            Json::Array(_) | Json::Object(_) => return None,
        })
    };
    members
        .into_iter()
        .map(|(key, value)| Some((Text::from(key), primitive(value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(members: &[(&str, Value)]) -> SourceMap {
        members
            .iter()
            .map(|(key, value)| (Text::from(*key), value.clone()))
            .collect()
    }

    #[test]
    fn keys_and_values_are_written_as_java_writes_them() {
        let partition = map(&[("filename", "/tmp/a".into())]);
        assert_eq!(
            encode_offset_key("c", Some(&partition)).as_deref(),
            Ok(br#"["c",{"filename":"/tmp/a"}]"#.as_slice())
        );
        assert_eq!(
            encode_offset_key("c", None).as_deref(),
            Ok(br#"["c",null]"#.as_slice())
        );
        let offset = map(&[
            ("z", Value::Int32(7)),
            ("a", Value::Float64(1e10)),
            ("f", Value::Float32(0.1)),
            ("d", Value::Float64(123.0)),
            ("n", Value::Null),
            ("b", Value::Bytes(vec![1, 2, 3, 4].into())),
            ("t", Value::Boolean(true)),
        ]);
        assert_eq!(
            encode_offset_value(&offset).map(|v| String::from_utf8_lossy(&v).into_owned()),
            Ok(
                r#"{"z":7,"a":1.0E10,"f":0.1,"d":123.0,"n":null,"b":"AQIDBA==","t":true}"#
                    .to_owned()
            )
        );
        let nested = map(&[("f", Value::Array(Vec::new()))]);
        assert_eq!(
            encode_offset_value(&nested).unwrap_err().to_string(),
            "Offsets may only contain primitive types as values, but field f contains ARRAY"
        );
    }

    #[test]
    fn a_partition_is_found_whatever_order_wrote_it() {
        let mut store = OffsetStore::new();
        let ab = br#"["c",{"a":1,"b":"x"}]"#;
        let ba = br#"["c",{"b":"x","a":1}]"#;
        store.apply(ab, Some(br#"{"o":1}"#)).unwrap();
        let partition = map(&[("b", "x".into()), ("a", Value::Int16(1))]);
        let offset = |store: &OffsetStore| {
            store
                .offset("c", &partition)
                .map(|offset| match offset.get("o") {
                    Some(Value::Int64(n)) => *n,
                    other => panic!("{other:?}"),
                })
        };
        assert_eq!(offset(&store), Some(1));
        assert_eq!(store.stored_key("c", Some(&partition)), Some(ab.as_slice()));

        store.apply(ba, Some(br#"{"o":2}"#)).unwrap();
        assert_eq!(offset(&store), Some(2));
        assert_eq!(store.stored_key("c", Some(&partition)), Some(ba.as_slice()));
        assert_eq!(store.all_keys("c", Some(&partition)).len(), 2);

        store.apply(ba, None).unwrap();
        assert_eq!(offset(&store), None);
        assert_eq!(store.offsets("c").count(), 0);
        // The other variant still stands in the topic and must be removed by a reset.
        assert_eq!(store.all_keys("c", Some(&partition)), vec![ab.to_vec()]);
    }

    #[test]
    fn garbage_is_passed_over() {
        let mut store = OffsetStore::new();
        for key in [
            "x",
            "[]",
            "{}",
            r#"["c"]"#,
            r#"[1,{}]"#,
            r#"["c",[]]"#,
            r#"["c",{},1]"#,
        ] {
            assert_eq!(
                store.apply(key.as_bytes(), Some(b"{}")),
                Err(OffsetDecodeError::Key),
                "{key}"
            );
        }
        assert_eq!(
            store.apply(br#"["c",{}]"#, Some(b"[1]")),
            Err(OffsetDecodeError::Value)
        );
        assert_eq!(store.apply(br#"["c",null]"#, Some(b"{}")), Ok(()));
        assert_eq!(store.offsets("c").count(), 1);
    }
}
