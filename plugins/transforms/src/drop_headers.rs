//! `DropHeaders`: removes all headers of the given names.

use std::collections::HashSet;

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ParsedConfig};
use milena_data::Record;

use crate::{keys::needed_list, side::Side};

struct DropHeaders {
    names: HashSet<String>,
}

pub(crate) fn config_def() -> ConfigDef {
    ConfigDef::new().define(needed_list("headers").doc("Names of the headers to remove."))
}

#[expect(clippy::unnecessary_wraps, reason = "all transforms are made alike")]
pub(crate) fn make(
    config: &ParsedConfig,
    _: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let names = config.list("headers").iter().cloned().collect();
    Ok(Box::new(DropHeaders { names }))
}

impl RecordTransform for DropHeaders {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        record
            .headers
            .retain(|header| !self.names.contains(&*header.key));
        Ok(true)
    }
}
