//! `ValueToKey`: makes the key of fields of the value.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ParsedConfig};
use milena_data::{MapValue, Record, Schema, SchemaAndValue, SchemaBuilder, Struct, Text, Value};

use crate::{
    copy,
    keys::{REPLACE_NULL, needed_list, replace_null},
    requirements::{not_a_map, not_a_struct},
    schema_cache::SchemaCache,
    side::Side,
};

const PURPOSE: &str = "copying fields from value to key";

struct ValueToKey {
    fields: Vec<Text>,
    replace_null: bool,
    schemas: SchemaCache<KeyPlan>,
}

struct KeyPlan {
    schema: Schema,
    /// The positions of the key's fields in the value.
    from: Vec<usize>,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(needed_list("fields").doc("Names of the fields of the value that make the key."))
        .define(replace_null())
}

#[expect(clippy::unnecessary_wraps, reason = "all transforms are made alike")]
pub(crate) fn make(
    config: &ParsedConfig,
    _: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let mut fields: Vec<Text> = Vec::new();
    for name in config
        .list("fields")
        .iter()
        .map(|name| Text::from(name.as_str()))
    {
        if !fields.contains(&name) {
            fields.push(name);
        }
    }
    Ok(Box::new(ValueToKey {
        fields,
        replace_null: config.boolean(REPLACE_NULL),
        schemas: SchemaCache::default(),
    }))
}

impl RecordTransform for ValueToKey {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        record.key = match (&record.value.schema, &record.value.value) {
            (None, Value::Map(map)) => {
                let mut key = MapValue::with_capacity(self.fields.len());
                for name in &self.fields {
                    let value = map.get_str(name).cloned().unwrap_or_default();
                    key.insert(name.clone(), value);
                }
                SchemaAndValue::new(None, key.into())
            }
            (None, other) => return Err(not_a_map(other, PURPOSE)),
            (Some(_), Value::Struct(value)) => self.of_struct(value)?,
            (Some(_), other) => return Err(not_a_struct(other, PURPOSE)),
        };
        Ok(true)
    }
}

impl ValueToKey {
    fn of_struct(&mut self, value: &Struct) -> Result<SchemaAndValue, ConnectError> {
        let names = &self.fields;
        let plan = self
            .schemas
            .get(value.schema(), |schema| plan(schema, names))?;
        let fields = plan.schema.fields().values().zip(&plan.from);
        let slots = fields.map(|(field, index)| {
            let slot = value.slot(*index).clone();
            copy::put(field, copy::read_slot(slot, field, self.replace_null))
        });
        let key = Struct::from_slots(plan.schema.clone(), slots.collect::<Result<_, _>>()?);
        Ok(SchemaAndValue::new(Some(plan.schema.clone()), key.into()))
    }
}

fn plan(schema: &Schema, names: &[Text]) -> Result<KeyPlan, ConnectError> {
    let mut builder = SchemaBuilder::structure();
    let mut from = Vec::with_capacity(names.len());
    for name in names {
        let field = schema
            .field(name)
            .ok_or_else(|| ConnectError::data(format!("Field does not exist: {name}")))?;
        builder = builder.field(name.clone(), field.schema().clone());
        from.push(field.index());
    }
    Ok(KeyPlan {
        schema: builder.build()?,
        from,
    })
}
