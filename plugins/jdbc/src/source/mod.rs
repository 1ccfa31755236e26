//! The source: tables (or a query) polled in one of four modes, rows as records.

mod connector;
mod direct;
mod mapping;
mod offset;
mod query;
mod reading;
mod settings;
mod task;

pub(crate) use connector::JdbcSource;
pub(crate) use settings::config_def;
pub(crate) use task::JdbcSourceTask;
