//! The options of `JsonConverter`.

use milena_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, Props, Validator, Width,
};

use crate::plugin::converter_def;

const SCHEMAS_ENABLE: &str = "schemas.enable";
const SCHEMAS_CACHE_SIZE: &str = "schemas.cache.size";
const SCHEMA_CONTENT: &str = "schema.content";
const DECIMAL_FORMAT: &str = "decimal.format";
const REPLACE_NULL: &str = "replace.null.with.default";

/// The parsed options.
#[derive(Clone, Debug)]
pub struct JsonConfig {
    /// Whether messages are envelopes of schema and payload.
    pub schemas_enable: bool,
    /// How many schemas are kept, each way.
    pub cache_size: usize,
    /// A schema that stands for that of every message read (KIP-1054); blank is none.
    pub schema_content: Option<String>,
    /// Whether decimals are written as numbers rather than base64 of their unscaled bytes.
    pub decimal_numeric: bool,
    /// Whether a null takes the default of its schema.
    pub replace_null_with_default: bool,
}

impl Default for JsonConfig {
    fn default() -> Self {
        Self {
            schemas_enable: true,
            cache_size: 1000,
            schema_content: None,
            decimal_numeric: false,
            replace_null_with_default: true,
        }
    }
}

impl JsonConfig {
    /// The definition of the keys, in Java's order.
    #[must_use]
    pub fn config_def() -> ConfigDef {
        let format = Validator::new(|name, value| match value {
            ConfigValue::String(text)
                if !["NUMERIC", "BASE64"]
                    .iter()
                    .any(|f| f.eq_ignore_ascii_case(text)) =>
            {
                Err(ConfigError::invalid(
                    name,
                    text,
                    "String must be one of (case insensitive): NUMERIC, BASE64",
                ))
            }
            _ => Ok(()),
        });
        converter_def()
            .define(
                ConfigKey::new(SCHEMAS_ENABLE, ConfigType::Boolean)
                    .default(ConfigValue::Boolean(true))
                    .importance(Importance::High)
                    .doc("Whether each message is an envelope that carries its schema.")
                    .form("Schemas", 0, Width::Medium, "Enable Schemas"),
            )
            .define(
                ConfigKey::new(SCHEMAS_CACHE_SIZE, ConfigType::Int)
                    .default(ConfigValue::Int(1000))
                    .importance(Importance::High)
                    .doc("How many schemas this converter keeps, for each direction.")
                    .form("Schemas", 1, Width::Medium, "Schema Cache Size"),
            )
            .define(
                ConfigKey::new(SCHEMA_CONTENT, ConfigType::String)
                    .default(ConfigValue::Null)
                    .importance(Importance::High)
                    .doc(
                        "A schema, as JSON, under which every message is read: the whole message is \
                         then the payload. Needs schemas.enable and has no effect on writing.",
                    )
                    .form("Schemas", 2, Width::Medium, "Schema Content"),
            )
            .define(
                ConfigKey::new(DECIMAL_FORMAT, ConfigType::String)
                    .default(ConfigValue::String("BASE64".to_owned()))
                    .validator(format)
                    .importance(Importance::Low)
                    .doc(
                        "How decimals are written: BASE64 (of the unscaled bytes) or NUMERIC (a \
                         JSON number), in any case.",
                    )
                    .form("Serialization", 0, Width::Medium, "Decimal Format"),
            )
            .define(
                ConfigKey::new(REPLACE_NULL, ConfigType::Boolean)
                    .default(ConfigValue::Boolean(true))
                    .importance(Importance::Low)
                    .doc("Whether a null is replaced by the default of its schema, if there is one.")
                    .form(
                        "Serialization",
                        1,
                        Width::Medium,
                        "Replace null with default",
                    ),
            )
    }

    /// Parses the converter's own properties.
    ///
    /// # Errors
    /// A value that its key does not allow.
    pub fn parse(props: &Props) -> Result<Self, ConfigError> {
        let parsed = Self::config_def().parse(props)?;
        let blank = |text: &&str| !text.trim().is_empty();
        Ok(Self {
            schemas_enable: parsed.boolean(SCHEMAS_ENABLE),
            cache_size: parsed
                .integer(SCHEMAS_CACHE_SIZE)
                .and_then(|size| usize::try_from(size).ok())
                .unwrap_or(0),
            schema_content: parsed
                .string(SCHEMA_CONTENT)
                .filter(blank)
                .map(str::to_owned),
            decimal_numeric: parsed
                .string(DECIMAL_FORMAT)
                .is_some_and(|format| format.eq_ignore_ascii_case("NUMERIC")),
            replace_null_with_default: parsed.boolean(REPLACE_NULL),
        })
    }
}
