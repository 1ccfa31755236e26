//! `HoistField`: wraps the whole key or value in a struct or map of one field.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ConfigKey, ConfigType, Importance, ParsedConfig};
use milena_data::{MapValue, Record, Schema, SchemaBuilder, Struct, Text};

use crate::{copy, keys::needed_text, schema_cache::SchemaCache, side::Side};

struct HoistField {
    side: Side,
    field: Text,
    schemas: SchemaCache<Schema>,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::new("field", ConfigType::String)
            .importance(Importance::Medium)
            .doc("Name of the only field of the new struct or map."),
    )
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    Ok(Box::new(HoistField {
        side,
        field: needed_text(config, "field")?.into(),
        schemas: SchemaCache::default(),
    }))
}

impl RecordTransform for HoistField {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        let value = std::mem::take(&mut part.value);
        let Some(schema) = &part.schema else {
            let mut map = MapValue::with_capacity(1);
            map.insert(self.field.clone(), value);
            part.value = map.into();
            return Ok(true);
        };
        let name = &self.field;
        let outer = self.schemas.get(schema, |schema| {
            let builder = SchemaBuilder::structure().field(name.clone(), schema.clone());
            Ok(builder.build()?)
        })?;
        let mut slots = Vec::with_capacity(1);
        if let Some(field) = outer.field_at(0) {
            slots.push(copy::put(field, value)?);
        }
        part.value = Struct::from_slots(outer.clone(), slots).into();
        part.schema = Some(outer.clone());
        Ok(true)
    }
}
