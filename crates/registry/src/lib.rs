//! The registry: a value that lists the plugins of a worker, by class name and alias.
//!
//! Registration is an explicit list (no link-time magic), so a test can restrict it. Class names in
//! configurations are looked up here and nowhere else: no code comes from configuration. Answers to
//! `Plugins` and `PluginUtils` (spec `rest-and-config.md` 10.2, 10.3).

mod alias;
mod lookup;
mod registry;

pub use alias::aliases;
pub use lookup::{LookupError, PluginKind};
pub use registry::{Registry, RegistryBuilder};
