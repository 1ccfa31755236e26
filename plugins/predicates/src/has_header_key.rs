//! `HasHeaderKey`: the record has a header of a name.

use milena_api::{ConnectError, Predicate};
use milena_config::{ConfigDef, ConfigKey, ConfigType, Importance, ParsedConfig, Validator};
use milena_data::Record;

struct HasHeaderKey {
    name: String,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::new("name", ConfigType::String)
            .importance(Importance::Medium)
            .validator(Validator::non_empty())
            .doc("Name of the header."),
    )
}

#[expect(clippy::unnecessary_wraps, reason = "all predicates are made alike")]
pub(crate) fn make(config: &ParsedConfig) -> Result<Box<dyn Predicate>, ConnectError> {
    let name = config.text("name");
    Ok(Box::new(HasHeaderKey { name }))
}

impl Predicate for HasHeaderKey {
    fn test(&mut self, record: &Record) -> Result<bool, ConnectError> {
        Ok(record.headers.last_with_name(&self.name).is_some())
    }
}
