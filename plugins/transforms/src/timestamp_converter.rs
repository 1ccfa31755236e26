//! `TimestampConverter`: between texts, numbers and the logical types of time.

use std::time::{SystemTime, UNIX_EPOCH};

use milena_api::{ConnectError, RecordTransform};
use milena_config::{
    ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Validator,
};
use milena_data::{Record, Schema, SchemaType, Struct, Text, Value};
use milena_java_text::DateFormat;

use crate::{
    copy,
    keys::{self, REPLACE_NULL, needed_text, replace_null},
    requirements::{not_a_struct, require_map},
    schema_cache::SchemaCache,
    side::Side,
    timestamp_types::{Converter, Form, Precision},
};

const PURPOSE: &str = "converting timestamp formats";

struct TimestampConverter {
    side: Side,
    /// Empty: the whole key or value.
    field: Text,
    converter: Converter,
    replace_null: bool,
    schemas: SchemaCache<Schema>,
}

pub(crate) fn config_def() -> ConfigDef {
    let optional = |name: &str, default: &str| {
        ConfigKey::new(name, ConfigType::String).default(ConfigValue::String(default.to_owned()))
    };
    ConfigDef::new()
        .define(
            optional("field", "")
                .importance(Importance::High)
                .doc("Field that holds the timestamp; empty when the whole value is one."),
        )
        .define(
            ConfigKey::new("target.type", ConfigType::String)
                .importance(Importance::High)
                .validator(Validator::one_of(&Form::NAMES))
                .doc("The new form: string, unix, Date, Time or Timestamp."),
        )
        .define(optional("format", "").importance(Importance::Medium).doc(
            "Pattern of texts, as of SimpleDateFormat: for the output when the type is string, for \
             the input when the input is a text.",
        ))
        .define(
            optional("unix.precision", "milliseconds")
                .importance(Importance::Low)
                .validator(Validator::one_of(&[
                    "nanoseconds",
                    "microseconds",
                    "milliseconds",
                    "seconds",
                ]))
                .doc(
                    "Unit of numbers, in the output when the type is unix and in the input when it is \
                     a number. Parts of milliseconds are lost.",
                ),
        )
        .define(replace_null())
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let target = Form::of_name(&needed_text(config, "target.type")?);
    let pattern = keys::text(config, "format").unwrap_or_default();
    let blank = pattern.trim().is_empty();
    if target == Form::Text && blank {
        return Err(ConnectError::config(
            "TimestampConverter requires format option to be specified when using string timestamps",
        ));
    }
    let format = if blank {
        None
    } else {
        Some(
            DateFormat::new(&pattern, now())
                .map_err(|error| bad_pattern(&pattern, &error.message))?,
        )
    };
    let precision = match keys::text(config, "unix.precision").as_deref() {
        Some("seconds") => Precision::Seconds,
        Some("microseconds") => Precision::Microseconds,
        Some("nanoseconds") => Precision::Nanoseconds,
        _ => Precision::Milliseconds,
    };
    Ok(Box::new(TimestampConverter {
        side,
        field: keys::text(config, "field").unwrap_or_default().into(),
        converter: Converter {
            target,
            format,
            precision,
        },
        replace_null: config.boolean(REPLACE_NULL),
        schemas: SchemaCache::default(),
    }))
}

fn bad_pattern(pattern: &str, reason: &str) -> ConnectError {
    // Java passes the cause where the value belongs.
    ConnectError::config(format!(
        "Invalid value java.lang.IllegalArgumentException: {reason} for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
    ))
}

/// Years of two digits are read by the day on which the transform is made, as in Java.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

impl RecordTransform for TimestampConverter {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        let value = std::mem::take(&mut part.value);
        match &part.schema {
            None => part.value = self.schemaless(value)?,
            Some(schema) if self.field.is_empty() => {
                let from = Form::of_schema(schema)?;
                part.value = self.converter.convert(&value, from)?;
                part.schema = Some(self.converter.target.schema(schema.is_optional()));
            }
            Some(schema) => {
                let (schema, value) = self.in_struct(schema, value)?;
                part.schema = Some(schema);
                part.value = value;
            }
        }
        Ok(true)
    }
}

impl TimestampConverter {
    fn schemaless(&self, value: Value) -> Result<Value, ConnectError> {
        if value.is_null() {
            return Ok(value);
        }
        if self.field.is_empty() {
            let from = Form::of_value(&value)?;
            return self.converter.convert(&value, from);
        }
        let mut map = require_map(value, PURPOSE)?;
        let converted = match map.get_str(&self.field) {
            None | Some(Value::Null) => Value::Null,
            Some(value) => self.converter.convert(value, Form::of_value(value)?)?,
        };
        map.insert(self.field.clone(), converted);
        Ok(map.into())
    }

    fn in_struct(
        &mut self,
        schema: &Schema,
        value: Value,
    ) -> Result<(Schema, Value), ConnectError> {
        let inner = match value {
            Value::Null => None,
            Value::Struct(inner) => Some(*inner),
            other => return Err(not_a_struct(&other, PURPOSE)),
        };
        let (field, converter, replace_null) = (&self.field, &self.converter, self.replace_null);
        let updated = self.schemas.get(schema, |schema| {
            derive(schema, field, converter, replace_null)
        })?;
        let value = match inner {
            None => Value::Null,
            Some(inner) => convert_struct(inner, updated, field, converter, replace_null)?.into(),
        };
        Ok((updated.clone(), value))
    }
}

fn derive(
    schema: &Schema,
    name: &Text,
    converter: &Converter,
    replace_null: bool,
) -> Result<Schema, ConnectError> {
    let mut builder = copy::basics(schema, SchemaType::Struct);
    for field in copy::fields(schema)? {
        let new = if field.name() == name {
            converter.target.schema(field.schema().is_optional())
        } else {
            field.schema().clone()
        };
        builder = builder.field(field.name().clone(), new);
    }
    if schema.is_optional() {
        builder = builder.optional();
    }
    if let Some(Value::Struct(default)) = schema.default_value() {
        let plain = builder.clone().build()?;
        let default = convert_struct((**default).clone(), &plain, name, converter, replace_null)?;
        builder = builder.default_value(Value::from(default));
    }
    Ok(builder.build()?)
}

fn convert_struct(
    inner: Struct,
    updated: &Schema,
    name: &Text,
    converter: &Converter,
    replace_null: bool,
) -> Result<Struct, ConnectError> {
    let (schema, mut slots) = inner.into_parts();
    let fields = schema.fields().values().zip(updated.fields().values());
    for (slot, (old, new)) in slots.iter_mut().zip(fields) {
        let mut value = copy::read_slot(std::mem::take(slot), old, replace_null);
        if old.name() == name {
            value = converter.convert(&value, Form::of_schema(old.schema())?)?;
        }
        *slot = copy::put(new, value)?;
    }
    Ok(Struct::from_slots(updated.clone(), slots))
}
