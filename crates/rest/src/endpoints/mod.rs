//! One file per endpoint; which path leads to which stands in `routes.rs`.

pub(crate) mod alter_offsets;
pub(crate) mod connector_config;
pub(crate) mod connector_health;
pub(crate) mod connector_info;
pub(crate) mod connector_status;
pub(crate) mod create_connector;
pub(crate) mod delete_connector;
pub(crate) mod fence;
pub(crate) mod get_logger;
pub(crate) mod get_offsets;
pub(crate) mod health;
pub(crate) mod list_connectors;
pub(crate) mod list_loggers;
pub(crate) mod list_plugins;
pub(crate) mod list_tasks;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod patch_config;
pub(crate) mod pause;
pub(crate) mod plugin_config;
pub(crate) mod put_config;
pub(crate) mod put_task_configs;
pub(crate) mod reset_offsets;
pub(crate) mod reset_topics;
pub(crate) mod restart_connector;
pub(crate) mod restart_task;
pub(crate) mod resume;
pub(crate) mod root;
pub(crate) mod set_logger;
pub(crate) mod stop;
pub(crate) mod task_status;
pub(crate) mod topics;
pub(crate) mod validate_config;

use milena_rest_model::RawProps;

use crate::error::RestError;

/// Puts the name of the URL into a configuration, where another one may not stand (null may).
fn name_of(name: &str, config: &mut RawProps) -> Result<(), RestError> {
    match config.get("name") {
        Some(Some(own)) if own != name => Err(RestError::bad_request(format!(
            "Connector name configuration ({own}) doesn't match connector name in the URL ({name})"
        ))),
        Some(Some(_)) => Ok(()),
        _ => {
            config.insert("name".to_owned(), Some(name.to_owned()));
            Ok(())
        }
    }
}
