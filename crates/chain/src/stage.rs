//! Where in the life of a record something ran, and what went wrong there (spec `data.md` 5.2).

use std::sync::Arc;

use milena_api::ConnectError;
use milena_data::Record;

/// The stages of `org.apache.kafka.connect.runtime.errors.Stage` that a chain runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are Java's own")]
pub enum Stage {
    Transformation,
    KeyConverter,
    ValueConverter,
    HeaderConverter,
}

impl Stage {
    /// Java's name, as in log lines and dead letter headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Transformation => "TRANSFORMATION",
            Self::KeyConverter => "KEY_CONVERTER",
            Self::ValueConverter => "VALUE_CONVERTER",
            Self::HeaderConverter => "HEADER_CONVERTER",
        }
    }
}

/// A record failed at a stage. Whether that is retried, skipped or fatal is the caller's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageFailure {
    /// Where.
    pub stage: Stage,
    /// The Java class of the converter or transform that ran.
    pub class: Arc<str>,
    /// The position of the transform in the chain; 0 for converters.
    pub step: usize,
    /// What a transform was given, when the chain keeps it (`TransformChain::keep_for_retries`): a caller
    /// that retries goes on there, with this. `None` for converters, which leave their record in place.
    pub given: Option<Box<Record>>,
    /// What went wrong.
    pub error: ConnectError,
}

impl std::fmt::Display for StageFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "stage {} with class {}: {}",
            self.stage.name(),
            self.class,
            self.error
        )
    }
}

impl std::error::Error for StageFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
