//! A small client of a Connect REST API, for the command line and the quickstart.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::settings::MAX_BODY;

/// How long a call may take.
const CALL: Duration = Duration::from_secs(90);

/// A call that brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL or the request cannot be made.
    #[error("cannot ask {url}: {reason}")]
    Request {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// No answer came.
    #[error("no answer from {url}: {reason}")]
    Answer {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A client of one worker.
#[derive(Clone)]
pub struct RestClient {
    base: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl RestClient {
    /// A client of the worker at this URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self {
            base: url.trim_end_matches('/').to_owned(),
            client,
        }
    }

    /// `GET`; the status and the body.
    ///
    /// # Errors
    /// No answer came.
    pub async fn get(&self, path: &str) -> Result<(u16, String), ClientError> {
        self.call(Method::GET, path, None).await
    }

    /// `PUT` with a JSON body; the status and the body of the answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn put(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<(u16, String), ClientError> {
        self.call(Method::PUT, path, Some(body.to_string())).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, String), ClientError> {
        let url = format!("{}{path}", self.base);
        let refused = |reason: String| ClientError::Request {
            url: url.clone(),
            reason,
        };
        let failed = |reason: String| ClientError::Answer {
            url: url.clone(),
            reason,
        };
        let mut request = Request::builder().method(method).uri(&url);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(body.unwrap_or_default()));
        let request = request
            .body(body)
            .map_err(|error| refused(error.to_string()))?;
        let exchange = async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| failed(error.to_string()))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
            let bytes = body.map_err(|error| failed(error.to_string()))?.to_bytes();
            Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
        };
        tokio::time::timeout(CALL, exchange)
            .await
            .unwrap_or_else(|_| Err(failed("it took too long".to_owned())))
    }
}
