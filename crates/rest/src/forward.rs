//! Requests that belong to another worker are sent there, at most twice (spec 4.2).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::Client, client::legacy::connect::HttpConnector, rt::TokioExecutor,
};
use milena_rest_model::{ErrorBody, HerderError};

use crate::{call::Call, error::RestError, settings::MAX_BODY};

/// The 409 of a request that was forwarded as often as it may be.
pub(crate) const CONFLICT: &str =
    "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";

const NO_LEADER: &str = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.";

/// Sends requests to other workers.
#[derive(Clone)]
pub(crate) enum Forwarder {
    /// Over http only: there are no TLS settings that can be used.
    Plain(Client<HttpConnector, Full<Bytes>>),
    /// Over either.
    Secure(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// What another worker answered: a success.
pub(crate) struct Remote {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Who served a request.
pub(crate) enum Served<T> {
    /// This worker.
    Here(T),
    /// Another one.
    There(Remote),
}

impl Forwarder {
    /// Forwards over http, and over https as these settings say.
    pub(crate) fn new(tls: Option<rustls::ClientConfig>) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(Duration::from_secs(10));
        let Some(tls) = tls else {
            return Self::Plain(builder.build_http());
        };
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Self::Secure(builder.build(connector))
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        body: Option<Vec<u8>>,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Remote, RestError> {
        let io = |cause: &dyn std::fmt::Display| {
            RestError::failed(format!("IO Error trying to forward REST request: {cause}"))
        };
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::ACCEPT, "application/json")
            .header(header::USER_AGENT, "kafka-connect");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| {
                RestError::failed(format!("Error trying to forward REST request: {error}"))
            })?;
        let response = match self {
            Self::Plain(client) => client.request(request).await,
            Self::Secure(client) => client.request(request).await,
        };
        let response = response.map_err(|error| io(&error))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BODY)
            .collect()
            .await
            .map_err(|error| io(&error))?
            .to_bytes();
        if status.is_success() {
            return Ok(Remote { status, body });
        }
        if status.is_client_error() || status.is_server_error() {
            let error: ErrorBody = serde_json::from_slice(&body).map_err(|error| io(&error))?;
            return Err(RestError::Connect {
                status: status.as_u16(),
                message: error.message,
            });
        }
        Err(RestError::failed(format!(
            "Unexpected status code when handling forwarded request: {}",
            status.as_u16()
        )))
    }
}

/// What a forwarded request looks like; the path and the body as this worker would write them.
pub(crate) struct Forward<'a> {
    pub(crate) path: String,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) query: &'a str,
}

impl<'a> Forward<'a> {
    /// To a path, without body and parameters.
    pub(crate) fn to(path: String) -> Self {
        Self {
            path,
            body: None,
            query: "",
        }
    }

    pub(crate) fn with_body<T: serde::Serialize>(mut self, body: &T) -> Self {
        self.body = serde_json::to_vec(body).ok();
        self
    }

    pub(crate) fn with_query(mut self, query: &'a str) -> Self {
        self.query = query;
        self
    }
}

/// The answer of this worker, or of the one that the request belongs to.
pub(crate) async fn serve<T>(
    call: &Call,
    answer: Result<T, HerderError>,
    forward: impl FnOnce() -> Result<Forward<'static>, RestError>,
) -> Result<Served<T>, RestError> {
    let url = match answer {
        Ok(value) => return Ok(Served::Here(value)),
        Err(HerderError::Elsewhere { url }) => url,
        Err(error) => return Err(error.into()),
    };
    let next = match call
        .query
        .first("forward")
        .map(|text| text.eq_ignore_ascii_case("true"))
    {
        None => "true",
        Some(true) => "false",
        Some(false) => return Err(RestError::of(409, CONFLICT)),
    };
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        return Err(RestError::of(409, NO_LEADER));
    };
    let forward = forward()?;
    let extra = if forward.query.is_empty() {
        String::new()
    } else {
        format!("&{}", forward.query)
    };
    let target = format!(
        "{}{}?forward={next}{extra}",
        url.trim_end_matches('/'),
        forward.path
    );
    tracing::debug!(%target, "forwarding a request");
    let headers = authorization(&call.headers);
    let sent = call
        .shared
        .forwarder
        .send(call.method.clone(), &target, forward.body, headers);
    match tokio::time::timeout(call.limit(), sent).await {
        Ok(remote) => remote.map(Served::There),
        Err(_) => Err(RestError::failed(
            "IO Error trying to forward REST request: timed out",
        )),
    }
}

fn authorization(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let value = headers.get(header::AUTHORIZATION).cloned();
    value
        .into_iter()
        .map(|value| (header::AUTHORIZATION, value))
        .collect()
}
