//! `RecordIsTombstone`: the record's value is null, whatever its schema.

use milena_api::{ConnectError, Predicate};
use milena_config::{ConfigDef, ParsedConfig};
use milena_data::Record;

struct RecordIsTombstone;

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new()
}

#[expect(clippy::unnecessary_wraps, reason = "all predicates are made alike")]
pub(crate) fn make(_: &ParsedConfig) -> Result<Box<dyn Predicate>, ConnectError> {
    Ok(Box::new(RecordIsTombstone))
}

impl Predicate for RecordIsTombstone {
    fn test(&mut self, record: &Record) -> Result<bool, ConnectError> {
        Ok(record.value.value.is_null())
    }
}
