//! `ByteArrayConverter`: bytes as they are, without a copy (spec `data.md` 2.3).

use bytes::Bytes;
use milena_api::{ConnectError, RawHeader, RecordConverter};
use milena_data::{Schema, SchemaAndValue, SchemaType, Value};

/// See the module.
pub(crate) struct ByteArrayConverter;

impl RecordConverter for ByteArrayConverter {
    fn to_connect(
        &mut self,
        _topic: &str,
        _headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let value = bytes.cloned().map_or(Value::Null, Value::Bytes);
        Ok(SchemaAndValue::new(Some(Schema::optional_bytes()), value))
    }

    fn from_connect(
        &mut self,
        _topic: &str,
        _headers: &mut Vec<RawHeader>,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        if let Some(schema) = schema.filter(|schema| schema.kind() != SchemaType::Bytes) {
            return Err(ConnectError::data(format!(
                "Invalid schema type for ByteArrayConverter: {}",
                schema.kind()
            )));
        }
        match value {
            Value::Null => Ok(None),
            Value::Bytes(bytes) => Ok(Some(bytes.clone())),
            other => Err(ConnectError::data(format!(
                "ByteArrayConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }
}
