//! What is wrong with a configuration value.

/// `ConfigException`: names the key and the rule in Java's words; never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// Java's message.
    pub message: String,
}

impl ConfigError {
    /// An error with the given text.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    /// `Invalid value <value> for configuration <name>: <reason>`.
    #[must_use]
    pub fn invalid(name: &str, value: &str, reason: &str) -> Self {
        Self::new(format!(
            "Invalid value {value} for configuration {name}: {reason}"
        ))
    }

    /// `Missing required configuration "<name>" which has no default value.`
    #[must_use]
    pub fn missing(name: &str) -> Self {
        Self::new(format!(
            "Missing required configuration \"{name}\" which has no default value."
        ))
    }
}
