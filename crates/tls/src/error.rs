//! What is wrong with TLS settings: the property and the remedy, never its value.

/// TLS settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for configuration {property}: {remedy}")]
pub struct TlsError {
    /// The property, without any prefix.
    pub property: String,
    /// What to do.
    pub remedy: String,
}

impl TlsError {
    pub(crate) fn new(property: &str, remedy: impl Into<String>) -> Self {
        Self {
            property: property.to_owned(),
            remedy: remedy.into(),
        }
    }
}
