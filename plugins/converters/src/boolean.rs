//! `BooleanConverter`: one byte, 0 or 1 (spec `data.md` 2.4).

use bytes::Bytes;
use milena_api::{ConnectError, RawHeader, RecordConverter};
use milena_data::{Schema, SchemaAndValue, SchemaType, Value};

use crate::numbers::deserialize_error;

/// See the module.
pub(crate) struct BooleanConverter;

impl RecordConverter for BooleanConverter {
    fn to_connect(
        &mut self,
        _topic: &str,
        _headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let value = match bytes.map(Bytes::as_ref) {
            None => Value::Null,
            Some([0]) => Value::Boolean(false),
            Some([1]) => Value::Boolean(true),
            Some([other]) => {
                let text = format!(
                    "Unexpected byte received by BooleanDeserializer: {}",
                    other.cast_signed()
                );
                return Err(deserialize_error("boolean", &text));
            }
            Some(_) => {
                return Err(deserialize_error(
                    "boolean",
                    "Size of data received by BooleanDeserializer is not 1",
                ));
            }
        };
        Ok(SchemaAndValue::new(Some(Schema::optional_boolean()), value))
    }

    fn from_connect(
        &mut self,
        _topic: &str,
        _headers: &mut Vec<RawHeader>,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        if let Some(schema) = schema.filter(|schema| schema.kind() != SchemaType::Boolean) {
            return Err(ConnectError::data(format!(
                "Invalid schema type for BooleanConverter: {}",
                schema.kind()
            )));
        }
        match value {
            Value::Null => Ok(None),
            Value::Boolean(b) => Ok(Some(Bytes::from_static(if *b { &[1] } else { &[0] }))),
            other => Err(ConnectError::data(format!(
                "BooleanConverter is not compatible with objects of type class {}",
                other.java_class()
            ))),
        }
    }
}
