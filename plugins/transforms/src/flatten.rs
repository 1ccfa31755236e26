//! `Flatten`: nested structs or maps become one level, with joined names.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig};
use milena_data::{MapValue, Record, Schema, SchemaBuilder, SchemaType, Struct, Text, Value};

use crate::{
    cast_value::kind_of_class,
    copy, keys,
    requirements::{not_a_string, require_map, require_struct},
    schema_cache::SchemaCache,
    side::Side,
};

const PURPOSE: &str = "flattening";

struct Flatten {
    side: Side,
    delimiter: String,
    schemas: SchemaCache<Schema>,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::new("delimiter", ConfigType::String)
            .default(ConfigValue::String(".".to_owned()))
            .importance(Importance::Medium)
            .doc("Text between the names of outer and inner fields in the new names."),
    )
}

#[expect(clippy::unnecessary_wraps, reason = "all transforms are made alike")]
pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    Ok(Box::new(Flatten {
        side,
        delimiter: keys::text(config, "delimiter").unwrap_or_default(),
        schemas: SchemaCache::default(),
    }))
}

impl RecordTransform for Flatten {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        if part.value.is_null() {
            return Ok(true);
        }
        let value = std::mem::take(&mut part.value);
        match &part.schema {
            None => {
                let map = require_map(value, PURPOSE)?;
                let mut flat = MapValue::with_capacity(map.len());
                self.flatten_map(map, "", &mut flat)?;
                part.value = flat.into();
            }
            Some(schema) => {
                let inner = require_struct(value, PURPOSE)?;
                let delimiter = &self.delimiter;
                let flat = self
                    .schemas
                    .get(schema, |schema| flat_schema(schema, delimiter))?;
                let mut slots = Vec::with_capacity(flat.fields().len());
                flatten_struct(&inner, flat, &mut slots)?;
                part.value = Struct::from_slots(flat.clone(), slots).into();
                part.schema = Some(flat.clone());
            }
        }
        Ok(true)
    }
}

fn joined(prefix: &str, delimiter: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}{delimiter}{name}")
    }
}

impl Flatten {
    fn flatten_map(
        &self,
        map: MapValue,
        prefix: &str,
        flat: &mut MapValue,
    ) -> Result<(), ConnectError> {
        for (key, value) in map {
            let key = match key {
                // Java joins a null to its prefix.
                Value::Null if !prefix.is_empty() => Value::from("null"),
                key => key,
            };
            if key.is_null() && kind_of_class(&value).is_none_or(SchemaType::is_primitive) {
                // A null at the top stays one; what cannot be flattened is refused as under any name.
                if !value.is_null() && kind_of_class(&value).is_none() {
                    return Err(unsupported(&value));
                }
                flat.insert(Value::Null, value);
                continue;
            }
            let Value::String(key) = key else {
                return Err(not_a_string(&key));
            };
            let name = joined(prefix, &self.delimiter, &key);
            match value {
                Value::Map(inner) => self.flatten_map(*inner, &name, flat)?,
                Value::Struct(_) => {
                    return Err(ConnectError::data(format!(
                        "Flatten transformation does not support class {} for record without schemas (for field {name}).",
                        value.java_class()
                    )));
                }
                other if !other.is_null() && kind_of_class(&other).is_none() => {
                    return Err(unsupported(&other));
                }
                other => {
                    flat.insert(Text::from(name), other);
                }
            }
        }
        Ok(())
    }
}

fn unsupported(value: &Value) -> ConnectError {
    ConnectError::data(format!(
        "Flatten transformation was passed a value of type class {} which is not supported by Connect's data API",
        value.java_class()
    ))
}

fn flat_schema(schema: &Schema, delimiter: &str) -> Result<Schema, ConnectError> {
    let builder = copy::basics(schema, SchemaType::Struct);
    let default = schema.default_value();
    let builder = add_fields(
        builder,
        schema,
        "",
        delimiter,
        schema.is_optional(),
        default.and_then(Value::as_struct),
    )?;
    Ok(builder.build()?)
}

/// Adds the leaves below a schema. What is optional or a default above them is theirs.
fn add_fields(
    mut builder: SchemaBuilder,
    schema: &Schema,
    prefix: &str,
    delimiter: &str,
    optional: bool,
    above: Option<&Struct>,
) -> Result<SchemaBuilder, ConnectError> {
    for field in copy::fields(schema)? {
        let name = joined(prefix, delimiter, field.name());
        let own = field.schema();
        let optional = optional || own.is_optional();
        let default = match (own.default_value(), above) {
            (Some(default), _) => Some(default),
            (None, Some(above)) => Some(above.get(field.name())?),
            (None, None) => None,
        };
        match own.kind() {
            SchemaType::Struct => {
                let default = default.and_then(Value::as_struct);
                builder = add_fields(builder, own, &name, delimiter, optional, default)?;
            }
            SchemaType::Map => {
                return Err(ConnectError::data(format!(
                    "Flatten transformation does not support MAP for record with schemas (for field {name})."
                )));
            }
            _ => builder = builder.field(name, leaf(own, optional, default)?),
        }
        // Java stops at the first name that stands twice.
        if let Some(error) = builder.error() {
            return Err(error.clone().into());
        }
    }
    Ok(builder)
}

fn leaf(schema: &Schema, optional: bool, default: Option<&Value>) -> Result<Schema, ConnectError> {
    let builder = match schema.kind() {
        SchemaType::Array => SchemaBuilder::array_of(schema.value_schema().cloned()),
        kind => SchemaBuilder::new(kind),
    };
    let mut builder = copy::basics_onto(schema, builder);
    if optional {
        builder = builder.optional();
    }
    if let Some(default) = default.filter(|default| !default.is_null()) {
        builder = builder.default_value(default.clone());
    }
    Ok(builder.build()?)
}

/// Appends the leaves of a struct in order; the next leaf is the field at the end of `slots`.
fn flatten_struct(
    inner: &Struct,
    flat: &Schema,
    slots: &mut Vec<Value>,
) -> Result<(), ConnectError> {
    for field in inner.schema().fields().values() {
        if field.schema().kind() == SchemaType::Struct {
            match inner.slot(field.index()) {
                Value::Struct(nested) => flatten_struct(nested, flat, slots)?,
                _ => skip_leaves(field.schema(), slots),
            }
            continue;
        }
        let value = inner.get_field(field).clone();
        if let Some(leaf) = flat.field_at(slots.len()) {
            slots.push(copy::put(leaf, value)?);
        }
    }
    Ok(())
}

/// The leaves of a struct that is null stay null.
fn skip_leaves(schema: &Schema, slots: &mut Vec<Value>) {
    for field in schema.fields().values() {
        match field.schema().kind() {
            SchemaType::Struct => skip_leaves(field.schema(), slots),
            _ => slots.push(Value::Null),
        }
    }
}
