//! The result of a validation and the definition of a key (spec 12.3; oracle: `order_in_group` before `width`).

use serde::{Deserialize, Serialize};

/// The definition of a key as REST shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigKeyInfo {
    /// The key.
    pub name: String,
    /// BOOLEAN, STRING, INT, SHORT, LONG, DOUBLE, LIST, CLASS or PASSWORD.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it has no default.
    pub required: bool,
    /// The default as text.
    pub default_value: Option<String>,
    /// HIGH, MEDIUM or LOW.
    pub importance: String,
    /// What it does.
    pub documentation: String,
    /// The group in a form.
    pub group: Option<String>,
    /// The place in its group; -1 without one.
    pub order_in_group: i32,
    /// NONE, SHORT, MEDIUM or LONG.
    pub width: String,
    /// The name shown to people.
    pub display_name: String,
    /// Keys whose validity or visibility depends on this one.
    pub dependents: Vec<String>,
}

/// What was found for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigValueInfo {
    /// The key.
    pub name: String,
    /// The parsed value as text.
    pub value: Option<String>,
    /// Values that would do.
    pub recommended_values: Vec<String>,
    /// What is wrong, in the order found.
    pub errors: Vec<String>,
    /// Whether a form should show it.
    pub visible: bool,
}

/// Definition and value of a key; either may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigInfo {
    /// The definition; null for keys that nobody defines.
    pub definition: Option<ConfigKeyInfo>,
    /// What was found.
    pub value: Option<ConfigValueInfo>,
}

/// The result of a validation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigInfos {
    /// `connector.class` as sent.
    pub name: String,
    /// The number of errors, counted as Java counts (spec 12.3).
    pub error_count: usize,
    /// The groups in order.
    pub groups: Vec<String>,
    /// The keys in order.
    pub configs: Vec<ConfigInfo>,
}

impl ConfigInfos {
    /// The text of the 400 that refuses this configuration; `None` when it has no errors (spec 12.6).
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        if self.error_count == 0 {
            return None;
        }
        let mut text = format!(
            "Connector configuration is invalid and contains the following {} error(s):",
            self.error_count
        );
        for value in self.configs.iter().filter_map(|info| info.value.as_ref()) {
            for error in &value.errors {
                text.push('\n');
                text.push_str(error);
            }
        }
        text.push_str(
            "\nYou can also find the above list of errors at the endpoint \
             `/connector-plugins/{connectorType}/config/validate`",
        );
        Some(text)
    }
}
