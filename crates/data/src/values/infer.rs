//! `Values.inferSchema` (spec `data.md` 1.7.5).

use crate::{DataError, Schema, SchemaBuilder, SchemaBuilderError, SchemaType, Value};

/// The schema of a value without one: scalars and bytes by their type, a struct's own, arrays and
/// maps by the type of their elements; none for decimals, dates, empty and mixed containers.
///
/// # Errors
/// A list or map side of nulls only: `type cannot be null` (`SchemaBuilderException`).
pub fn infer_schema(value: &Value) -> Result<Option<Schema>, DataError> {
    let kind = match value {
        Value::Null | Value::Decimal(_) | Value::Instant(_) | Value::BigInteger(_) => {
            return Ok(None);
        }
        Value::Boolean(_) => SchemaType::Boolean,
        Value::Int8(_) => SchemaType::Int8,
        Value::Int16(_) => SchemaType::Int16,
        Value::Int32(_) => SchemaType::Int32,
        Value::Int64(_) => SchemaType::Int64,
        Value::Float32(_) => SchemaType::Float32,
        Value::Float64(_) => SchemaType::Float64,
        Value::String(_) => SchemaType::String,
        Value::Bytes(_) => SchemaType::Bytes,
        Value::Struct(inner) => return Ok(Some(inner.schema().clone())),
        Value::Array(items) => {
            let mut elements = Detector::default();
            for item in items {
                if !elements.detect(item)? {
                    return Ok(None);
                }
            }
            if items.is_empty() {
                return Ok(None);
            }
            return Ok(Some(SchemaBuilder::array(elements.schema()?).build()?));
        }
        Value::Map(map) => {
            let mut keys = Detector::default();
            let mut values = Detector::default();
            for (key, value) in map.iter() {
                if !keys.detect(key)? || !values.detect(value)? {
                    return Ok(None);
                }
            }
            if map.is_empty() {
                return Ok(None);
            }
            return Ok(Some(
                SchemaBuilder::map(keys.schema()?, values.schema()?).build()?,
            ));
        }
    };
    Ok(Some(Schema::primitive(kind, false)))
}

/// The one type of all elements; only the type is kept.
#[derive(Default)]
struct Detector {
    kind: Option<SchemaType>,
    optional: bool,
}

impl Detector {
    fn detect(&mut self, value: &Value) -> Result<bool, DataError> {
        if value.is_null() {
            self.optional = true;
            return Ok(true);
        }
        let Some(schema) = infer_schema(value)? else {
            return Ok(false);
        };
        Ok(*self.kind.get_or_insert(schema.kind()) == schema.kind())
    }

    fn schema(&self) -> Result<Schema, SchemaBuilderError> {
        match self.kind {
            Some(kind) => Ok(Schema::primitive(kind, self.optional)),
            None => Err(SchemaBuilderError::new("type cannot be null")),
        }
    }
}
