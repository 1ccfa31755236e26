//! Errors as the REST surface tells them apart.

use serde::{Deserialize, Serialize};

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Equal to the HTTP status.
    pub error_code: u16,
    /// The message; Java exceptions may have none.
    pub message: Option<String>,
}

/// Why a request was not carried out. The texts are Java's; they never hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HerderError {
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
    /// Another worker (the leader, or the owner of the connector or task) must do it: REST forwards the
    /// request there, at most twice (spec 4.2).
    #[error("the request belongs to another worker")]
    Elsewhere {
        /// The advertised URL of that worker; unknown in the middle of a rebalance.
        url: Option<String>,
    },
    /// 500: the world's fault.
    #[error("{0}")]
    Failed(String),
    /// Another worker answered a forwarded request with this error.
    #[error("{message:?}")]
    Remote {
        /// The HTTP status.
        status: u16,
        /// The message.
        message: Option<String>,
    },
}
