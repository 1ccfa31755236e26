//! `InsertHeader`: appends a header with a fixed value, whose type is inferred from its text.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ConfigKey, ConfigType, Importance, ParsedConfig, Validator};
use milena_data::{Header, Record, Text, values::parse_string};

use crate::{keys::needed_text, side::Side};

struct InsertHeader {
    header: Header,
}

pub(crate) fn config_def() -> ConfigDef {
    let key = |name: &str| {
        ConfigKey::new(name, ConfigType::String)
            .importance(Importance::High)
            .validator(Validator::non_null())
    };
    ConfigDef::new()
        .define(key("header").doc("Name of the header to add."))
        .define(key("value.literal").doc(
            "Value of the header on all records; numbers, booleans, lists and maps are recognised.",
        ))
}

pub(crate) fn make(
    config: &ParsedConfig,
    _: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let value = parse_string(&needed_text(config, "value.literal")?).unwrap_or_default();
    let key = Text::from(needed_text(config, "header")?);
    let header = Header { key, value };
    Ok(Box::new(InsertHeader { header }))
}

impl RecordTransform for InsertHeader {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        record.headers.push(self.header.clone());
        Ok(true)
    }
}
