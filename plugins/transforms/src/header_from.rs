//! `HeaderFrom`: copies or moves fields of the key or value to headers.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ConfigKey, ConfigType, Importance, ParsedConfig, Validator};
use milena_data::{Headers, Record, Schema, SchemaAndValue, SchemaType, Struct, Text, Value};

use crate::{
    copy,
    keys::{REPLACE_NULL, needed_text, non_empty_list, replace_null},
    requirements::{not_a_map, not_a_struct},
    schema_cache::SchemaCache,
    side::Side,
};

struct HeaderFrom {
    side: Side,
    /// Field and header names.
    pairs: Vec<(Text, Text)>,
    moves: bool,
    purpose: &'static str,
    replace_null: bool,
    schemas: SchemaCache<Plan>,
}

/// What is left of a struct whose fields are moved away.
struct Plan {
    schema: Schema,
    kept: Vec<usize>,
}

pub(crate) fn config_def() -> ConfigDef {
    let list = |name: &str| {
        ConfigKey::new(name, ConfigType::List)
            .importance(Importance::High)
            .validator(non_empty_list())
    };
    ConfigDef::new()
        .define(list("fields").doc("Names of the fields to copy or move to headers."))
        .define(list("headers").doc("Names of the headers, in the order of <code>fields</code>."))
        .define(
            ConfigKey::new("operation", ConfigType::String)
                .importance(Importance::High)
                .validator(Validator::one_of(&["move", "copy"]))
                .doc(
                    "<code>move</code> removes the fields from the key or value, <code>copy</code> \
                     leaves them there.",
                ),
        )
        .define(replace_null())
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let (fields, headers) = (config.list("fields"), config.list("headers"));
    if fields.len() != headers.len() {
        return Err(ConnectError::config(
            "'fields' config must have the same number of elements as 'headers' config.",
        ));
    }
    let text = |name: &String| Text::from(name.as_str());
    let moves = needed_text(config, "operation")? == "move";
    Ok(Box::new(HeaderFrom {
        side,
        pairs: fields
            .iter()
            .map(text)
            .zip(headers.iter().map(text))
            .collect(),
        moves,
        purpose: if moves { "header move" } else { "header copy" },
        replace_null: config.boolean(REPLACE_NULL),
        schemas: SchemaCache::default(),
    }))
}

impl RecordTransform for HeaderFrom {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let mut headers = std::mem::take(&mut record.headers);
        let part = self.side.of_mut(record);
        match (&part.schema, &mut part.value) {
            (None, Value::Map(map)) => {
                for (field, header) in &self.pairs {
                    let value = map.get_str(field).cloned().unwrap_or_default();
                    headers.add(header.clone(), SchemaAndValue::new(None, value))?;
                }
                // Last, so that a field can become several headers.
                for (field, _) in self.pairs.iter().filter(|_| self.moves) {
                    map.remove(&Value::String(field.clone()));
                }
            }
            (None, other) => return Err(not_a_map(other, self.purpose)),
            (Some(schema), Value::Struct(inner)) => {
                let left = self.of_struct(schema, inner, &mut headers)?;
                if let Some((schema, value)) = left {
                    part.value = value.into();
                    part.schema = Some(schema);
                }
            }
            (Some(_), other) => return Err(not_a_struct(other, self.purpose)),
        }
        record.headers = headers;
        Ok(true)
    }
}

impl HeaderFrom {
    /// Adds the headers; answers what is left when the fields are moved.
    fn of_struct(
        &mut self,
        schema: &Schema,
        inner: &Struct,
        headers: &mut Headers,
    ) -> Result<Option<(Schema, Struct)>, ConnectError> {
        let left = if self.moves {
            Some(self.remaining(schema, inner)?)
        } else {
            None
        };
        for (name, header) in &self.pairs {
            let Some(field) = inner.schema().field(name) else {
                return Err(ConnectError::of(
                    "java.lang.NullPointerException",
                    "Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \"org.apache.kafka.connect.data.Schema.field(String)\" is null",
                ));
            };
            let value =
                copy::read_slot(inner.slot(field.index()).clone(), field, self.replace_null);
            let pair = SchemaAndValue::new(Some(field.schema().clone()), value);
            headers.add(header.clone(), pair)?;
        }
        Ok(left)
    }

    fn remaining(
        &mut self,
        schema: &Schema,
        inner: &Struct,
    ) -> Result<(Schema, Struct), ConnectError> {
        let pairs = &self.pairs;
        let plan = self.schemas.get(schema, |schema| plan(schema, pairs))?;
        let mut slots = Vec::with_capacity(plan.kept.len());
        for (field, index) in plan.schema.fields().values().zip(&plan.kept) {
            let value = copy::read_slot(inner.slot(*index).clone(), field, self.replace_null);
            slots.push(copy::put(field, value)?);
        }
        let schema = plan.schema.clone();
        Ok((schema.clone(), Struct::from_slots(schema, slots)))
    }
}

fn plan(schema: &Schema, pairs: &[(Text, Text)]) -> Result<Plan, ConnectError> {
    let mut builder = copy::basics(schema, SchemaType::Struct);
    let mut kept = Vec::new();
    for field in copy::fields(schema)? {
        if !pairs.iter().any(|(name, _)| name == field.name()) {
            builder = builder.field(field.name().clone(), field.schema().clone());
            kept.push(field.index());
        }
    }
    Ok(Plan {
        schema: builder.build()?,
        kept,
    })
}
