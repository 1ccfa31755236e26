//! What a connector's configuration is checked against, without a network: the framework's own keys, the
//! connector's, those of its converters, transforms and predicates, client overrides under the policy, and the
//! exactly-once preflight. The herder, `PUT …/config/validate` and `milena config check` all ask here.
//!
//! Answers to `AbstractHerder.validateConnectorConfig` and `ConnectorConfig` (spec `rest-and-config.md` 11, 12;
//! oracle "Validation").

mod client_fate;
mod client_settings;
mod confine;
mod converters;
mod enrich;
mod exactly_once;
mod framework;
mod info;
mod maven;
mod outcome;
mod overrides;
mod plugin_list;
mod policy;
mod sink_rules;
mod validator;
mod variables;
mod version;

pub use client_fate::{Fate, fate, refusal, table};
pub use framework::{FrameworkView, sink_def, source_def};
pub use validator::{ConnectorValidator, WorkerView};
pub use version::VersionRange;
