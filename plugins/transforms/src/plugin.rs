//! The descriptor of a transform: class name, side, configuration, how it is made.

use std::sync::Arc;

use milena_api::{ConnectError, PluginInfo, RecordTransform, TransformInstance, TransformPlugin};
use milena_config::{ConfigDef, ParsedConfig, Props};

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
        let parsed = (self.config_def)().parse(config)?;
        let transform = (self.make)(&parsed, self.side)?;
        Ok(TransformInstance::PerRecord(transform))
    }
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
