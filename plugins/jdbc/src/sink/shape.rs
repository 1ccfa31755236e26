//! From the schemas of a record to the columns of its row (`FieldsMetadata`).

use std::borrow::Cow;

use milena_api::ConnectError;
use milena_data::{Schema, SchemaType, SinkOrigin, SinkRecord, Value};

use super::settings::{KeyMode, Settings};

/// Where a column's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    Topic,
    Partition,
    Offset,
    /// The whole key.
    Key,
    KeyField(usize),
    /// The whole value (plain text).
    Value,
    ValueField(usize),
}

/// A column of a row to be written.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) schema: Schema,
    pub(crate) from: From,
    pub(crate) key: bool,
}

/// The columns for a pair of schemas.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    key_schema: Option<Schema>,
    value_schema: Option<Schema>,
    /// The primary key, in the order of `pk.fields`.
    pub(crate) keys: Vec<Target>,
    pub(crate) values: Vec<Target>,
}

fn struct_schema(schema: Option<&Schema>) -> Option<&Schema> {
    schema.filter(|schema| schema.kind() == SchemaType::Struct)
}

impl Shape {
    pub(crate) fn of(
        settings: &Settings,
        table: &str,
        record: &SinkRecord,
    ) -> Result<Self, ConnectError> {
        let key_schema = record.key.schema.as_ref();
        let value_schema = record.value.schema.as_ref();
        let wrong = |text: String| Err(ConnectError::connect(text));
        let mode = settings.key_mode.name().to_ascii_uppercase();
        let target = |name: &str, schema: Schema, from, key| Target {
            name: name.to_owned(),
            schema,
            from,
            key,
        };
        let fields = |schema: &Schema,
                      from: fn(usize) -> From,
                      what: &str|
         -> Result<Vec<Target>, ConnectError> {
            let names: Vec<_> = match settings.key_fields.as_slice() {
                [] => schema.fields().keys().map(ToString::to_string).collect(),
                names => names.to_vec(),
            };
            names
                .iter()
                .map(|name| match schema.field(name) {
                    Some(field) => Ok(target(name, field.schema().clone(), from(field.index()), true)),
                    None => Err(ConnectError::connect(format!(
                        "PK mode for table '{table}' is {mode} with configured PK fields {:?}, but record {what} schema \
                         does not contain field: {name}",
                        settings.key_fields
                    ))),
                })
                .collect()
        };
        let mut keys = match settings.key_mode {
            KeyMode::None => Vec::new(),
            KeyMode::Kafka => {
                let sources = [
                    (Schema::primitive(SchemaType::String, false), From::Topic),
                    (Schema::primitive(SchemaType::Int32, false), From::Partition),
                    (Schema::primitive(SchemaType::Int64, false), From::Offset),
                ];
                let named = settings.key_fields.iter().zip(sources);
                named
                    .map(|(name, (schema, from))| target(name, schema, from, true))
                    .collect()
            }
            KeyMode::RecordKey => match key_schema {
                None => {
                    return wrong(format!(
                        "PK mode for table '{table}' is {mode}, but record key schema is missing"
                    ));
                }
                Some(schema) if schema.kind() == SchemaType::Struct => {
                    fields(schema, From::KeyField, "key")?
                }
                Some(schema) if schema.kind().is_primitive() => {
                    match settings.key_fields.as_slice() {
                        [name] => vec![target(name, schema.clone(), From::Key, true)],
                        _ => {
                            return wrong(format!(
                                "Need exactly one PK column defined since the key schema for records is a primitive type, \
                             defined columns are: {:?}",
                                settings.key_fields
                            ));
                        }
                    }
                }
                Some(schema) => {
                    return wrong(format!(
                        "Key schema must be primitive type or Struct, but is of type: {}",
                        schema.kind().name()
                    ));
                }
            },
            KeyMode::RecordValue => match struct_schema(value_schema) {
                Some(schema) => fields(schema, From::ValueField, "value")?,
                None => {
                    return wrong(format!(
                        "PK mode for table '{table}' is {mode}, but the record value schema is missing or no struct"
                    ));
                }
            },
        };
        let mut values = Vec::new();
        if let Some(schema) = struct_schema(value_schema) {
            for field in schema.fields().values() {
                let wanted = settings.whitelist.is_empty()
                    || settings
                        .whitelist
                        .iter()
                        .any(|name| **name == **field.name());
                if wanted && !keys.iter().any(|key| *key.name == **field.name()) {
                    values.push(target(
                        field.name(),
                        field.schema().clone(),
                        From::ValueField(field.index()),
                        false,
                    ));
                }
            }
        } else if let Some(schema) =
            value_schema.filter(|schema| schema.kind() == SchemaType::String)
        {
            values.push(target(
                &settings.text_column,
                schema.clone(),
                From::Value,
                false,
            ));
        }
        if keys.is_empty() && values.is_empty() {
            return wrong(format!(
                "No fields found using key and value schemas for table: {table}"
            ));
        }
        for key in &mut keys {
            key.key = true;
        }
        Ok(Self {
            key_schema: key_schema.cloned(),
            value_schema: value_schema.cloned(),
            keys,
            values,
        })
    }

    /// Whether a record has the schemas that this was made for.
    pub(crate) fn fits(&self, record: &SinkRecord) -> bool {
        let same = |own: &Option<Schema>, other: &Option<Schema>| match (own, other) {
            (Some(own), Some(other)) => own.same(other) || own == other,
            (None, None) => true,
            _ => false,
        };
        same(&self.value_schema, &record.value.schema) && same(&self.key_schema, &record.key.schema)
    }

    /// Java's order of columns in `CREATE TABLE`: the usual names of `pk.mode=kafka`, the value's fields,
    /// the rest by name.
    pub(crate) fn table_order(&self) -> Vec<&Target> {
        let rank = |target: &Target| match target.from {
            _ if target.name == "__connect_topic" => (0, 0, String::new()),
            _ if target.name == "__connect_partition" => (0, 1, String::new()),
            _ if target.name == "__connect_offset" => (0, 2, String::new()),
            From::ValueField(index) => (1, index, String::new()),
            From::Value => (1, 0, String::new()),
            _ => match struct_schema(self.value_schema.as_ref())
                .and_then(|schema| schema.field(&target.name))
            {
                // A key's column that the value has as well stands where the value has it.
                Some(field) => (1, field.index(), String::new()),
                None => (2, 0, target.name.clone()),
            },
        };
        let mut all: Vec<_> = self.keys.iter().chain(&self.values).collect();
        all.sort_by_cached_key(|target| rank(target));
        all
    }
}

/// The value of a column in a record, which is mostly lent.
pub(crate) fn pick<'r>(target: &Target, record: &'r SinkRecord, defaults: bool) -> Cow<'r, Value> {
    const NULL: &Value = &Value::Null;
    let field = |value: &'r Value, index: usize| match value.as_struct() {
        Some(inner) => Cow::Borrowed(match inner.slot(index) {
            Value::Null if defaults => inner.get_at(index),
            value => value,
        }),
        None => Cow::Borrowed(NULL),
    };
    let origin = |value: fn(&SinkOrigin) -> Value| match &record.origin {
        Some(origin) => Cow::Owned(value(origin)),
        None => Cow::Borrowed(NULL),
    };
    match target.from {
        From::Topic => origin(|origin| Value::String(origin.topic.clone())),
        From::Partition => origin(|origin| Value::Int32(origin.partition)),
        From::Offset => origin(|origin| Value::Int64(origin.offset)),
        From::Key => Cow::Borrowed(&record.key.value),
        From::KeyField(index) => field(&record.key.value, index),
        From::Value => Cow::Borrowed(&record.value.value),
        From::ValueField(index) => field(&record.value.value, index),
    }
}
