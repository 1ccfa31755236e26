//! Which part of a record a transform works on: `$Key` or `$Value`.

use milena_data::{Record, SchemaAndValue};

/// The key or the value of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Key,
    Value,
}

impl Side {
    pub(crate) fn of_mut(self, record: &mut Record) -> &mut SchemaAndValue {
        match self {
            Self::Key => &mut record.key,
            Self::Value => &mut record.value,
        }
    }
}
