//! Definitions and reports as REST shows them.

use milena_config::{ConfigKey, ConfigValue, ConfigValueReport};
use milena_rest_model::{ConfigKeyInfo, ConfigValueInfo};

/// The definition of a key, named under a prefix.
pub(crate) fn key_info(key: &ConfigKey, prefix: &str) -> ConfigKeyInfo {
    ConfigKeyInfo {
        name: format!("{prefix}{}", key.name),
        kind: key.kind.name().to_owned(),
        required: key.default.is_none(),
        default_value: key.default.as_ref().and_then(ConfigValue::to_text),
        importance: key.importance.name().to_owned(),
        documentation: key.documentation.clone(),
        group: key.group.clone(),
        order_in_group: key.order_in_group,
        width: key.width.name().to_owned(),
        display_name: key.display_name.clone(),
        dependents: key
            .dependents
            .iter()
            .map(|name| format!("{prefix}{name}"))
            .collect(),
    }
}

/// The report of a key, named under a prefix.
pub(crate) fn value_info(report: ConfigValueReport, prefix: &str) -> ConfigValueInfo {
    ConfigValueInfo {
        name: format!("{prefix}{}", report.name),
        value: report.value.to_text(),
        recommended_values: report.recommended_values,
        errors: report.errors,
        visible: report.visible,
    }
}
