//! The way of a record through a task: converters and transforms, each under the error policy
//! (spec `data.md` 5.2, 5.3).

use std::sync::Arc;

use bytes::Bytes;
use milena_api::{
    ConnectError, ConverterInstance, ConverterUse, FromConnect, HeaderConverter, Predicate,
    RawHeader, ToConnect, TransformInstance,
};
use milena_config::Props;
use milena_core::failure::Stage;
use milena_data::{Record, Schema, SchemaAndValue, Value};
use milena_registry::Registry;
use tokio::time::Instant;

use super::failing::{ErrorPolicy, StageFailure};

/// A transform with its condition.
struct Step {
    class: String,
    transform: TransformInstance,
    /// The predicate and whether it is negated (KIP-585).
    condition: Option<(Box<dyn Predicate>, bool)>,
}

/// A converter with its class name, for reports.
struct Named<T> {
    class: String,
    inner: T,
}

/// The converters and transforms of one task.
pub(super) struct Pipeline {
    steps: Vec<Step>,
    key: Named<ConverterInstance>,
    value: Named<ConverterInstance>,
    headers: Named<Box<dyn HeaderConverter>>,
}

/// A record on its way to Kafka.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) record: Record,
    pub(super) key: Option<Bytes>,
    pub(super) value: Option<Bytes>,
    pub(super) headers: Vec<RawHeader>,
}

const SIMPLE_HEADERS: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";

fn config_error(error: impl std::fmt::Display) -> ConnectError {
    ConnectError::config(error.to_string())
}

/// The keys under a prefix, without it.
fn under(config: &Props, prefix: &str) -> Props {
    let strip = |(key, value): (&String, &String)| {
        Some((key.strip_prefix(prefix)?.to_owned(), value.clone()))
    };
    config.iter().filter_map(strip).collect()
}

impl Pipeline {
    /// Builds the pipeline of a connector; a converter that it does not name is the worker's, with the
    /// worker's settings.
    pub(super) fn new(
        registry: &Registry,
        connector: &Props,
        worker: &Props,
    ) -> Result<Self, ConnectError> {
        let converter =
            |key: &str, usage: ConverterUse| -> Result<Named<ConverterInstance>, ConnectError> {
                let source = if connector.contains_key(key) {
                    connector
                } else {
                    worker
                };
                let name = source.get(key).ok_or_else(|| {
                    ConnectError::config(format!(
                        "Missing required configuration \"{key}\" which has no default value."
                    ))
                })?;
                let plugin = registry.converter(name).map_err(config_error)?;
                let inner = plugin.converter(&under(source, &format!("{key}.")), usage)?;
                Ok(Named {
                    class: plugin.class().to_owned(),
                    inner,
                })
            };
        let header_key = "header.converter";
        let source = if connector.contains_key(header_key) {
            connector
        } else {
            worker
        };
        let name = source
            .get(header_key)
            .map_or(SIMPLE_HEADERS, String::as_str);
        let plugin = registry.header_converter(name).map_err(config_error)?;
        let headers = Named {
            class: plugin.class().to_owned(),
            inner: plugin.header_converter(&under(source, "header.converter."))?,
        };
        Ok(Self {
            steps: steps(registry, connector)?,
            key: converter("key.converter", ConverterUse::Key)?,
            value: converter("value.converter", ConverterUse::Value)?,
            headers,
        })
    }

    /// Transforms and converts a source record. `Ok(None)`: filtered, or skipped by tolerance.
    pub(super) async fn encode(
        &mut self,
        record: &Record,
        policy: &ErrorPolicy,
    ) -> Result<Option<Encoded>, ConnectError> {
        let begun = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_encode(record.clone()).await {
                Ok(encoded) => return Ok(encoded),
                Err(failure) => {
                    if failure.error.is_retriable() && policy.wait_to_retry(attempt, begun).await {
                        continue;
                    }
                    policy.judge(&failure, || {
                        format!(", where source record is = {}", describe(record))
                    })?;
                    return Ok(None);
                }
            }
        }
    }

    async fn try_encode(&mut self, record: Record) -> Result<Option<Encoded>, StageFailure> {
        let Some(record) = self.transform(record).await? else {
            return Ok(None);
        };
        let topic: &str = &record.topic;
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in record.headers.iter() {
            let value = self
                .headers
                .inner
                .from_connect(topic, &header.key, &header.value);
            let value = value
                .map_err(|error| failure(Stage::HeaderConverter, &self.headers.class, error))?;
            headers.push(RawHeader {
                key: header.key.clone(),
                value,
            });
        }
        let key = from_connect(
            &mut self.key,
            Stage::KeyConverter,
            topic,
            &mut headers,
            &record.key,
        )
        .await?;
        let value = from_connect(
            &mut self.value,
            Stage::ValueConverter,
            topic,
            &mut headers,
            &record.value,
        )
        .await?;
        Ok(Some(Encoded {
            key,
            value,
            headers,
            record,
        }))
    }

    /// Converts a consumed record (its key and value not yet set) and transforms it.
    pub(super) async fn try_decode(
        &mut self,
        mut record: Record,
        key: Option<&Bytes>,
        value: Option<&Bytes>,
        raw: &[RawHeader],
    ) -> Result<Option<Record>, StageFailure> {
        let topic = record.topic.clone();
        record.key = to_connect(&mut self.key, Stage::KeyConverter, &topic, raw, key).await?;
        record.value =
            to_connect(&mut self.value, Stage::ValueConverter, &topic, raw, value).await?;
        let headers = self.headers.inner.all_to_connect(&topic, raw);
        record.headers =
            headers.map_err(|error| failure(Stage::HeaderConverter, &self.headers.class, error))?;
        self.transform(record).await
    }

    async fn transform(&mut self, mut record: Record) -> Result<Option<Record>, StageFailure> {
        for step in &mut self.steps {
            let failed = |error| failure(Stage::Transformation, &step.class, error);
            if let Some((predicate, negate)) = &mut step.condition
                && predicate.test(&record).map_err(failed)? == *negate
            {
                continue;
            }
            let next = match &mut step.transform {
                TransformInstance::PerRecord(transform) => transform.apply(record),
                TransformInstance::Batch(transform) => {
                    let answers = transform.apply(vec![record]).await;
                    answers.into_iter().next().unwrap_or(Ok(None))
                }
            };
            match next.map_err(failed)? {
                Some(next) => record = next,
                None => return Ok(None),
            }
        }
        Ok(Some(record))
    }
}

fn failure(stage: Stage, class: &str, error: ConnectError) -> StageFailure {
    StageFailure {
        stage,
        class: class.to_owned(),
        error,
    }
}

fn describe(record: &Record) -> String {
    format!(
        "topic='{}', kafkaPartition={:?}",
        record.topic, record.partition
    )
}

async fn from_connect(
    converter: &mut Named<ConverterInstance>,
    stage: Stage,
    topic: &str,
    headers: &mut Vec<RawHeader>,
    item: &SchemaAndValue,
) -> Result<Option<Bytes>, StageFailure> {
    let (schema, value): (Option<&Schema>, &Value) = (item.schema.as_ref(), &item.value);
    let outcome = match &mut converter.inner {
        ConverterInstance::PerRecord(inner) => inner.from_connect(topic, headers, schema, value),
        ConverterInstance::Batch(inner) => {
            let batch = vec![FromConnect {
                topic,
                headers,
                schema,
                value,
            }];
            inner
                .from_connect(batch)
                .await
                .into_iter()
                .next()
                .unwrap_or(Ok(None))
        }
    };
    outcome.map_err(|error| failure(stage, &converter.class, error))
}

async fn to_connect(
    converter: &mut Named<ConverterInstance>,
    stage: Stage,
    topic: &str,
    headers: &[RawHeader],
    bytes: Option<&Bytes>,
) -> Result<SchemaAndValue, StageFailure> {
    let outcome = match &mut converter.inner {
        ConverterInstance::PerRecord(inner) => inner.to_connect(topic, headers, bytes),
        ConverterInstance::Batch(inner) => {
            let batch = vec![ToConnect {
                topic,
                headers,
                bytes,
            }];
            let answers = inner.to_connect(batch).await;
            answers
                .into_iter()
                .next()
                .unwrap_or_else(|| Ok(SchemaAndValue::default()))
        }
    };
    outcome.map_err(|error| failure(stage, &converter.class, error))
}

fn steps(registry: &Registry, config: &Props) -> Result<Vec<Step>, ConnectError> {
    let names = config
        .get("transforms")
        .map(String::as_str)
        .unwrap_or_default();
    let mut steps = Vec::new();
    for name in names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let mut own = under(config, &format!("transforms.{name}."));
        let class = own.remove("type").ok_or_else(|| {
            let text = format!("Missing required configuration \"transforms.{name}.type\" which has no default value.");
            ConnectError::config(text)
        })?;
        let plugin = registry.transform(&class).map_err(config_error)?;
        let negate = own
            .remove("negate")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let condition = match own.remove("predicate") {
            Some(predicate) => Some((self::predicate(registry, config, &predicate)?, negate)),
            None => None,
        };
        let class = plugin.class().to_owned();
        steps.push(Step {
            class,
            transform: plugin.transform(&own)?,
            condition,
        });
    }
    Ok(steps)
}

fn predicate(
    registry: &Registry,
    config: &Props,
    name: &str,
) -> Result<Box<dyn Predicate>, ConnectError> {
    let mut own = under(config, &format!("predicates.{name}."));
    let class = own.remove("type").ok_or_else(|| {
        let text = format!(
            "Missing required configuration \"predicates.{name}.type\" which has no default value."
        );
        ConnectError::config(text)
    })?;
    let plugin: &Arc<_> = registry.predicate(&class).map_err(config_error)?;
    plugin.predicate(&own)
}
