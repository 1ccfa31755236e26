//! The sink: topics into tables, with one transaction per batch.

mod ahead;
mod bind;
mod checks;
mod connector;
mod ddl;
mod offsets;
mod pipe;
mod rows;
mod settings;
mod shape;
mod task;
mod writer;

pub(crate) use connector::JdbcSink;
pub(crate) use settings::config_def;
pub(crate) use task::JdbcSinkTask;
