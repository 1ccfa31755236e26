//! `Filter`: drops every record; meant for use with a predicate.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ParsedConfig};
use milena_data::Record;

use crate::side::Side;

struct Filter;

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
}

#[expect(clippy::unnecessary_wraps, reason = "all transforms are made alike")]
pub(crate) fn make(_: &ParsedConfig, _: Side) -> Result<Box<dyn RecordTransform>, ConnectError> {
    Ok(Box::new(Filter))
}

impl RecordTransform for Filter {
    fn change(&mut self, _record: &mut Record) -> Result<bool, ConnectError> {
        Ok(false)
    }
}
