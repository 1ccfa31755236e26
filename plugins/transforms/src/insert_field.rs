//! `InsertField`: adds fields from the record's metadata, or a fixed text.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig};
use milena_data::{Record, Schema, SchemaAndValue, SchemaBuilder, SchemaType, Struct, Text, Value};

use crate::{
    copy,
    keys::{self, REPLACE_NULL, replace_null},
    requirements::{require_map, require_sink_record, require_struct_mut},
    schema_cache::SchemaCache,
    side::Side,
};

const PURPOSE: &str = "field insertion";

/// What can be inserted, in the order of insertion.
#[derive(Clone, Debug)]
enum Source {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Static(Text),
}

struct Insertion {
    name: Text,
    optional: bool,
    source: Source,
}

struct InsertField {
    side: Side,
    insertions: Vec<Insertion>,
    replace_null: bool,
    schemas: SchemaCache<Schema>,
}

pub(crate) fn config_def() -> ConfigDef {
    let key = |name: &str, doc: &str| {
        ConfigKey::new(name, ConfigType::String)
            .default(ConfigValue::Null)
            .importance(Importance::Medium)
            .doc(doc)
    };
    let field = |name: &str, what: &str| {
        let doc = format!(
            "Field for {what}. With <code>!</code> at the end the field is required, with \
             <code>?</code> it is optional, which is the default."
        );
        key(name, &doc)
    };
    ConfigDef::new()
        .define(field("topic.field", "the topic"))
        .define(field("partition.field", "the partition"))
        .define(field("offset.field", "the offset; sink connectors only"))
        .define(field("timestamp.field", "the record's timestamp"))
        .define(field("static.field", "a fixed text"))
        .define(key(
            "static.value",
            "The text for <code>static.field</code>.",
        ))
        .define(replace_null())
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let mut insertions = Vec::new();
    let mut insert = |key: &str, source: Source| {
        if let Some(spec) = keys::text(config, key) {
            let required = spec.ends_with('!');
            let name = spec.strip_suffix(['!', '?']).unwrap_or(&spec);
            insertions.push(Insertion {
                name: name.into(),
                optional: !required,
                source,
            });
        }
    };
    insert("topic.field", Source::Topic);
    insert("partition.field", Source::Partition);
    insert("offset.field", Source::Offset);
    insert("timestamp.field", Source::Timestamp);
    let fixed = keys::text(config, "static.value");
    let text = Text::from(fixed.clone().unwrap_or_default());
    insert("static.field", Source::Static(text));
    if insertions.is_empty() {
        return Err(ConnectError::config("No field insertion configured"));
    }
    if config.string("static.field").is_some() && fixed.is_none() {
        return Err(ConnectError::config(
            "Invalid value null for configuration static.value: No value specified for static field: \
             org.apache.kafka.connect.transforms.InsertField$InsertionSpec",
        ));
    }
    Ok(Box::new(InsertField {
        side,
        insertions,
        replace_null: config.boolean(REPLACE_NULL),
        schemas: SchemaCache::default(),
    }))
}

impl Source {
    fn schema(&self, optional: bool) -> Schema {
        let schema = match self {
            Self::Topic | Self::Static(_) => {
                return Schema::primitive(SchemaType::String, optional);
            }
            Self::Partition => return Schema::primitive(SchemaType::Int32, optional),
            Self::Offset => return Schema::primitive(SchemaType::Int64, optional),
            Self::Timestamp => Schema::timestamp(),
        };
        if optional {
            SchemaBuilder::like(&schema).optional(true).build()
        } else {
            schema
        }
    }

    /// The value to insert; `None`: the record has none and nothing is inserted.
    fn value(&self, record: &Record) -> Result<Option<Value>, ConnectError> {
        Ok(match self {
            Self::Topic => Some(Value::String(record.topic.clone())),
            Self::Partition => record.partition.map(Value::Int32),
            Self::Offset => Some(Value::Int64(require_sink_record(record, PURPOSE)?.offset)),
            Self::Timestamp => record.timestamp.map(Value::Int64),
            Self::Static(text) => Some(Value::String(text.clone())),
        })
    }
}

impl RecordTransform for InsertField {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        if part.value.is_null() {
            return Ok(true);
        }
        let mut value = std::mem::take(&mut part.value);
        match part.schema.take() {
            None => {
                let mut map = require_map(value, PURPOSE)?;
                for insertion in &self.insertions {
                    if let Some(value) = insertion.source.value(record)? {
                        map.insert(insertion.name.clone(), value);
                    }
                }
                self.side.of_mut(record).value = map.into();
            }
            Some(schema) => {
                let inner = require_struct_mut(&mut value, PURPOSE)?;
                let wider = self.widen(&schema, inner, record)?;
                *self.side.of_mut(record) = SchemaAndValue::new(Some(wider), value);
            }
        }
        Ok(true)
    }
}

impl InsertField {
    /// Adds the fields; answers the schema with them.
    fn widen(
        &mut self,
        schema: &Schema,
        inner: &mut Struct,
        record: &Record,
    ) -> Result<Schema, ConnectError> {
        let insertions = &self.insertions;
        let new = self
            .schemas
            .get(schema, |schema| wider(schema, insertions))?;
        let (own, slots) = inner.parts_mut();
        let valid = own.same(schema);
        for (index, slot) in slots.iter_mut().enumerate() {
            // What stays is under this very schema.
            if valid && copy::settled(slot) {
                continue;
            }
            if let Some(field) = new.field_at(index) {
                let value = copy::read_slot(std::mem::take(slot), field, self.replace_null);
                *slot = copy::put(field, value)?;
            }
        }
        slots.reserve_exact(self.insertions.len());
        for insertion in &self.insertions {
            slots.push(match (insertion.source.value(record)?, &insertion.source) {
                (Some(Value::Int64(millis)), Source::Timestamp) => Value::Instant(millis),
                (value, _) => value.unwrap_or_default(),
            });
        }
        inner.set_schema(new);
        Ok(new.clone())
    }
}

fn wider(schema: &Schema, insertions: &[Insertion]) -> Result<Schema, ConnectError> {
    let mut builder = copy::basics(schema, SchemaType::Struct);
    for field in copy::fields(schema)? {
        builder = builder.field(field.name().clone(), field.schema().clone());
    }
    for insertion in insertions {
        let schema = insertion.source.schema(insertion.optional);
        builder = builder.field(insertion.name.clone(), schema);
    }
    Ok(builder.build()?)
}
