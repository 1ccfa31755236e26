//! The commands that ask, tell and check, and end at once: about plugins, files and running workers. They
//! never start a worker and never change anything that they were not told to.

pub(crate) mod completions;
pub(crate) mod config_check;
mod configs;
pub(crate) mod connectors;
pub(crate) mod failure;
mod offsets;
pub(crate) mod output;
pub(crate) mod plugins;
mod remote;
mod states;
