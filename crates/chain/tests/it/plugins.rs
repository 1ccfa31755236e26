//! Small plugins to build chains of.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use milena_api::{
    BatchTransform, ConnectError, ConverterInstance, ConverterPlugin, ConverterUse,
    HeaderConverter, HeaderConverterPlugin, PluginInfo, Predicate, PredicatePlugin, RawHeader,
    RecordConverter, RecordTransform, TransformInstance, TransformPlugin,
};
use milena_chain::Plugins;
use milena_config::{ConfigDef, ConfigKey, ConfigType, Props};
use milena_data::{Record, Schema, SchemaAndValue, Value};

/// Every plugin of this file under its name.
pub(crate) struct Shelf;

#[derive(Clone)]
struct Named(&'static str);

impl PluginInfo for Named {
    fn class(&self) -> &str {
        self.0
    }
    fn version(&self) -> &str {
        "1"
    }
}

fn named(name: &str) -> Option<Arc<Named>> {
    const NAMES: [&str; 8] = [
        "Append",
        "Drop",
        "Fail",
        "Shaky",
        "Batch",
        "Forgetful",
        "IsYes",
        "Tag",
    ];
    let found = NAMES.iter().find(|own| **own == name);
    found.map(|name| Arc::new(Named(name)))
}

impl Plugins for Shelf {
    fn transform(&self, name: &str) -> Option<Arc<dyn TransformPlugin>> {
        Some(named(name)?)
    }
    fn predicate(&self, name: &str) -> Option<Arc<dyn PredicatePlugin>> {
        Some(named(name)?)
    }
    fn converter(&self, name: &str) -> Option<Arc<dyn ConverterPlugin>> {
        Some(named(name)?)
    }
    fn header_converter(&self, name: &str) -> Option<Arc<dyn HeaderConverterPlugin>> {
        Some(named(name)?)
    }
}

fn changed(mut record: Record, text: &str) -> Record {
    record.value.value = Value::from(format!("{}{text}", record.value.value));
    record
}

impl TransformPlugin for Named {
    fn config_def(&self) -> ConfigDef {
        match self.0 {
            "Append" => ConfigDef::new().define(ConfigKey::new("text", ConfigType::String)),
            _ => ConfigDef::new(),
        }
    }

    fn transform(&self, config: &Props) -> Result<TransformInstance, ConnectError> {
        let text = config.get("text").cloned().unwrap_or_default();
        let failures = config.get("failures").and_then(|n| n.parse().ok());
        Ok(match self.0 {
            "Batch" => TransformInstance::Batch(Box::new(Batch)),
            "Forgetful" => TransformInstance::Batch(Box::new(Forgetful)),
            name => TransformInstance::PerRecord(Box::new(Single {
                name,
                text,
                failures: failures.unwrap_or(0),
            })),
        })
    }
}

struct Single {
    name: &'static str,
    text: String,
    failures: u32,
}

impl RecordTransform for Single {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        match self.name {
            "Drop" => Ok(false),
            "Fail" => Err(ConnectError::data("no")),
            _ if self.failures > 0 => {
                self.failures -= 1;
                Err(ConnectError::retriable("not yet"))
            }
            _ => {
                *record = changed(std::mem::take(record), &self.text);
                Ok(true)
            }
        }
    }
}

/// Tells each record how many there were; drops "drop…", fails "fail…".
struct Batch;

#[async_trait]
impl BatchTransform for Batch {
    async fn apply(&mut self, records: Vec<Record>) -> Vec<Result<Option<Record>, ConnectError>> {
        tokio::task::yield_now().await;
        let count = records.len();
        let one = |record: Record| {
            let text = record.value.value.to_string();
            if text.starts_with("drop") {
                Ok(None)
            } else if text.starts_with("fail") {
                Err(ConnectError::data("no"))
            } else {
                Ok(Some(changed(record, &format!("@{count}"))))
            }
        };
        records.into_iter().map(one).collect()
    }
}

/// Answers the first record only.
struct Forgetful;

#[async_trait]
impl BatchTransform for Forgetful {
    async fn apply(&mut self, records: Vec<Record>) -> Vec<Result<Option<Record>, ConnectError>> {
        records.into_iter().take(1).map(|r| Ok(Some(r))).collect()
    }
}

impl PredicatePlugin for Named {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn predicate(&self, _: &Props) -> Result<Box<dyn Predicate>, ConnectError> {
        Ok(Box::new(IsYes))
    }
}

struct IsYes;

impl Predicate for IsYes {
    fn test(&mut self, record: &Record) -> Result<bool, ConnectError> {
        match record.value.value.to_string().as_str() {
            "unclear" => Err(ConnectError::data("cannot say")),
            text => Ok(text == "yes"),
        }
    }
}

/// Texts with a tag before them.
struct Tag(String);

impl RecordConverter for Tag {
    fn to_connect(
        &mut self,
        _topic: &str,
        _headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let text = String::from_utf8_lossy(bytes.map_or(&b""[..], |bytes| bytes)).into_owned();
        let rest = text.strip_prefix(&self.0);
        let rest = rest.ok_or_else(|| ConnectError::data(format!("no {} here", self.0)))?;
        Ok(SchemaAndValue::new(None, Value::from(rest)))
    }

    fn from_connect(
        &mut self,
        _topic: &str,
        _headers: &mut Vec<RawHeader>,
        _schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        Ok(Some(Bytes::from(format!("{}{value}", self.0))))
    }
}

impl HeaderConverter for Tag {
    fn to_connect(
        &mut self,
        topic: &str,
        _key: &str,
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        RecordConverter::to_connect(self, topic, &[], bytes)
    }

    fn from_connect(
        &mut self,
        topic: &str,
        _key: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, ConnectError> {
        RecordConverter::from_connect(self, topic, &mut Vec::new(), None, &value.value)
    }
}

fn tag(config: &Props) -> Tag {
    Tag(config.get("tag").cloned().unwrap_or_default())
}

impl ConverterPlugin for Named {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn converter(
        &self,
        config: &Props,
        _usage: ConverterUse,
    ) -> Result<ConverterInstance, ConnectError> {
        Ok(ConverterInstance::PerRecord(Box::new(tag(config))))
    }
}

impl HeaderConverterPlugin for Named {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }
    fn header_converter(&self, config: &Props) -> Result<Box<dyn HeaderConverter>, ConnectError> {
        Ok(Box::new(tag(config)))
    }
}
