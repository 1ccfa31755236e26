//! From an HTTP request to an answer: path, method, media types, credentials, body, endpoint, in Jersey's order.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;

use crate::{
    accept::{self, Accepted, Consumed},
    access_log, browser,
    call::{Call, Shared},
    cors::{self, Cors},
    error::RestError,
    path::{self, BadPath},
    query::Query,
    reply::Reply,
    routes,
    settings::MAX_BODY,
};

/// What a listener serves.
pub(crate) struct Surface {
    pub(crate) shared: Arc<Shared>,
    pub(crate) scheme: &'static str,
    /// Everything but `/admin` and `/metrics`.
    pub(crate) main: bool,
    /// `/admin` and `/metrics`.
    pub(crate) admin: bool,
    pub(crate) cors: Option<Cors>,
}

/// Answers one request; never fails.
pub(crate) async fn handle(
    surface: Arc<Surface>,
    request: Request<Incoming>,
    peer: std::net::SocketAddr,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let seen = access_log::Request::of(&parts, peer.ip());
    let (method, headers) = (parts.method.clone(), parts.headers.clone());
    let (mut reply, decorated) = match path::segments(parts.uri.path()) {
        // The HTTP layer refuses these before anything of ours is asked; they carry no headers of ours.
        Err(BadPath(title)) => (bad_path(&method, title), false),
        Ok(_) if parts.uri.path() == "*" => (Reply::empty(StatusCode::NOT_FOUND), true),
        Ok(segments) => route(&surface, parts, segments, body).await,
    };
    if decorated && surface.main {
        if let Some(cors) = &surface.cors {
            cors.decorate(&method, &headers, &mut reply);
        }
        cors::apply_rules(&surface.shared.settings.config.response_headers, &mut reply);
    }
    let bytes = if method == Method::HEAD {
        0
    } else {
        reply.body.len()
    };
    let line = seen.line(
        reply.status.as_u16(),
        bytes,
        began.elapsed(),
        SystemTime::now(),
    );
    tracing::info!(target: "milena_rest::access", "{line}");
    Ok(reply.into_response())
}

fn bad_path(method: &Method, title: &str) -> Reply {
    match *method {
        Method::GET | Method::POST | Method::HEAD => Reply::html(StatusCode::BAD_REQUEST, title),
        _ => Reply::empty(StatusCode::BAD_REQUEST),
    }
    .with_header(header::CONNECTION, "close")
}

async fn route(
    surface: &Surface,
    parts: Parts,
    segments: Vec<String>,
    body: Incoming,
) -> (Reply, bool) {
    let reply = match answer(surface, parts, &segments, body).await {
        Ok(reply) => reply,
        Err(Refused::ByHttp(reply)) => return (reply, false),
        Err(Refused::ByRest(error)) => error.into_reply(),
    };
    (reply, true)
}

enum Refused {
    ByHttp(Reply),
    ByRest(RestError),
}

impl From<RestError> for Refused {
    fn from(error: RestError) -> Self {
        Self::ByRest(error)
    }
}

async fn answer(
    surface: &Surface,
    parts: Parts,
    segments: &[String],
    body: Incoming,
) -> Result<Reply, Refused> {
    let settings = &surface.shared.settings;
    if settings.browser_guard {
        let own = settings.config.advertised_host.as_deref();
        let cors = surface.cors.as_ref();
        if let Some(refused) = browser::refusal(&parts.method, &parts.headers, own, cors) {
            return Err(refused.into());
        }
    }
    let is_admin = segments
        .first()
        .is_some_and(|first| first == "admin" || first == "metrics");
    let served = if is_admin {
        surface.admin
    } else {
        surface.main
    };
    let found = if served {
        routes::find(segments)
    } else {
        Vec::new()
    };
    if found.is_empty() {
        return Err(RestError::http(StatusCode::NOT_FOUND).into());
    }
    let auth = surface
        .shared
        .settings
        .basic_auth
        .as_ref()
        .filter(|_| surface.main);
    let refusal = || auth.and_then(|auth| auth.refusal(&parts.method, segments, &parts.headers));
    let wanted = if parts.method == Method::HEAD {
        &Method::GET
    } else {
        &parts.method
    };
    let allow = routes::allowed(&found);
    if *wanted == Method::OPTIONS {
        return Ok(refusal().unwrap_or_else(|| options(&parts, &allow)));
    }
    let Some((route, params)) = found.into_iter().find(|(route, _)| route.method == *wanted) else {
        // Jersey sends no `Allow` here, other than on OPTIONS.
        return Err(RestError::http(StatusCode::METHOD_NOT_ALLOWED).into());
    };
    let body = read(body, surface.shared.settings.body_timeout).await?;
    match accept::consumes_json(&parts.headers, !body.is_empty()) {
        Consumed::Fine => {}
        Consumed::Unsupported(error) => return Err(error.into()),
        Consumed::Malformed => {
            return Err(Refused::ByHttp(bad_path(&parts.method, "Bad Request")));
        }
    }
    let content_type = match accept::negotiate(&parts.headers) {
        Accepted::Json(content_type) => content_type,
        Accepted::Other => return Err(RestError::http(StatusCode::NOT_ACCEPTABLE).into()),
        Accepted::Malformed => {
            return Err(Refused::ByHttp(Reply::empty(StatusCode::BAD_REQUEST)));
        }
    };
    if let Some(reply) = refusal() {
        return Ok(reply);
    }
    let call = Call {
        shared: Arc::clone(&surface.shared),
        params,
        query: Query::parse(parts.uri.query()),
        method: parts.method,
        headers: parts.headers,
        body,
        scheme: surface.scheme,
    };
    let mut reply = (route.endpoint)(call)
        .await
        .unwrap_or_else(RestError::into_reply);
    if let Some(content_type) = content_type.filter(|_| reply.has_content_type()) {
        reply
            .headers
            .retain(|(name, _)| *name != header::CONTENT_TYPE);
        reply.headers.push((header::CONTENT_TYPE, content_type));
    }
    Ok(reply)
}

async fn read(body: Incoming, within: std::time::Duration) -> Result<Bytes, RestError> {
    match tokio::time::timeout(within, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(RestError::http(StatusCode::PAYLOAD_TOO_LARGE))
        }
        Ok(Err(_)) => Err(RestError::http(StatusCode::BAD_REQUEST)),
        Err(_) => Err(RestError::http(StatusCode::REQUEST_TIMEOUT)),
    }
}

fn options(parts: &Parts, allow: &str) -> Reply {
    let reply = Reply::empty(StatusCode::OK).with_header(header::ALLOW, &allow.replace(' ', ""));
    let accept = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    match accept {
        Some(kind) if kind != "*/*" && !kind.starts_with("text/plain") => {
            reply.with_header(header::CONTENT_TYPE, kind)
        }
        _ => {
            let mut reply = reply.with_header(header::CONTENT_TYPE, "text/plain");
            reply.body = Bytes::from(allow.to_owned());
            reply
        }
    }
}
