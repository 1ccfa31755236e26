//! The three converters of a task, both directions.

use std::sync::Arc;

use bytes::Bytes;
use milena_api::{
    ConnectError, ConverterInstance, ConverterUse, FromConnect, HeaderConverter, RawHeader,
    ToConnect,
};
use milena_config::Props;
use milena_data::{Record, SchemaAndValue};

use crate::{Plugins, Stage, StageFailure, under_prefix};

const SIMPLE_HEADER_CONVERTER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

struct Named<T> {
    class: Arc<str>,
    inner: T,
}

/// The key, value and header converters of one task.
pub struct Converters {
    key: Named<ConverterInstance>,
    value: Named<ConverterInstance>,
    headers: Named<Box<dyn HeaderConverter>>,
}

/// A record's bytes on the way to Kafka.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<RawHeader>,
}

impl Converters {
    /// Builds the converters of a connector. One that it does not name is the worker's, with the
    /// worker's settings.
    ///
    /// # Errors
    /// The configuration does not fit, or a class is not known.
    pub fn new(
        plugins: &dyn Plugins,
        connector: &Props,
        worker: &Props,
    ) -> Result<Self, ConnectError> {
        let (class, config) = chosen(connector, worker, "header.converter");
        let class = class.unwrap_or(SIMPLE_HEADER_CONVERTER);
        let plugin = plugins
            .header_converter(class)
            .ok_or_else(|| unknown(class, "header.converter"))?;
        let headers = Named {
            class: plugin.class().into(),
            inner: plugin.header_converter(&config)?,
        };
        let converter = |key: &str, usage| -> Result<Named<ConverterInstance>, ConnectError> {
            let (class, config) = chosen(connector, worker, key);
            let class = class.ok_or_else(|| {
                ConnectError::config(format!(
                    "Missing required configuration \"{key}\" which has no default value."
                ))
            })?;
            let plugin = plugins
                .converter(class)
                .ok_or_else(|| unknown(class, key))?;
            Ok(Named {
                class: plugin.class().into(),
                inner: plugin.converter(&config, usage)?,
            })
        };
        Ok(Self {
            key: converter("key.converter", ConverterUse::Key)?,
            value: converter("value.converter", ConverterUse::Value)?,
            headers,
        })
    }

    /// Bytes from Kafka into a record whose topic is set: key, value, headers, in Java's order.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub async fn decode(
        &mut self,
        mut record: Record,
        key: Option<&Bytes>,
        value: Option<&Bytes>,
        raw: &[RawHeader],
    ) -> Result<Record, StageFailure> {
        let topic: &str = &record.topic;
        let decoded_key = self.key.decode(topic, raw, key).await;
        let decoded_key = decoded_key.map_err(|e| self.key.failure(Stage::KeyConverter, e))?;
        let decoded = self.value.decode(topic, raw, value).await;
        let decoded = decoded.map_err(|e| self.value.failure(Stage::ValueConverter, e))?;
        if !raw.is_empty() {
            let headers = self.headers.inner.all_to_connect(topic, raw);
            record.headers =
                headers.map_err(|e| self.headers.failure(Stage::HeaderConverter, e))?;
        }
        record.key = decoded_key;
        record.value = decoded;
        Ok(record)
    }

    /// A record to the bytes for Kafka: headers, key, value, in Java's order.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub async fn encode(&mut self, record: &Record) -> Result<Encoded, StageFailure> {
        let topic: &str = &record.topic;
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in record.headers.iter() {
            let value = self
                .headers
                .inner
                .from_connect(topic, &header.key, &header.value);
            headers.push(RawHeader {
                key: header.key.clone(),
                value: value.map_err(|e| self.headers.failure(Stage::HeaderConverter, e))?,
            });
        }
        let key = self.key.encode(topic, &mut headers, &record.key).await;
        let key = key.map_err(|e| self.key.failure(Stage::KeyConverter, e))?;
        let value = self.value.encode(topic, &mut headers, &record.value).await;
        let value = value.map_err(|e| self.value.failure(Stage::ValueConverter, e))?;
        Ok(Encoded {
            key,
            value,
            headers,
        })
    }
}

impl std::fmt::Debug for Converters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Converters")
            .field("key", &self.key.class)
            .field("value", &self.value.class)
            .field("headers", &self.headers.class)
            .finish()
    }
}

impl<T> Named<T> {
    fn failure(&self, stage: Stage, error: ConnectError) -> StageFailure {
        StageFailure {
            stage,
            class: self.class.clone(),
            step: 0,
            error,
        }
    }
}

impl Named<ConverterInstance> {
    async fn decode(
        &mut self,
        topic: &str,
        headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        match &mut self.inner {
            ConverterInstance::PerRecord(inner) => inner.to_connect(topic, headers, bytes),
            ConverterInstance::Batch(inner) => {
                let item = ToConnect {
                    topic,
                    headers,
                    bytes,
                };
                first(inner.to_connect(vec![item]).await)
            }
        }
    }

    async fn encode(
        &mut self,
        topic: &str,
        headers: &mut Vec<RawHeader>,
        item: &SchemaAndValue,
    ) -> Result<Option<Bytes>, ConnectError> {
        let (schema, value) = (item.schema.as_ref(), &item.value);
        match &mut self.inner {
            ConverterInstance::PerRecord(inner) => {
                inner.from_connect(topic, headers, schema, value)
            }
            ConverterInstance::Batch(inner) => {
                let item = FromConnect {
                    topic,
                    headers,
                    schema,
                    value,
                };
                first(inner.from_connect(vec![item]).await)
            }
        }
    }
}

fn first<T>(answers: Vec<Result<T, ConnectError>>) -> Result<T, ConnectError> {
    let missing = || Err(ConnectError::connect("the converter gave no answer"));
    answers.into_iter().next().unwrap_or_else(missing)
}

/// The class and own keys of a converter: the connector's when it names one, else the worker's.
fn chosen<'a>(connector: &'a Props, worker: &'a Props, key: &str) -> (Option<&'a str>, Props) {
    let source = if connector.contains_key(key) {
        connector
    } else {
        worker
    };
    let class = source.get(key).map(|name| name.trim());
    (class, under_prefix(source, &format!("{key}.")))
}

fn unknown(class: &str, key: &str) -> ConnectError {
    ConnectError::config(format!(
        "Invalid value {class} for configuration {key}: Class {class} could not be found."
    ))
}
