//! Why a request is not carried out: the kinds that REST tells apart, with Java's words.

/// The answer to a request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// 400: the caller's fault.
    #[error("{0}")]
    BadRequest(String),
    /// 403: switched off on this worker.
    #[error("{0}")]
    Forbidden(String),
    /// 404: there is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// 409: it exists already, or another change came in between.
    #[error("{0}")]
    Conflict(String),
    /// Another worker must do it; REST forwards the request there.
    #[error("the request belongs to another worker")]
    Elsewhere {
        /// The advertised URL of that worker; unknown in the middle of a rebalance.
        url: Option<String>,
    },
    /// 500: the world's fault.
    #[error("{0}")]
    Failed(String),
}

impl RequestError {
    /// A connector that a read or a change names is not there.
    pub(super) fn no_connector(name: &str) -> Self {
        Self::NotFound(format!("Connector {name} not found"))
    }

    /// A connector whose state should change is not there.
    pub(super) fn unknown_connector(name: &str) -> Self {
        Self::NotFound(format!("Unknown connector {name}"))
    }

    /// A connector that should restart is not there. Java words it with a colon.
    pub(super) fn unknown_to_restart(name: &str) -> Self {
        Self::NotFound(format!("Unknown connector: {name}"))
    }

    /// The leader lost its write privilege while it wrote.
    pub(super) fn privileged_write() -> Self {
        Self::Failed(
            "Failed to write to config topic; this may be due to a transient error and the request can be \
             safely retried"
                .to_owned(),
        )
    }

    /// The worker ends.
    pub(super) fn shutting_down() -> Self {
        Self::Failed("Worker is shutting down".to_owned())
    }
}
