//! `SetSchemaMetadata`: sets the name or version of a struct's schema.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig};
use milena_data::{Record, Schema, SchemaBuilder, Struct, Text, Value};

use crate::{
    copy,
    keys::{self, REPLACE_NULL, replace_null},
    schema_cache::SchemaCache,
    side::Side,
};

struct SetSchemaMetadata {
    side: Side,
    name: Option<Text>,
    version: Option<i32>,
    replace_null: bool,
    schemas: SchemaCache<Schema>,
}

pub(crate) fn config_def() -> ConfigDef {
    let key = |name: &str, kind: ConfigType| {
        ConfigKey::new(name, kind)
            .default(ConfigValue::Null)
            .importance(Importance::High)
    };
    ConfigDef::new()
        .define(key("schema.name", ConfigType::String).doc("New name of the schema."))
        .define(key("schema.version", ConfigType::Int).doc("New version of the schema."))
        .define(replace_null())
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let name = keys::text(config, "schema.name").map(Text::from);
    let version = config.integer("schema.version");
    let version = version.and_then(|version| i32::try_from(version).ok());
    if name.is_none() && version.is_none() {
        return Err(ConnectError::config(
            "Neither schema name nor version configured",
        ));
    }
    Ok(Box::new(SetSchemaMetadata {
        side,
        name,
        version,
        replace_null: config.boolean(REPLACE_NULL),
        schemas: SchemaCache::default(),
    }))
}

impl RecordTransform for SetSchemaMetadata {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        let Some(schema) = &part.schema else {
            if part.value.is_null() {
                return Ok(true);
            }
            return Err(ConnectError::data(
                "Schema required for [updating schema metadata]",
            ));
        };
        let (name, version) = (&self.name, self.version);
        let updated = self.schemas.get(schema, |schema| {
            // Java asks for the fields of whatever it is given.
            drop(copy::fields(schema)?);
            let name = name.as_ref().or(schema.name_text()).cloned();
            let copy = SchemaBuilder::like(schema).name(name);
            Ok(copy.version(version.or(schema.version())).build())
        })?;
        if let Value::Struct(inner) = std::mem::take(&mut part.value) {
            let (_, mut slots) = inner.into_parts();
            for (slot, field) in slots.iter_mut().zip(updated.fields().values()) {
                let value = copy::read_slot(std::mem::take(slot), field, self.replace_null);
                *slot = copy::put(field, value)?;
            }
            part.value = Struct::from_slots(updated.clone(), slots).into();
        }
        part.schema = Some(updated.clone());
        Ok(true)
    }
}
