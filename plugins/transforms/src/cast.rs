//! `Cast`: changes the type of fields, or of the whole key or value.

use std::collections::HashMap;

use milena_api::{ConnectError, RecordTransform};
use milena_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Validator,
};
use milena_data::{Record, Schema, SchemaBuilder, SchemaType, Struct, Text};

use crate::{
    cast_value::cast_value,
    copy,
    keys::{REPLACE_NULL, in_hash_order, list_text, replace_null, split_colons},
    requirements::{require_map, require_struct_mut},
    schema_cache::SchemaCache,
    side::Side,
};

const PURPOSE: &str = "cast types";

/// What is cast to what.
enum Spec {
    Whole(SchemaType),
    Fields(HashMap<String, SchemaType>, Vec<String>),
}

struct Cast {
    side: Side,
    spec: Spec,
    replace_null: bool,
    schemas: SchemaCache<Plan>,
}

struct Plan {
    schema: Schema,
    /// The target of each field of the old schema.
    targets: Vec<Option<SchemaType>>,
}

pub(crate) fn config_def() -> ConfigDef {
    let spec = Validator::new(|_, value| match value {
        ConfigValue::List(items) if !items.is_empty() => parse_spec(items).map(|_| ()),
        _ => Err(ConfigError::new("Must specify at least one field to cast.")),
    });
    ConfigDef::new()
        .define(
            ConfigKey::new("spec", ConfigType::List)
                .importance(Importance::High)
                .validator(spec)
                .doc(
                    "Fields of structs or maps and the types to cast them to, as \
                     field1:type,field2:type; or one type for the whole value. Types are int8, int16, \
                     int32, int64, float32, float64, boolean and string. Bytes can be cast to string only.",
                ),
        )
        .define(replace_null())
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    Ok(Box::new(Cast {
        side,
        spec: parse_spec(config.list("spec"))?,
        replace_null: config.boolean(REPLACE_NULL),
        schemas: SchemaCache::default(),
    }))
}

fn parse_spec(mappings: &[String]) -> Result<Spec, ConfigError> {
    let mut whole = None;
    let mut fields = HashMap::new();
    // In the order of the setting, which decides where a hash map of Java has no other.
    let mut names = Vec::new();
    for mapping in mappings {
        match *split_colons(mapping) {
            [field, kind] => {
                let field = field.trim().to_owned();
                if fields.insert(field.clone(), target(kind)?).is_none() {
                    names.push(field);
                }
            }
            [kind] => whole = Some(target(kind)?),
            _ => {
                // Java names the key of another transform here.
                return Err(ConfigError::invalid(
                    "renames",
                    &list_text(mappings),
                    &format!("Invalid rename mapping: {mapping}"),
                ));
            }
        }
    }
    match whole {
        None => {
            let order = in_hash_order(&names);
            Ok(Spec::Fields(fields, order))
        }
        Some(kind) if mappings.len() == 1 => Ok(Spec::Whole(kind)),
        Some(_) => Err(ConfigError::new(
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec",
        )),
    }
}

fn target(text: &str) -> Result<SchemaType, ConfigError> {
    let text = text.trim();
    let Some(kind) = SchemaType::from_lower_name(&text.to_lowercase()) else {
        // Java passes the cause where the value belongs.
        let cause = format!(
            "java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.{}",
            text.to_uppercase()
        );
        return Err(ConfigError::new(format!(
            "Invalid value {cause} for configuration Invalid type found in casting spec: {text}"
        )));
    };
    if kind.is_primitive() && kind != SchemaType::Bytes {
        return Ok(kind);
    }
    Err(ConfigError::new(format!(
        "Cast transformation does not support casting to {kind}; supported types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]"
    )))
}

impl RecordTransform for Cast {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        if part.value.is_null() {
            return Ok(true);
        }
        match (&part.schema, &self.spec) {
            (None, Spec::Whole(kind)) => {
                part.value = cast_value(None, std::mem::take(&mut part.value), *kind)?;
            }
            (None, Spec::Fields(casts, order)) => {
                let mut map = require_map(std::mem::take(&mut part.value), PURPOSE)?;
                for name in order {
                    let Some(kind) = casts.get(name) else {
                        continue;
                    };
                    let old = map.get_str(name).cloned().unwrap_or_default();
                    map.insert(Text::from(name.as_str()), cast_value(None, old, *kind)?);
                }
                part.value = map.into();
            }
            (Some(schema), spec) => {
                let plan = self.schemas.get(schema, |schema| plan(schema, spec))?;
                match spec {
                    Spec::Whole(kind) => {
                        let value = std::mem::take(&mut part.value);
                        part.value = cast_value(Some(schema), value, *kind)?;
                    }
                    Spec::Fields(..) => {
                        let inner = require_struct_mut(&mut part.value, PURPOSE)?;
                        cast_struct(inner, schema, plan, self.replace_null)?;
                    }
                }
                part.schema = Some(plan.schema.clone());
            }
        }
        Ok(true)
    }
}

fn cast_struct(
    inner: &mut Struct,
    schema: &Schema,
    plan: &Plan,
    replace_null: bool,
) -> Result<(), ConnectError> {
    let (own, slots) = inner.parts_mut();
    let valid = own.same(schema);
    for (index, (slot, target)) in slots.iter_mut().zip(&plan.targets).enumerate() {
        let settled = copy::settled(slot);
        // What stays is under this very schema.
        if settled && valid && target.is_none() {
            continue;
        }
        let (Some(field), Some(new)) = (own.field_at(index), plan.schema.field_at(index)) else {
            break;
        };
        let value = copy::read_slot(std::mem::take(slot), field, replace_null);
        let value = match target {
            Some(kind) => cast_value(Some(field.schema()), value, *kind)?,
            None => value,
        };
        *slot = copy::put(new, value)?;
    }
    inner.set_schema(&plan.schema);
    Ok(())
}

fn plan(schema: &Schema, spec: &Spec) -> Result<Plan, ConnectError> {
    let mut targets = Vec::new();
    let mut builder = match spec {
        Spec::Whole(kind) => copy::basics(schema, *kind),
        Spec::Fields(casts, _) => {
            let mut builder = copy::basics(schema, SchemaType::Struct);
            for field in copy::fields(schema)? {
                let target = casts.get(&**field.name()).copied();
                targets.push(target);
                let new = match target {
                    Some(kind) => cast_field(field.schema(), kind)?,
                    None => field.schema().clone(),
                };
                builder = builder.field(field.name().clone(), new);
            }
            builder
        }
    };
    if schema.is_optional() {
        builder = builder.optional();
    }
    if let Some(default) = schema.default_value() {
        // For a struct there is no target, and Java refuses it as a type to cast from.
        let kind = match spec {
            Spec::Whole(kind) => *kind,
            Spec::Fields(..) => SchemaType::Struct,
        };
        builder = builder.default_value(cast_value(Some(schema), default.clone(), kind)?);
    }
    Ok(Plan {
        schema: builder.build()?,
        targets,
    })
}

fn cast_field(schema: &Schema, kind: SchemaType) -> Result<Schema, ConnectError> {
    let mut builder = SchemaBuilder::new(kind);
    if schema.is_optional() {
        builder = builder.optional();
    }
    if let Some(default) = schema.default_value() {
        builder = builder.default_value(cast_value(Some(schema), default.clone(), kind)?);
    }
    Ok(builder.build()?)
}
