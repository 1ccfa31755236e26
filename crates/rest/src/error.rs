//! Errors and the status and body that clients see (spec 3).

use http::{StatusCode, header};
use milena_rest_model::{ErrorBody, HerderError};

use crate::reply::Reply;

/// Why a request is answered by an error.
#[derive(Debug)]
pub(crate) enum RestError {
    /// Connect's own: JSON body with content type.
    Connect {
        status: u16,
        message: Option<String>,
    },
    /// Raised by the HTTP layer (404, 405, 406, 415): JSON body, and no content type, as Jersey sends it.
    Http {
        status: StatusCode,
        content_type: bool,
    },
}

impl RestError {
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::of(400, message)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::of(500, message)
    }

    pub(crate) fn of(status: u16, message: impl Into<String>) -> Self {
        Self::Connect {
            status,
            message: Some(message.into()),
        }
    }

    pub(crate) fn http(status: StatusCode) -> Self {
        Self::Http {
            status,
            content_type: false,
        }
    }

    pub(crate) fn into_reply(self) -> Reply {
        let (status, message, content_type) = match self {
            Self::Connect { status, message } => (status, message, true),
            Self::Http {
                status,
                content_type,
            } => {
                let reason = status.canonical_reason().unwrap_or_default();
                let text = format!("HTTP {} {reason}", status.as_u16());
                (status.as_u16(), Some(text), content_type)
            }
        };
        let body = ErrorBody {
            error_code: status,
            message,
        };
        let mut reply = Reply::json(&body);
        reply.status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if !content_type {
            reply
                .headers
                .retain(|(name, _)| *name != header::CONTENT_TYPE);
        }
        reply
    }
}

impl From<HerderError> for RestError {
    fn from(error: HerderError) -> Self {
        match error {
            HerderError::BadRequest(text) => Self::of(400, text),
            HerderError::Forbidden(text) => Self::of(403, text),
            HerderError::NotFound(text) => Self::of(404, text),
            HerderError::Conflict(text) => Self::of(409, text),
            // An endpoint that does not forward; a request it could not place is in conflict.
            HerderError::Elsewhere { .. } => Self::of(409, crate::forward::CONFLICT),
            HerderError::Failed(text) => Self::of(500, text),
            HerderError::Remote { status, message } => Self::Connect { status, message },
        }
    }
}
