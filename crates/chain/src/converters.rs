//! The three converters of a task, both directions.

use std::sync::Arc;

use bytes::Bytes;
use milena_api::{
    ConnectError, ConverterInstance, ConverterUse, FromConnect, HeaderConverter, RawHeader,
    RecordConverter, ToConnect,
};
use milena_config::Props;
use milena_data::{Record, SchemaAndValue};

use crate::{Observer, Plugins, Raw, Seen, Stage, StageFailure, under_prefix};

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

/// A record's bytes as they came from Kafka.
#[derive(Clone, Copy, Debug)]
pub struct RawRecord<'a> {
    /// The key.
    pub key: Option<&'a Bytes>,
    /// The value.
    pub value: Option<&'a Bytes>,
    /// The headers.
    pub headers: &'a [RawHeader],
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
        headers: &[RawHeader],
    ) -> Result<Record, StageFailure> {
        let raw = RawRecord {
            key,
            value,
            headers,
        };
        self.decode_seen(Stage::KeyConverter, &mut record, raw, None)
            .await?;
        Ok(record)
    }

    /// Whether both converters work record by record.
    pub(crate) fn is_per_record(&self) -> bool {
        let both = [&self.key.inner, &self.value.inner];
        both.iter()
            .all(|inner| matches!(inner, ConverterInstance::PerRecord(_)))
    }

    /// As [`Self::decode`] of converters that work record by record: nothing is waited for. Key and value may be there,
    /// of an earlier record.
    pub(crate) fn decode_at_once(
        &mut self,
        record: &mut Record,
        raw: RawRecord<'_>,
    ) -> Result<(), StageFailure> {
        let (topic, headers) = (&record.topic, raw.headers);
        let key = self.key.one();
        key.and_then(|one| one.to_connect_at(topic, headers, raw.key, &mut record.key))
            .map_err(|e| self.key.failure(Stage::KeyConverter, e))?;
        let value = self.value.one();
        value
            .and_then(|one| one.to_connect_at(topic, headers, raw.value, &mut record.value))
            .map_err(|e| self.value.failure(Stage::ValueConverter, e))?;
        if !raw.headers.is_empty() {
            let converter = &mut self.headers.inner;
            let headers = converter.all_to_connect(&record.topic, raw.headers);
            record.headers =
                headers.map_err(|e| self.headers.failure(Stage::HeaderConverter, e))?;
        }
        Ok(())
    }

    /// As [`Self::encode`] of converters that work record by record: nothing is waited for.
    pub(crate) fn encode_at_once(
        &mut self,
        record: &Record,
        made: &mut Encoded,
    ) -> Result<(), StageFailure> {
        let topic: &str = &record.topic;
        if !record.headers.is_empty() {
            let headers = self.encode_headers(record);
            made.headers = headers.map_err(|e| self.headers.failure(Stage::HeaderConverter, e))?;
        }
        let (headers, item) = (&mut made.headers, &record.key);
        let key = self
            .key
            .one()
            .and_then(|one| one.from_connect(topic, headers, item.schema.as_ref(), &item.value));
        made.key = key.map_err(|e| self.key.failure(Stage::KeyConverter, e))?;
        let (headers, item) = (&mut made.headers, &record.value);
        let value = self
            .value
            .one()
            .and_then(|one| one.from_connect(topic, headers, item.schema.as_ref(), &item.value));
        made.value = value.map_err(|e| self.value.failure(Stage::ValueConverter, e))?;
        Ok(())
    }

    /// As [`Self::decode`], from a stage on, while somebody may look.
    pub(crate) async fn decode_seen(
        &mut self,
        first: Stage,
        record: &mut Record,
        raw: RawRecord<'_>,
        mut observer: Look<'_>,
    ) -> Result<(), StageFailure> {
        if first == Stage::KeyConverter {
            let before = observer.is_some().then(|| record.clone());
            let decoded = self.key.decode(&record.topic, raw.headers, raw.key).await;
            let decoded = decoded.map(|decoded| record.key = decoded);
            let seen = Step {
                stage: Stage::KeyConverter,
                class: &self.key.class,
                before: before.as_ref(),
                raw: Raw::Bytes(raw.key),
            };
            seen.tell(observer.as_deref_mut(), decoded.as_ref().map(|()| &*record));
            decoded.map_err(|e| self.key.failure(Stage::KeyConverter, e))?;
        }
        if first != Stage::HeaderConverter {
            let before = observer.is_some().then(|| record.clone());
            let decoded = self.value.decode(&record.topic, raw.headers, raw.value);
            let decoded = decoded.await.map(|decoded| record.value = decoded);
            let seen = Step {
                stage: Stage::ValueConverter,
                class: &self.value.class,
                before: before.as_ref(),
                raw: Raw::Bytes(raw.value),
            };
            seen.tell(observer.as_deref_mut(), decoded.as_ref().map(|()| &*record));
            decoded.map_err(|e| self.value.failure(Stage::ValueConverter, e))?;
        }
        if raw.headers.is_empty() {
            return Ok(());
        }
        let before = observer.is_some().then(|| record.clone());
        let headers = &mut self.headers;
        let decoded = headers.inner.all_to_connect(&record.topic, raw.headers);
        let decoded = decoded.map(|decoded| record.headers = decoded);
        let seen = Step {
            stage: Stage::HeaderConverter,
            class: &headers.class,
            before: before.as_ref(),
            raw: Raw::Headers(raw.headers),
        };
        seen.tell(observer, decoded.as_ref().map(|()| &*record));
        decoded.map_err(|e| headers.failure(Stage::HeaderConverter, e))
    }

    /// A record to the bytes for Kafka: headers, key, value, in Java's order.
    ///
    /// # Errors
    /// The stage that failed, with its class.
    pub async fn encode(&mut self, record: &Record) -> Result<Encoded, StageFailure> {
        let mut made = Encoded::default();
        self.encode_seen(Stage::HeaderConverter, record, &mut made, None)
            .await?;
        Ok(made)
    }

    /// As [`Self::encode`], from a stage on, while somebody may look.
    pub(crate) async fn encode_seen(
        &mut self,
        first: Stage,
        record: &Record,
        made: &mut Encoded,
        mut observer: Look<'_>,
    ) -> Result<(), StageFailure> {
        let topic: &str = &record.topic;
        if first == Stage::HeaderConverter {
            let headers = self.encode_headers(record);
            if observer.is_some() && !record.headers.is_empty() {
                let raw = headers.as_deref().map_or(Raw::None, Raw::Headers);
                let seen = Step::of(Stage::HeaderConverter, &self.headers.class, record, raw);
                seen.tell(observer.as_deref_mut(), headers.as_ref().map(|_| record));
            }
            made.headers = headers.map_err(|e| self.headers.failure(Stage::HeaderConverter, e))?;
        }
        let headers = &mut made.headers;
        if first != Stage::ValueConverter {
            let key = self.key.encode(topic, headers, &record.key).await;
            let raw = key
                .as_ref()
                .map_or(Raw::None, |bytes| Raw::Bytes(bytes.as_ref()));
            let seen = Step::of(Stage::KeyConverter, &self.key.class, record, raw);
            seen.tell(observer.as_deref_mut(), key.as_ref().map(|_| record));
            made.key = key.map_err(|e| self.key.failure(Stage::KeyConverter, e))?;
        }
        let value = self.value.encode(topic, headers, &record.value).await;
        let raw = value
            .as_ref()
            .map_or(Raw::None, |bytes| Raw::Bytes(bytes.as_ref()));
        let seen = Step::of(Stage::ValueConverter, &self.value.class, record, raw);
        seen.tell(observer, value.as_ref().map(|_| record));
        made.value = value.map_err(|e| self.value.failure(Stage::ValueConverter, e))?;
        Ok(())
    }

    fn encode_headers(&mut self, record: &Record) -> Result<Vec<RawHeader>, ConnectError> {
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in record.headers.iter() {
            let converter = &mut self.headers.inner;
            headers.push(RawHeader {
                key: header.key.clone(),
                value: converter.from_connect(&record.topic, &header.key, &header.value)?,
            });
        }
        Ok(headers)
    }
}

/// Who looks, if anybody.
type Look<'a> = Option<&'a mut (dyn Observer + 'static)>;

/// One converter that has run.
struct Step<'a> {
    stage: Stage,
    class: &'a str,
    before: Option<&'a Record>,
    raw: Raw<'a>,
}

impl<'a> Step<'a> {
    fn of(stage: Stage, class: &'a str, before: &'a Record, raw: Raw<'a>) -> Self {
        Self {
            stage,
            class,
            before: Some(before),
            raw,
        }
    }

    fn tell(self, observer: Look<'_>, after: Result<&'a Record, &'a ConnectError>) {
        let Some(observer) = observer else { return };
        observer.seen(&Seen {
            stage: self.stage,
            alias: match self.stage {
                Stage::KeyConverter => "key.converter",
                Stage::ValueConverter => "value.converter",
                _ => "header.converter",
            },
            class: self.class,
            step: 0,
            before: self.before,
            after: after.map(Some),
            applied: true,
            raw: self.raw,
        });
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
            given: None,
            error,
        }
    }
}

impl Named<ConverterInstance> {
    /// The converter that works record by record.
    fn one(&mut self) -> Result<&mut dyn RecordConverter, ConnectError> {
        match &mut self.inner {
            ConverterInstance::PerRecord(inner) => Ok(&mut **inner),
            ConverterInstance::Batch(_) => {
                let text = format!("converter {} works by batches", self.class);
                Err(ConnectError::connect(text))
            }
        }
    }

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
