//! The descriptor of a transform: class name, side, configuration, how it is made.

use std::sync::Arc;

use milena_api::{ConnectError, PluginInfo, RecordTransform, TransformInstance, TransformPlugin};
use milena_config::{ConfigDef, ConfigError, ConfigType, ParsedConfig, Props};

use crate::{VERSION, side::Side};

/// Makes a configured transform.
pub(crate) type Make = fn(&ParsedConfig, Side) -> Result<Box<dyn RecordTransform>, ConnectError>;

struct Descriptor {
    class: String,
    side: Side,
    config_def: fn() -> ConfigDef,
    make: Make,
}

impl PluginInfo for Descriptor {
    fn class(&self) -> &str {
        &self.class
    }

    fn version(&self) -> &str {
        VERSION
    }
}

impl TransformPlugin for Descriptor {
    fn config_def(&self) -> ConfigDef {
        (self.config_def)()
    }

    fn transform(&self, config: &Props) -> Result<TransformInstance, ConnectError> {
        let def = (self.config_def)();
        refuse_empty_lists(&def, config)?;
        let parsed = def.parse(config)?;
        let transform = (self.make)(&parsed, self.side)?;
        Ok(TransformInstance::PerRecord(transform))
    }
}

/// A needed list that is empty is refused in the words of the transforms' own validator, which the
/// golden vectors hold. A worker never gets here with one: validation refuses it by the definition, in
/// the words of 4.3 (`Configuration 'fields' must not be empty…`).
fn refuse_empty_lists(def: &ConfigDef, config: &Props) -> Result<(), ConnectError> {
    for key in def.keys() {
        let needed = key.kind == ConfigType::List && key.default.is_none() && key.name != "spec";
        let given = config.get(&key.name);
        if needed && given.is_some_and(|text| text.trim().is_empty()) {
            return Err(ConfigError::invalid(&key.name, "[]", "Empty list").into());
        }
    }
    Ok(())
}

fn descriptor(
    name: &str,
    side: Side,
    config_def: fn() -> ConfigDef,
    make: Make,
) -> Arc<dyn TransformPlugin> {
    Arc::new(Descriptor {
        class: format!("org.apache.kafka.connect.transforms.{name}"),
        side,
        config_def,
        make,
    })
}

/// A transform with the variants `$Key` and `$Value`.
pub(crate) fn both_sides(
    name: &str,
    config_def: fn() -> ConfigDef,
    make: Make,
) -> [Arc<dyn TransformPlugin>; 2] {
    [("Key", Side::Key), ("Value", Side::Value)]
        .map(|(variant, side)| descriptor(&format!("{name}${variant}"), side, config_def, make))
}

/// A transform without variants.
pub(crate) fn whole_record(
    name: &str,
    config_def: fn() -> ConfigDef,
    make: Make,
) -> [Arc<dyn TransformPlugin>; 1] {
    [descriptor(name, Side::Value, config_def, make)]
}
