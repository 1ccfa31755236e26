//! Source partitions and offsets in Java's format, so that either side takes over where the other stopped.

use std::sync::Arc;

use milena_data::{SourceMap, Text, Value};

use crate::{cell::Stamp, table::TableId};

const INCREMENTING: &str = "incrementing";
const TIMESTAMP: &str = "timestamp";
const NANOS: &str = "timestamp_nanos";

/// How far a table has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offset {
    pub(crate) incrementing: Option<i64>,
    pub(crate) timestamp: Option<Stamp>,
}

impl Offset {
    /// Reads an offset of either vendor; what is not understood counts as absent.
    pub(crate) fn read(map: &SourceMap) -> Self {
        let number = |key| map.get(key).and_then(Value::as_i64);
        let timestamp = number(TIMESTAMP).map(|millis| {
            let mut stamp = Stamp::from_millis(millis);
            if let Some(nanos) = number(NANOS).and_then(|nanos| u32::try_from(nanos).ok()) {
                stamp.nanos = nanos;
            }
            stamp
        });
        Self {
            incrementing: number(INCREMENTING),
            timestamp,
        }
    }

    /// As it is stored.
    pub(crate) fn write(&self) -> Arc<SourceMap> {
        let mut map = SourceMap::with_capacity(3);
        if let Some(stamp) = self.timestamp {
            map.insert(
                Text::from_static(NANOS),
                Value::Int64(i64::from(stamp.nanos)),
            );
        }
        if let Some(id) = self.incrementing {
            map.insert(Text::from_static(INCREMENTING), Value::Int64(id));
        }
        if let Some(stamp) = self.timestamp {
            map.insert(Text::from_static(TIMESTAMP), Value::Int64(stamp.millis()));
        }
        Arc::new(map)
    }
}

fn map(pairs: &[(&'static str, &str)]) -> Arc<SourceMap> {
    let pairs = pairs
        .iter()
        .map(|(key, value)| (Text::from_static(key), Value::from(*value)));
    Arc::new(pairs.collect())
}

/// The partition of a table; the order of its keys is Java's.
pub(crate) fn partition(table: &TableId) -> Arc<SourceMap> {
    map(&[("protocol", "1"), ("table", &table.plain())])
}

/// The partition that older connectors wrote, and that bulk mode still writes.
pub(crate) fn old_partition(table: &TableId) -> Arc<SourceMap> {
    map(&[("table", &table.name)])
}

/// The partition of a custom query.
pub(crate) fn query_partition() -> Arc<SourceMap> {
    map(&[("query", "query")])
}

#[cfg(test)]
mod tests {
    use super::Offset;
    use crate::cell::Stamp;

    #[test]
    fn there_and_back() {
        let offset = Offset {
            incrementing: Some(7),
            timestamp: Some(Stamp::from_micros(-1_234_567)),
        };
        assert_eq!(Offset::read(&offset.write()), offset);
        assert_eq!(Offset::read(&Offset::default().write()), Offset::default());
    }
}
