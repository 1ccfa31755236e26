//! The plugin descriptors and the explicit, alphabetical list of them.

use std::sync::Arc;

use bytes::Bytes;
use milena_api::{
    ConnectError, ConverterInstance, ConverterPlugin, ConverterUse, HeaderConverter,
    HeaderConverterPlugin, PluginInfo, RecordConverter,
};
use milena_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Props, Validator,
};
use milena_data::SchemaAndValue;

use crate::{
    boolean::BooleanConverter,
    byte_array::ByteArrayConverter,
    json::{JsonConfig, JsonConverter},
    numbers::{NumberConverter, NumberKind},
    simple_header::SimpleHeaderConverter,
    string::{self, StringConverter},
};

/// The version that the plugins show: that of the Apache Kafka they are compatible with.
const VERSION: &str = "4.3.1";

/// The key of every converter of Apache Kafka that the framework sets itself.
const CONVERTER_TYPE: &str = "converter.type";

type Make = fn(&Props) -> Result<Box<dyn RecordConverter>, ConnectError>;

/// A converter that serves keys, values and headers.
#[derive(Clone, Copy)]
struct Plugin {
    class: &'static str,
    config_def: fn() -> ConfigDef,
    make: Make,
}

const PLUGINS: &[Plugin] = &[
    Plugin {
        class: "org.apache.kafka.connect.converters.BooleanConverter",
        config_def: converter_def,
        make: |_| Ok(Box::new(BooleanConverter)),
    },
    Plugin {
        class: "org.apache.kafka.connect.converters.ByteArrayConverter",
        config_def: converter_def,
        make: |_| Ok(Box::new(ByteArrayConverter)),
    },
    Plugin {
        class: "org.apache.kafka.connect.converters.DoubleConverter",
        config_def: converter_def,
        make: |_| Ok(Box::new(NumberConverter::new(NumberKind::Double))),
    },
    Plugin {
        class: "org.apache.kafka.connect.converters.FloatConverter",
        config_def: converter_def,
        make: |_| Ok(Box::new(NumberConverter::new(NumberKind::Float))),
    },
    Plugin {
        class: "org.apache.kafka.connect.converters.IntegerConverter",
        config_def: converter_def,
        make: |_| Ok(Box::new(NumberConverter::new(NumberKind::Integer))),
    },
    Plugin {
        class: "org.apache.kafka.connect.converters.LongConverter",
        config_def: converter_def,
        make: |_| Ok(Box::new(NumberConverter::new(NumberKind::Long))),
    },
    Plugin {
        class: "org.apache.kafka.connect.converters.ShortConverter",
        config_def: converter_def,
        make: |_| Ok(Box::new(NumberConverter::new(NumberKind::Short))),
    },
    Plugin {
        class: "org.apache.kafka.connect.json.JsonConverter",
        config_def: JsonConfig::config_def,
        make: |props| {
            let config = JsonConfig::parse(props)?;
            Ok(Box::new(JsonConverter::new(config)?))
        },
    },
    Plugin {
        class: "org.apache.kafka.connect.storage.StringConverter",
        config_def: string::config_def,
        make: |props| Ok(Box::new(StringConverter::configured(props)?)),
    },
];

/// All converters, by class name.
#[must_use]
pub fn converters() -> Vec<Arc<dyn ConverterPlugin>> {
    PLUGINS
        .iter()
        .map(|plugin| Arc::new(*plugin) as Arc<dyn ConverterPlugin>)
        .collect()
}

/// All header converters, by class name.
#[must_use]
pub fn header_converters() -> Vec<Arc<dyn HeaderConverterPlugin>> {
    let mut all: Vec<Arc<dyn HeaderConverterPlugin>> = Vec::with_capacity(PLUGINS.len() + 1);
    for plugin in PLUGINS {
        // "…storage.SimpleHeaderConverter" stands before "…storage.StringConverter".
        if plugin.class.ends_with(".StringConverter") {
            all.push(Arc::new(SimpleHeaderPlugin));
        }
        all.push(Arc::new(*plugin));
    }
    all
}

/// The definition of a converter without keys of its own.
pub(crate) fn converter_def() -> ConfigDef {
    let check = Validator::new(|name, value| match value {
        ConfigValue::String(text) if !matches!(text.as_str(), "key" | "value" | "header") => Err(
            ConfigError::invalid(name, text, "String must be one of: key, value, header"),
        ),
        _ => Ok(()),
    });
    ConfigDef::new().define(
        ConfigKey::new(CONVERTER_TYPE, ConfigType::String)
            .validator(check)
            .importance(Importance::Low)
            .doc("What the converter is used for; set by the worker."),
    )
}

fn with_type(config: &Props, usage: ConverterUse) -> Props {
    let mut config = config.clone();
    let text = match usage {
        ConverterUse::Key => "key",
        ConverterUse::Value => "value",
        ConverterUse::Header => "header",
    };
    config.insert(CONVERTER_TYPE.to_owned(), text.to_owned());
    config
}

impl PluginInfo for Plugin {
    fn class(&self) -> &str {
        self.class
    }

    fn version(&self) -> &str {
        VERSION
    }
}

impl ConverterPlugin for Plugin {
    fn config_def(&self) -> ConfigDef {
        (self.config_def)()
    }

    fn converter(
        &self,
        config: &Props,
        usage: ConverterUse,
    ) -> Result<ConverterInstance, ConnectError> {
        (self.make)(&with_type(config, usage)).map(ConverterInstance::PerRecord)
    }
}

impl HeaderConverterPlugin for Plugin {
    fn config_def(&self) -> ConfigDef {
        (self.config_def)()
    }

    fn header_converter(&self, config: &Props) -> Result<Box<dyn HeaderConverter>, ConnectError> {
        let inner = (self.make)(&with_type(config, ConverterUse::Header))?;
        Ok(Box::new(AsHeaderConverter(inner)))
    }
}

/// A record converter at work on headers: the same bytes as for values.
struct AsHeaderConverter(Box<dyn RecordConverter>);

impl HeaderConverter for AsHeaderConverter {
    fn to_connect(
        &mut self,
        topic: &str,
        _key: &str,
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        self.0.to_connect(topic, &[], bytes)
    }

    fn from_connect(
        &mut self,
        topic: &str,
        _key: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, ConnectError> {
        let schema = value.schema.as_ref();
        self.0
            .from_connect(topic, &mut Vec::new(), schema, &value.value)
    }
}

/// `SimpleHeaderConverter`, which serves headers only and has no configuration.
struct SimpleHeaderPlugin;

impl PluginInfo for SimpleHeaderPlugin {
    fn class(&self) -> &str {
        "org.apache.kafka.connect.storage.SimpleHeaderConverter"
    }

    fn version(&self) -> &str {
        VERSION
    }
}

impl HeaderConverterPlugin for SimpleHeaderPlugin {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
    }

    fn header_converter(&self, _config: &Props) -> Result<Box<dyn HeaderConverter>, ConnectError> {
        Ok(Box::new(SimpleHeaderConverter))
    }
}
