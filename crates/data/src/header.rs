//! Record headers: an ordered multimap (spec `data.md` 1.6, `ConnectHeaders`).

use std::{collections::HashSet, fmt};

use bytes::Bytes;

use crate::{
    DataError, Decimal, LogicalType, MapValue, Schema, SchemaAndValue, SchemaType, Struct, Text,
    Value, validate::class_fits_type,
};

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The key.
    pub key: Text,
    /// The value with its schema.
    pub value: SchemaAndValue,
}

impl Header {
    /// The schema: that of the struct itself when none was given for a struct.
    #[must_use]
    pub fn schema(&self) -> Option<&Schema> {
        match (&self.value.schema, &self.value.value) {
            (None, Value::Struct(inner)) => Some(inner.schema()),
            (schema, _) => schema.as_ref(),
        }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ConnectHeader(key={}, value={}, schema=",
            self.key, self.value.value
        )?;
        match self.schema() {
            Some(schema) => write!(f, "{schema})"),
            None => f.write_str("null)"),
        }
    }
}

/// The headers of a record, in order; a key may stand several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<Header>);

impl Headers {
    /// The headers in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Header> {
        self.0.iter()
    }

    /// The headers in order, to be changed in place.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Header> {
        self.0.iter_mut()
    }

    /// The number of headers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a header without a check.
    pub fn push(&mut self, header: Header) {
        self.0.push(header);
    }

    /// Appends a header after checking that the value's class suits the schema's type.
    ///
    /// # Errors
    /// A null without an optional schema, or a value of another class.
    pub fn add(
        &mut self,
        key: impl Into<Text>,
        value: SchemaAndValue,
    ) -> Result<&mut Self, DataError> {
        check(&value)?;
        self.0.push(Header {
            key: key.into(),
            value,
        });
        Ok(self)
    }

    fn append(&mut self, key: impl Into<Text>, schema: Option<Schema>, value: Value) -> &mut Self {
        let value = SchemaAndValue::new(schema, value);
        self.0.push(Header {
            key: key.into(),
            value,
        });
        self
    }

    /// `addString`; null is optional.
    pub fn add_string(&mut self, key: impl Into<Text>, value: Option<Text>) -> &mut Self {
        match value {
            Some(text) => self.append(key, Some(Schema::string()), Value::String(text)),
            None => self.append(key, Some(Schema::optional_string()), Value::Null),
        }
    }

    /// `addBytes`; null is optional.
    pub fn add_bytes(&mut self, key: impl Into<Text>, value: Option<Bytes>) -> &mut Self {
        match value {
            Some(bytes) => self.append(key, Some(Schema::bytes()), Value::Bytes(bytes)),
            None => self.append(key, Some(Schema::optional_bytes()), Value::Null),
        }
    }

    /// `addBoolean`.
    pub fn add_boolean(&mut self, key: impl Into<Text>, value: bool) -> &mut Self {
        self.append(key, Some(Schema::boolean()), Value::Boolean(value))
    }

    /// `addByte`.
    pub fn add_byte(&mut self, key: impl Into<Text>, value: i8) -> &mut Self {
        self.append(key, Some(Schema::int8()), Value::Int8(value))
    }

    /// `addShort`.
    pub fn add_short(&mut self, key: impl Into<Text>, value: i16) -> &mut Self {
        self.append(key, Some(Schema::int16()), Value::Int16(value))
    }

    /// `addInt`.
    pub fn add_int(&mut self, key: impl Into<Text>, value: i32) -> &mut Self {
        self.append(key, Some(Schema::int32()), Value::Int32(value))
    }

    /// `addLong`.
    pub fn add_long(&mut self, key: impl Into<Text>, value: i64) -> &mut Self {
        self.append(key, Some(Schema::int64()), Value::Int64(value))
    }

    /// `addFloat`.
    pub fn add_float(&mut self, key: impl Into<Text>, value: f32) -> &mut Self {
        self.append(key, Some(Schema::float32()), Value::Float32(value))
    }

    /// `addDouble`.
    pub fn add_double(&mut self, key: impl Into<Text>, value: f64) -> &mut Self {
        self.append(key, Some(Schema::float64()), Value::Float64(value))
    }

    /// `addDate`, `addTime`, `addTimestamp`: the required logical schema, also for null.
    pub fn add_instant(
        &mut self,
        key: impl Into<Text>,
        logical: LogicalType,
        millis: Option<i64>,
    ) -> &mut Self {
        let schema = match logical {
            LogicalType::Date => Schema::date(),
            LogicalType::Time => Schema::time(),
            LogicalType::Timestamp | LogicalType::Decimal => Schema::timestamp(),
        };
        self.append(
            key,
            Some(schema),
            millis.map_or(Value::Null, Value::Instant),
        )
    }

    /// `addDecimal`; null has no schema.
    pub fn add_decimal(&mut self, key: impl Into<Text>, value: Option<Decimal>) -> &mut Self {
        match value {
            Some(decimal) => {
                let schema = Schema::decimal(decimal.scale());
                self.append(key, Some(schema), Value::Decimal(decimal))
            }
            None => self.append(key, None, Value::Null),
        }
    }

    /// `addStruct`; null has no schema.
    pub fn add_struct(&mut self, key: impl Into<Text>, value: Option<Struct>) -> &mut Self {
        match value {
            Some(inner) => {
                let schema = inner.schema().clone();
                self.append(key, Some(schema), inner.into())
            }
            None => self.append(key, None, Value::Null),
        }
    }

    /// `addList`; null has no schema.
    ///
    /// # Errors
    /// The schema is not an array: `Expecting ARRAY but instead found <TYPE>`.
    pub fn add_list(
        &mut self,
        key: impl Into<Text>,
        value: Option<Vec<Value>>,
        schema: &Schema,
    ) -> Result<&mut Self, DataError> {
        let Some(items) = value else {
            return Ok(self.append(key, None, Value::Null));
        };
        expect_kind(schema, SchemaType::Array)?;
        Ok(self.append(key, Some(schema.clone()), Value::Array(items)))
    }

    /// `addMap`; null has no schema.
    ///
    /// # Errors
    /// The schema is not a map: `Expecting MAP but instead found <TYPE>`.
    pub fn add_map(
        &mut self,
        key: impl Into<Text>,
        value: Option<MapValue>,
        schema: &Schema,
    ) -> Result<&mut Self, DataError> {
        let Some(map) = value else {
            return Ok(self.append(key, None, Value::Null));
        };
        expect_kind(schema, SchemaType::Map)?;
        Ok(self.append(key, Some(schema.clone()), map.into()))
    }

    /// The last header of a key.
    #[must_use]
    pub fn last_with_name(&self, key: &str) -> Option<&Header> {
        self.0.iter().rev().find(|header| header.key == *key)
    }

    /// All headers of a key, in order.
    pub fn all_with_name<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Header> {
        self.0.iter().filter(move |header| header.key == *key)
    }

    /// Removes all headers of a key.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|header| header.key != *key);
    }

    /// Keeps the headers for which the function holds.
    pub fn retain(&mut self, keep: impl FnMut(&Header) -> bool) {
        self.0.retain(keep);
    }

    /// Keeps only the last header of each key.
    pub fn retain_latest(&mut self) {
        let mut seen = HashSet::new();
        let mut kept: Vec<Header> = Vec::with_capacity(self.0.len());
        while let Some(header) = self.0.pop() {
            if seen.insert(header.key.clone()) {
                kept.push(header);
            }
        }
        kept.reverse();
        self.0 = kept;
    }

    /// Keeps only the last header of one key, and all others.
    pub fn retain_latest_of(&mut self, key: &str) {
        let last = self.0.iter().rposition(|header| header.key == *key);
        let mut index = 0;
        self.0.retain(|header| {
            index += 1;
            header.key != *key || Some(index - 1) == last
        });
    }

    /// Replaces each header by the answer of a function; `None` removes it.
    pub fn apply(&mut self, change: impl FnMut(Header) -> Option<Header>) {
        self.0 = std::mem::take(&mut self.0)
            .into_iter()
            .filter_map(change)
            .collect();
    }

    /// Removes all headers.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

fn expect_kind(schema: &Schema, kind: SchemaType) -> Result<(), DataError> {
    if schema.kind() == kind {
        return Ok(());
    }
    Err(DataError::data(format!(
        "Expecting {kind} but instead found {}",
        schema.kind()
    )))
}

fn check(pair: &SchemaAndValue) -> Result<(), DataError> {
    let Some(schema) = &pair.schema else {
        return Ok(());
    };
    let value = &pair.value;
    if value.is_null() {
        if schema.is_optional() {
            return Ok(());
        }
        return Err(DataError::data(format!(
            "A null value requires an optional schema but was {schema}"
        )));
    }
    let logical_fits = match (schema.kind(), value, schema.logical()) {
        (SchemaType::Bytes, Value::Decimal(_), logical) => logical == Some(LogicalType::Decimal),
        (SchemaType::Int32, Value::Instant(_), logical) => {
            matches!(logical, Some(LogicalType::Date | LogicalType::Time))
        }
        (SchemaType::Int64, Value::Instant(_), logical) => logical == Some(LogicalType::Timestamp),
        _ => false,
    };
    if logical_fits || class_fits_type(schema.kind(), value) {
        return Ok(());
    }
    Err(DataError::data(format!(
        "The value {value} is not compatible with the schema {schema}"
    )))
}

impl fmt::Display for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("ConnectHeaders(headers=)");
        }
        f.write_str("ConnectHeaders(headers=[")?;
        for (index, header) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            header.fmt(f)?;
        }
        f.write_str("])")
    }
}

impl IntoIterator for Headers {
    type Item = Header;
    type IntoIter = std::vec::IntoIter<Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = std::slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}
