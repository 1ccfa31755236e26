//! `MaskField`: replaces fields by an empty value of their type, or by a given text or number.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{
    ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Validator,
};
use milena_data::{DataError, Decimal, MapValue, Record, Text, Value, values};

use crate::{
    copy,
    keys::{self, REPLACE_NULL, in_hash_order, needed_list, replace_null},
    requirements::{require_map, require_struct_mut},
    schema_cache::SchemaCache,
    side::Side,
};

const PURPOSE: &str = "mask fields";

struct MaskField {
    side: Side,
    fields: Vec<String>,
    mask: Mask,
    replace_null: bool,
    /// Which slots of a schema are masked.
    masked: SchemaCache<Vec<bool>>,
}

enum Mask {
    Empty,
    Custom(Text),
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(needed_list("fields").doc("Names of the fields to mask."))
        .define(
            ConfigKey::new("replacement", ConfigType::String)
                .default(ConfigValue::Null)
                .importance(Importance::Low)
                .validator(Validator::non_empty())
                .doc(
                    "What all the fields are replaced by; for fields that are numbers or texts. \
                     Without it, by an empty value of their type.",
                ),
        )
        .define(replace_null())
}

#[expect(clippy::unnecessary_wraps, reason = "all transforms are made alike")]
pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let replacement = keys::text(config, "replacement");
    Ok(Box::new(MaskField {
        side,
        fields: in_hash_order(config.list("fields")),
        mask: replacement.map_or(Mask::Empty, |text| Mask::Custom(text.into())),
        replace_null: config.boolean(REPLACE_NULL),
        masked: SchemaCache::default(),
    }))
}

impl RecordTransform for MaskField {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        if part.schema.is_none() {
            let mut map = require_map(std::mem::take(&mut part.value), PURPOSE)?;
            for name in &self.fields {
                let key = Text::from(name.as_str());
                let masked = self.mask.over(map.get_str(name).unwrap_or(&Value::Null))?;
                map.insert(key, masked);
            }
            part.value = map.into();
            return Ok(true);
        }
        let (schema, slots) = require_struct_mut(&mut part.value, PURPOSE)?.parts_mut();
        let fields = &self.fields;
        let masked = self.masked.get(schema, |schema| {
            let names = schema.fields().keys();
            Ok(names
                .map(|name| fields.iter().any(|own| *own == **name))
                .collect())
        })?;
        for (index, (slot, masked)) in slots.iter_mut().zip(masked).enumerate() {
            // What stays is under this very schema.
            if !*masked && copy::settled(slot) {
                continue;
            }
            let Some(field) = schema.field_at(index) else {
                break;
            };
            let mut value = copy::read_slot(std::mem::take(slot), field, self.replace_null);
            if *masked {
                value = self.mask.over(&value)?;
            }
            *slot = copy::put(field, value)?;
        }
        Ok(true)
    }
}

impl Mask {
    fn over(&self, value: &Value) -> Result<Value, ConnectError> {
        match (self, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Self::Empty, value) => empty_like(value),
            (Self::Custom(text), value) => custom(text, value),
        }
    }
}

fn empty_like(value: &Value) -> Result<Value, ConnectError> {
    Ok(match value {
        Value::Boolean(_) => Value::Boolean(false),
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        Value::String(_) => Value::String(Text::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Map(_) => MapValue::new().into(),
        // Java: of scale 0, whatever the schema says.
        Value::Decimal(_) => Value::Decimal(Decimal::new(0.into(), 0)),
        Value::BigInteger(_) => Value::BigInteger(0.into()),
        Value::Instant(_) => Value::Instant(0),
        other => {
            return Err(ConnectError::data(format!(
                "Cannot mask value of type: class {}",
                other.java_class()
            )));
        }
    })
}

fn custom(replacement: &Text, value: &Value) -> Result<Value, ConnectError> {
    let text = Value::String(replacement.clone());
    let number = |parsed: Result<Option<Value>, DataError>| match parsed {
        Ok(value) => Ok(value.unwrap_or_default()),
        Err(error) => Err(error.into()),
    };
    match value {
        Value::String(_) => Ok(text),
        Value::Int8(_) => number(values::convert_to_byte(None, &text).map(|n| n.map(Value::Int8))),
        Value::Int16(_) => {
            number(values::convert_to_short(None, &text).map(|n| n.map(Value::Int16)))
        }
        Value::Int32(_) => {
            number(values::convert_to_integer(None, &text).map(|n| n.map(Value::Int32)))
        }
        Value::Int64(_) => {
            number(values::convert_to_long(None, &text).map(|n| n.map(Value::Int64)))
        }
        Value::Float32(_) => {
            number(values::convert_to_float(None, &text).map(|n| n.map(Value::Float32)))
        }
        Value::Float64(_) => {
            number(values::convert_to_double(None, &text).map(|n| n.map(Value::Float64)))
        }
        Value::Decimal(_) => Decimal::parse(replacement)
            .map(Value::Decimal)
            .map_err(|error| not_a_number(replacement, error)),
        Value::BigInteger(_) => replacement
            .parse::<num_bigint::BigInt>()
            .map(Value::BigInteger)
            .map_err(|_| {
                let text = format!("For input string: \"{replacement}\"");
                not_a_number(
                    replacement,
                    DataError::of("java.lang.NumberFormatException", text),
                )
            }),
        other => Err(ConnectError::data(format!(
            "Cannot mask value of type class {} with custom replacement.",
            other.java_class()
        ))),
    }
}

fn not_a_number(replacement: &str, cause: DataError) -> ConnectError {
    ConnectError::data(format!(
        "Unable to convert {replacement} (class java.lang.String) to number"
    ))
    .caused_by(cause.into())
}
