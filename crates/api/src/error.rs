//! What a plugin says when it cannot do what it was asked.

use std::borrow::Cow;

/// How the engine treats an error (spec `data.md` section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The same call may succeed later: `poll` counts as empty, `put` is called again with the same
    /// batch, a converter or transform is retried within `errors.retry.timeout`.
    Retriable,
    /// Said by a sink's `put` alone: a record of the batch is bad, the target is well, and nothing of the batch was taken
    /// (or taking it twice does no harm). With `errors.tolerance=all` the engine gives the batch again in parts until
    /// the record is found and reports that one; otherwise it is as [`Self::Fatal`].
    Record,
    /// Everything else: the record fails (converter, transform) or the task fails (task methods).
    Fatal,
}

/// A failure with the Java class and message that a user of Connect would see: in a status trace, a log
/// line, the context headers of a dead letter. It must never hold a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// The Java class of the equivalent exception, in full.
    pub class: Cow<'static, str>,
    /// The message; Java exceptions may have none.
    pub message: Option<String>,
    /// How the engine treats it.
    pub kind: ErrorKind,
    /// What it was caused by.
    pub cause: Option<Box<ConnectError>>,
}

impl ConnectError {
    /// `org.apache.kafka.connect.errors.ConnectException`.
    pub fn connect(message: impl Into<String>) -> Self {
        Self::of("org.apache.kafka.connect.errors.ConnectException", message)
    }

    /// `org.apache.kafka.connect.errors.DataException`: the data does not fit.
    pub fn data(message: impl Into<String>) -> Self {
        Self::of("org.apache.kafka.connect.errors.DataException", message)
    }

    /// `org.apache.kafka.common.config.ConfigException`: the configuration does not fit.
    pub fn config(message: impl Into<String>) -> Self {
        Self::of("org.apache.kafka.common.config.ConfigException", message)
    }

    /// `org.apache.kafka.connect.errors.RetriableException`.
    pub fn retriable(message: impl Into<String>) -> Self {
        let mut error = Self::of(
            "org.apache.kafka.connect.errors.RetriableException",
            message,
        );
        error.kind = ErrorKind::Retriable;
        error
    }

    /// This error, as that of a record of the batch; see [`ErrorKind::Record`].
    #[must_use]
    pub fn of_a_record(mut self) -> Self {
        self.kind = ErrorKind::Record;
        self
    }

    /// An error of any Java class.
    pub fn of(class: &'static str, message: impl Into<String>) -> Self {
        Self {
            class: Cow::Borrowed(class),
            message: Some(message.into()),
            kind: ErrorKind::Fatal,
            cause: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: ConnectError) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        self.kind == ErrorKind::Retriable
    }

    /// The text as Java's `Throwable.toString`: class, colon, message.
    #[must_use]
    pub fn to_java_string(&self) -> String {
        match &self.message {
            Some(message) => format!("{}: {message}", self.class),
            None => self.class.to_string(),
        }
    }

    /// The text as Java's stack trace, without frames: one line per cause.
    #[must_use]
    pub fn trace(&self) -> String {
        let mut text = self.to_java_string();
        text.push('\n');
        let mut cause = self.cause.as_deref();
        while let Some(error) = cause {
            text.push_str("Caused by: ");
            text.push_str(&error.to_java_string());
            text.push('\n');
            cause = error.cause.as_deref();
        }
        text
    }
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or(&self.class))
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<milena_config::ConfigError> for ConnectError {
    fn from(error: milena_config::ConfigError) -> Self {
        Self::config(error.message)
    }
}

impl From<milena_data::DataError> for ConnectError {
    fn from(error: milena_data::DataError) -> Self {
        Self {
            class: error.class,
            message: error.message,
            kind: ErrorKind::Fatal,
            cause: error.cause.map(|cause| Box::new((*cause).into())),
        }
    }
}

impl From<milena_data::SchemaBuilderError> for ConnectError {
    fn from(error: milena_data::SchemaBuilderError) -> Self {
        milena_data::DataError::from(error).into()
    }
}
