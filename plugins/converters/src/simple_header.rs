//! `SimpleHeaderConverter`: literals as text, the default for headers (spec `data.md` 2.5).

use bytes::Bytes;
use milena_api::{ConnectError, HeaderConverter};
use milena_data::{
    SchemaAndValue,
    values::{convert_to_string, parse_string},
};

use crate::charset::utf8_with_replacements;

/// `org.apache.kafka.connect.storage.SimpleHeaderConverter`. A header may come back as another type
/// than it went: the text `42` is read as INT8.
pub struct SimpleHeaderConverter;

impl HeaderConverter for SimpleHeaderConverter {
    fn to_connect(
        &mut self,
        _topic: &str,
        _key: &str,
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue::default());
        };
        let text = utf8_with_replacements(bytes);
        Ok(parse_string(&text).unwrap_or_default())
    }

    fn from_connect(
        &mut self,
        _topic: &str,
        _key: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, ConnectError> {
        Ok(convert_to_string(&value.value)?.map(Bytes::from))
    }
}
