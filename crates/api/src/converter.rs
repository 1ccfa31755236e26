//! Converters: between the bytes of Kafka and values.

#![expect(
    clippy::wrong_self_convention,
    reason = "from_connect is Connect's own word and needs the converter's state"
)]

use async_trait::async_trait;
use bytes::Bytes;
use milena_config::Props;
use milena_data::{Headers, Schema, SchemaAndValue, Value};

use crate::ConnectError;

/// A header as it stands in Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawHeader {
    /// The key.
    pub key: milena_data::Text,
    /// The bytes, which may be null.
    pub value: Option<Bytes>,
}

/// A converter that needs no I/O: called record by record, never blocks. Each task owns its instances.
pub trait RecordConverter: Send {
    /// Bytes to a value. `None` bytes are a tombstone (or a null key).
    ///
    /// # Errors
    /// The bytes cannot be understood; the record fails at the KEY_/VALUE_CONVERTER stage.
    fn to_connect(
        &mut self,
        topic: &str,
        headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError>;

    /// As [`Self::to_connect`], in the place of what was made of an earlier record. That may be anything, and must not be
    /// seen in the outcome: it is there for its memory.
    ///
    /// # Errors
    /// As [`Self::to_connect`]; what is in the place then does not matter.
    fn to_connect_at(
        &mut self,
        topic: &str,
        headers: &[RawHeader],
        bytes: Option<&Bytes>,
        place: &mut SchemaAndValue,
    ) -> Result<(), ConnectError> {
        *place = self.to_connect(topic, headers, bytes)?;
        Ok(())
    }

    /// A value to bytes; may add headers (as converters with a schema registry can).
    ///
    /// # Errors
    /// The value does not fit its schema or has no form in the format.
    fn from_connect(
        &mut self,
        topic: &str,
        headers: &mut Vec<RawHeader>,
        schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError>;
}

/// One item of a batch on the way to a value.
#[derive(Clone, Debug)]
pub struct ToConnect<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The record's headers.
    pub headers: &'a [RawHeader],
    /// The bytes.
    pub bytes: Option<&'a Bytes>,
}

/// One item of a batch on the way to bytes.
#[derive(Debug)]
pub struct FromConnect<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The record's headers, which may be added to.
    pub headers: &'a mut Vec<RawHeader>,
    /// The schema.
    pub schema: Option<&'a Schema>,
    /// The value.
    pub value: &'a Value,
}

/// A converter that does I/O (a schema registry) or lives in another process: called batch by batch. One
/// answer per item, in order.
#[async_trait]
pub trait BatchConverter: Send {
    /// Bytes to values.
    async fn to_connect(
        &mut self,
        batch: Vec<ToConnect<'_>>,
    ) -> Vec<Result<SchemaAndValue, ConnectError>>;

    /// Values to bytes.
    async fn from_connect(
        &mut self,
        batch: Vec<FromConnect<'_>>,
    ) -> Vec<Result<Option<Bytes>, ConnectError>>;
}

/// A configured converter.
pub enum ConverterInstance {
    /// Called record by record.
    PerRecord(Box<dyn RecordConverter>),
    /// Called batch by batch.
    Batch(Box<dyn BatchConverter>),
}

/// Converts the headers of records; called record by record, never blocks.
pub trait HeaderConverter: Send {
    /// The bytes of one header to a value.
    ///
    /// # Errors
    /// The bytes cannot be understood; the record fails at the HEADER_CONVERTER stage.
    fn to_connect(
        &mut self,
        topic: &str,
        key: &str,
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError>;

    /// The value of one header to bytes.
    ///
    /// # Errors
    /// The value has no form in the format.
    fn from_connect(
        &mut self,
        topic: &str,
        key: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, ConnectError>;

    /// All headers of a record to values; the default goes one by one.
    ///
    /// # Errors
    /// The first header that cannot be understood.
    fn all_to_connect(&mut self, topic: &str, raw: &[RawHeader]) -> Result<Headers, ConnectError> {
        let mut headers = Headers::default();
        for header in raw {
            let value = self.to_connect(topic, &header.key, header.value.as_ref())?;
            headers.push(milena_data::Header {
                key: header.key.clone(),
                value,
            });
        }
        Ok(headers)
    }
}

/// What a converter is made for; `converter.type` in Java.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConverterUse {
    /// Record keys.
    Key,
    /// Record values.
    Value,
    /// Header values.
    Header,
}

/// The configuration of a converter: its own keys without the `key.converter.` prefix.
pub type ConverterConfig = Props;
