//! Answers before they are bytes on a connection.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Bytes,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// 200 with a JSON body.
    pub(crate) fn json<T: Serialize>(body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Self {
                status: StatusCode::OK,
                headers: vec![(header::CONTENT_TYPE, JSON)],
                body: bytes.into(),
            },
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Self::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// JSON bytes that another worker answered.
    pub(crate) fn json_bytes(status: StatusCode, body: Bytes) -> Self {
        if body.is_empty() {
            return Self::empty(status);
        }
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, JSON)],
            body,
        }
    }

    /// 200 with a text.
    pub(crate) fn text(kind: HeaderValue, body: String) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![(header::CONTENT_TYPE, kind)],
            body: body.into(),
        }
    }

    /// An HTML page, as the HTTP layer answers malformed requests.
    pub(crate) fn html(status: StatusCode, title: &str) -> Self {
        let body = format!(
            "<html>\n<head>\n<title>Error {0} {title}</title>\n</head>\n<body><h2>HTTP ERROR {0} {title}</h2></body>\n</html>\n",
            status.as_u16()
        );
        let html = HeaderValue::from_static("text/html;charset=iso-8859-1");
        Self {
            status,
            headers: vec![(header::CONTENT_TYPE, html)],
            body: body.into(),
        }
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a header; one that cannot stand in HTTP is left out.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub(crate) fn has_content_type(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| *name == header::CONTENT_TYPE)
    }

    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}
