//! `StringConverter`: text in any encoding (spec `data.md` 2.2).

use bytes::Bytes;
use milena_api::{ConnectError, RawHeader, RecordConverter};
use milena_config::{
    ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Props, Width,
};
use milena_data::{Schema, SchemaAndValue, Value};

use crate::{charset::Charset, numbers::SERIALIZATION_EXCEPTION, plugin::converter_def};

const ENCODING: &str = "converter.encoding";

/// `org.apache.kafka.connect.storage.StringConverter`. Writing takes the Java text of any value.
pub struct StringConverter {
    charset: Charset,
    schema: Schema,
}

/// The definition of its keys.
pub(crate) fn config_def() -> ConfigDef {
    let mut key = ConfigKey::new(ENCODING, ConfigType::String)
        .default(ConfigValue::String("UTF-8".to_owned()))
        .importance(Importance::High)
        .doc("The character set of the bytes, by its Java name.");
    key.width = Width::Medium;
    "Encoding".clone_into(&mut key.display_name);
    converter_def().define(key)
}

impl StringConverter {
    /// A converter of the given configuration.
    ///
    /// # Errors
    /// The encoding is not known: `SerializationException` `Unsupported encoding <X>`.
    pub fn configured(props: &Props) -> Result<Self, ConnectError> {
        let config: ParsedConfig = config_def().parse(props)?;
        let name = config.string(ENCODING).unwrap_or("UTF-8");
        let charset = Charset::of_name(name).ok_or_else(|| {
            ConnectError::of(
                SERIALIZATION_EXCEPTION,
                format!("Unsupported encoding {name}"),
            )
        })?;
        Ok(Self {
            charset,
            schema: Schema::optional_string(),
        })
    }
}

impl RecordConverter for StringConverter {
    fn to_connect(
        &mut self,
        _topic: &str,
        _headers: &[RawHeader],
        bytes: Option<&Bytes>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let value = match bytes {
            Some(bytes) => Value::String(self.charset.decode(bytes)),
            None => Value::Null,
        };
        Ok(SchemaAndValue::new(Some(self.schema.clone()), value))
    }

    fn from_connect(
        &mut self,
        _topic: &str,
        _headers: &mut Vec<RawHeader>,
        _schema: Option<&Schema>,
        value: &Value,
    ) -> Result<Option<Bytes>, ConnectError> {
        Ok(match value {
            Value::Null => None,
            Value::String(text) => Some(self.charset.encode_shared(text)),
            other => Some(self.charset.encode(&other.to_string())),
        })
    }
}
