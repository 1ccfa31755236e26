//! `ReplaceField`: keeps, drops and renames fields.

use std::collections::{HashMap, HashSet};

use milena_api::{ConnectError, RecordTransform};
use milena_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig, Validator,
};
use milena_data::{MapValue, Record, Schema, SchemaType, Struct, Text, Value};

use crate::{
    copy,
    keys::{REPLACE_NULL, in_hash_order, items, list_text, replace_null, split_colons},
    requirements::{not_a_string, require_map, require_struct_mut},
    schema_cache::SchemaCache,
    side::Side,
};

const PURPOSE: &str = "field replacement";

struct ReplaceField {
    side: Side,
    choice: Choice,
    replace_null: bool,
    schemas: SchemaCache<Plan>,
}

struct Choice {
    exclude: HashSet<String>,
    /// Empty: all.
    include: HashSet<String>,
    renames: HashMap<String, Text>,
    /// New names to old ones.
    reverse: HashMap<String, String>,
}

struct Plan {
    schema: Schema,
    /// Where each new field's value comes from; the name of a field that is not there is an error.
    from: Vec<Result<usize, String>>,
    /// A value may go to several fields: each index stands once otherwise, and every name was found.
    repeats: bool,
    /// Every name was found, and what is kept stays in order.
    ordered: bool,
}

pub(crate) fn config_def() -> ConfigDef {
    let list = |name: &str| {
        ConfigKey::new(name, ConfigType::List)
            .default(ConfigValue::List(Vec::new()))
            .importance(Importance::Medium)
    };
    let renames = Validator::new(|_, value| match value {
        ConfigValue::List(items) => parse_renames(items).map(|_| ()),
        _ => Ok(()),
    });
    ConfigDef::new()
        .define(
            list("exclude")
                .validator(items(false))
                .doc("Fields to drop; wins over <code>include</code>."),
        )
        .define(
            list("include")
                .validator(items(false))
                .doc("Fields to keep; all when empty."),
        )
        .define(
            list("renames")
                .validator(renames)
                .doc("Fields to rename, as old:new,other:another."),
        )
        .define(replace_null())
}

fn parse_renames(mappings: &[String]) -> Result<HashMap<String, Text>, ConfigError> {
    let mut renames = HashMap::new();
    for mapping in mappings {
        let [old, new] = *split_colons(mapping) else {
            return Err(ConfigError::invalid(
                "renames",
                &list_text(mappings),
                &format!("Invalid rename mapping: {mapping}"),
            ));
        };
        renames.insert(old.to_owned(), Text::from(new));
    }
    Ok(renames)
}

pub(crate) fn make(
    config: &ParsedConfig,
    side: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let renames = parse_renames(config.list("renames"))?;
    // In the order of the setting, which decides where a hash map of Java has no other.
    let old_names: Vec<String> = config
        .list("renames")
        .iter()
        .filter_map(|mapping| split_colons(mapping).first().map(|old| (*old).to_owned()))
        .collect();
    let mut reverse = HashMap::new();
    for old in in_hash_order(&old_names) {
        if let Some(new) = renames.get(&old) {
            reverse.insert(new.to_string(), old);
        }
    }
    Ok(Box::new(ReplaceField {
        side,
        choice: Choice {
            exclude: config.list("exclude").iter().cloned().collect(),
            include: config.list("include").iter().cloned().collect(),
            renames,
            reverse,
        },
        replace_null: config.boolean(REPLACE_NULL),
        schemas: SchemaCache::default(),
    }))
}

impl Choice {
    fn keeps(&self, name: &str) -> bool {
        !self.exclude.contains(name) && (self.include.is_empty() || self.include.contains(name))
    }

    fn renamed(&self, name: &Text) -> Text {
        self.renames.get(&**name).unwrap_or(name).clone()
    }
}

impl RecordTransform for ReplaceField {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let part = self.side.of_mut(record);
        if part.value.is_null() {
            return Ok(true);
        }
        match &part.schema {
            None => {
                let map = require_map(std::mem::take(&mut part.value), PURPOSE)?;
                let mut kept = MapValue::with_capacity(map.len());
                for (key, value) in map {
                    match key {
                        Value::String(name) if self.choice.keeps(&name) => {
                            kept.insert(self.choice.renamed(&name), value);
                        }
                        // A null is in no list: kept unless only listed fields are.
                        Value::Null if self.choice.include.is_empty() => {
                            kept.insert(Value::Null, value);
                        }
                        Value::String(_) | Value::Null => {}
                        other => return Err(not_a_string(&other)),
                    }
                }
                part.value = kept.into();
            }
            Some(schema) => {
                let inner = require_struct_mut(&mut part.value, PURPOSE)?;
                let choice = &self.choice;
                let plan = self.schemas.get(schema, |schema| plan(schema, choice))?;
                let whole = inner.slots().len() == schema.fields().len();
                if plan.ordered && whole && inner.schema().same(schema) {
                    replace_in_order(inner, plan, self.replace_null)?;
                } else {
                    *inner = replaced(inner, plan, self.replace_null)?;
                }
                part.schema = Some(plan.schema.clone());
            }
        }
        Ok(true)
    }
}

/// Values that are kept move to the front; where none is dropped, all stay where they are.
fn replace_in_order(
    inner: &mut Struct,
    plan: &Plan,
    replace_null: bool,
) -> Result<(), ConnectError> {
    let (schema, slots) = inner.parts_mut();
    for (index, from) in plan.from.iter().enumerate() {
        let Ok(from) = *from else { continue };
        if from != index && from < slots.len() {
            slots.swap(index, from);
        }
        let Some(slot) = slots.get_mut(index).filter(|slot| !copy::settled(slot)) else {
            continue;
        };
        if let (Some(old), Some(field)) = (schema.field_at(from), plan.schema.field_at(index)) {
            let value = std::mem::take(slot);
            *slot = copy::carry(value, old, field, replace_null)?;
        }
    }
    slots.truncate(plan.from.len());
    inner.set_schema(&plan.schema);
    Ok(())
}

fn replaced(inner: &mut Struct, plan: &Plan, replace_null: bool) -> Result<Struct, ConnectError> {
    let schema = inner.schema().clone();
    let mut slots = Vec::with_capacity(plan.from.len());
    for (field, from) in plan.schema.fields().values().zip(&plan.from) {
        let old = match from {
            Ok(index) => schema.field_at(*index),
            Err(name) => schema.field_at(inner.field(name)?.index()),
        };
        let Some(old) = old else {
            slots.push(copy::put(field, Value::Null)?);
            continue;
        };
        let value = match inner.slots_mut().get_mut(old.index()) {
            Some(slot) if plan.repeats => slot.clone(),
            Some(slot) => std::mem::take(slot),
            None => Value::Null,
        };
        slots.push(copy::carry(value, old, field, replace_null)?);
    }
    Ok(Struct::from_slots(plan.schema.clone(), slots))
}

fn plan(schema: &Schema, choice: &Choice) -> Result<Plan, ConnectError> {
    let mut builder = copy::basics(schema, SchemaType::Struct);
    let mut from = Vec::new();
    for field in copy::fields(schema)?.filter(|field| choice.keeps(field.name())) {
        let name = choice.renamed(field.name());
        // Java looks the value up by the inverse of the renames, which may name another field.
        let old = choice.reverse.get(&*name).map_or(&*name, String::as_str);
        from.push(match schema.field(old) {
            Some(old) => Ok(old.index()),
            None => Err(old.to_owned()),
        });
        builder = builder.field(name, field.schema().clone());
    }
    let mut seen = HashSet::new();
    let ordered = from.iter().all(Result::is_ok)
        && from
            .iter()
            .zip(from.iter().skip(1))
            .all(|(one, next)| match (one, next) {
                (Ok(one), Ok(next)) => one < next,
                _ => false,
            });
    Ok(Plan {
        schema: builder.build()?,
        ordered,
        repeats: !from.iter().all(|from| from.is_ok() && seen.insert(from)),
        from,
    })
}
