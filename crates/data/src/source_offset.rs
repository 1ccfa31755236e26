//! The offset of a source record. Each record has one of its own, and most are a single number under one name: these take no
//! memory of their own and are not counted by their holders.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::{SourceMap, Text, Value};

/// Where in its partition a source record stands: what a [`SourceMap`] says. Equality is that of the maps.
#[derive(Clone)]
pub struct SourceOffset(Form);

#[derive(Clone)]
enum Form {
    Number(&'static str, i64),
    Map(Arc<SourceMap>),
}

impl SourceOffset {
    /// An offset that is one INT64 under a name.
    #[must_use]
    pub fn number(name: &'static str, number: i64) -> Self {
        Self(Form::Number(name, number))
    }

    /// The entries.
    #[must_use]
    pub fn map(&self) -> Cow<'_, SourceMap> {
        match &self.0 {
            Form::Number(name, number) => {
                let (name, number) = (Text::from_static(name), Value::Int64(*number));
                Cow::Owned(SourceMap::of(name, number))
            }
            Form::Map(map) => Cow::Borrowed(map),
        }
    }
}

impl From<Arc<SourceMap>> for SourceOffset {
    fn from(map: Arc<SourceMap>) -> Self {
        Self(Form::Map(map))
    }
}

impl From<SourceMap> for SourceOffset {
    fn from(map: SourceMap) -> Self {
        Arc::new(map).into()
    }
}

impl PartialEq for SourceOffset {
    fn eq(&self, other: &Self) -> bool {
        self.map() == other.map()
    }
}

impl Eq for SourceOffset {}

impl fmt::Debug for SourceOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::SourceOffset;
    use crate::{SourceMap, Text, Value};

    #[test]
    fn a_number_is_the_map_that_it_stands_for() {
        let map = SourceMap::of(Text::from_static("position"), Value::Int64(7));
        let number = SourceOffset::number("position", 7);
        assert_eq!(*number.map(), map);
        assert_eq!(number, SourceOffset::from(map));
        assert_ne!(number, SourceOffset::number("position", 8));
        assert_ne!(number, SourceOffset::number("seqno", 7));
    }
}
