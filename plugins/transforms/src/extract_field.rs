//! `ExtractField`: replaces the key or value by one of its fields.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{
    ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Validator,
};
use milena_data::{Record, Schema, Value};

use crate::{
    field_path::{FieldPath, FieldSyntax},
    keys::{REPLACE_NULL, needed_text, replace_null},
    requirements::{not_a_map, not_a_struct},
    side::Side,
};

const PURPOSE: &str = "field extraction";

struct ExtractField {
    side: Side,
    configured: String,
    path: FieldPath,
    replace_null: bool,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::new("field", ConfigType::String)
                .importance(Importance::Medium)
                .doc("The field to extract."),
        )
        .define(replace_null())
        .define(
            ConfigKey::new("field.syntax.version", ConfigType::String)
                .default(ConfigValue::String("V1".to_owned()))
                .validator(Validator::one_of_ignoring_case(&["V1", "V2"]))
                .importance(Importance::High)
                .doc(
                    "How fields are named. <code>V1</code>: by the name of a field at the top. \
                     <code>V2</code>: by a path with dots into nested structs and maps; names that \
                     hold dots are put in backticks.",
                ),
        )
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let configured = needed_text(config, "field")?;
    let version = needed_text(config, "field.syntax.version")?;
    let syntax = if version.eq_ignore_ascii_case("V2") {
        FieldSyntax::V2
    } else {
        FieldSyntax::V1
    };
    Ok(Box::new(ExtractField {
        side,
        path: FieldPath::new(&configured, syntax)?,
        configured,
        replace_null: config.boolean(REPLACE_NULL),
    }))
}

impl RecordTransform for ExtractField {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        match &part.schema {
            None => {
                part.value = match &part.value {
                    Value::Null => Value::Null,
                    Value::Map(map) => self.path.value_in_map(map)?,
                    other => return Err(not_a_map(other, PURPOSE)),
                };
            }
            Some(schema) => {
                let (schema, value) = self.of_struct(schema, &part.value)?;
                part.schema = Some(schema);
                part.value = value;
            }
        }
        Ok(true)
    }
}

impl ExtractField {
    fn of_struct(&self, schema: &Schema, value: &Value) -> Result<(Schema, Value), ConnectError> {
        let inner = match value {
            Value::Null => None,
            Value::Struct(inner) => Some(inner),
            other => return Err(not_a_struct(other, PURPOSE)),
        };
        let field = self.path.field_in(schema)?.ok_or_else(|| {
            ConnectError::of(
                "java.lang.IllegalArgumentException",
                format!("Unknown field: {}", self.configured),
            )
        })?;
        let value = match inner {
            None => Value::Null,
            Some(inner) => self.path.value_in(inner, self.replace_null)?,
        };
        Ok((field.schema().clone(), value))
    }
}
