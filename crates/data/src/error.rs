//! What is wrong with data: the Java class and text that a user of Connect would see.

use std::borrow::Cow;

/// `org.apache.kafka.connect.errors.DataException`.
pub const DATA_EXCEPTION: &str = "org.apache.kafka.connect.errors.DataException";
/// `org.apache.kafka.connect.errors.SchemaBuilderException`.
pub const SCHEMA_BUILDER_EXCEPTION: &str = "org.apache.kafka.connect.errors.SchemaBuilderException";
/// `org.apache.kafka.connect.errors.SchemaProjectorException`.
pub const SCHEMA_PROJECTOR_EXCEPTION: &str =
    "org.apache.kafka.connect.errors.SchemaProjectorException";
/// `java.lang.NullPointerException`.
pub const NULL_POINTER_EXCEPTION: &str = "java.lang.NullPointerException";
/// `java.lang.NumberFormatException`.
pub const NUMBER_FORMAT_EXCEPTION: &str = "java.lang.NumberFormatException";

/// A failure of the data model, with the Java class and message of the equivalent exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataError {
    /// The Java class, in full.
    pub class: Cow<'static, str>,
    /// The message; Java exceptions may have none.
    pub message: Option<String>,
    /// What it was caused by.
    pub cause: Option<Box<DataError>>,
}

impl DataError {
    /// A `DataException`.
    pub fn data(message: impl Into<String>) -> Self {
        Self::of(DATA_EXCEPTION, message)
    }

    /// An error of any Java class.
    pub fn of(class: &'static str, message: impl Into<String>) -> Self {
        Self {
            class: Cow::Borrowed(class),
            message: Some(message.into()),
            cause: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: DataError) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }
}

impl std::fmt::Display for DataError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or(&self.class))
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
