//! What a web page in a browser on this machine may not do to a worker that listens on loopback: reach it under a
//! name of its own (DNS rebinding), or send it requests that need no preflight (`POST …/restart`).
//!
//! Java has no such check; it is on in `quickstart` and `dev`, and elsewhere where the worker's file asks for it.

use std::net::IpAddr;

use http::{HeaderMap, Method, header};

use crate::{cors::Cors, error::RestError};

/// The refusal of a request that a page of another site may have sent; `None`: it may be served.
pub(crate) fn refusal(
    method: &Method,
    headers: &HeaderMap,
    advertised: Option<&str>,
    cors: Option<&Cors>,
) -> Option<RestError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    if !is_local(name_of(host), advertised) {
        return Some(RestError::of(
            403,
            "The Host header names another host than this worker. Use its address, or set \
             milena.rest.browser.guard=false.",
        ));
    }
    let changes = ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    let origin = headers.get(header::ORIGIN).filter(|_| changes)?;
    let origin = origin.to_str().unwrap_or("null");
    let same = origin
        .split_once("://")
        .is_some_and(|(_, from)| from.eq_ignore_ascii_case(host));
    if same || cors.is_some_and(|cors| cors.allows(origin)) {
        return None;
    }
    Some(RestError::of(
        403,
        "Pages of other origins may not change anything here. Add the origin to access.control.allow.origin, or set \
         milena.rest.browser.guard=false.",
    ))
}

/// The host without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

/// Names that no page can point elsewhere; a request without a name comes from no browser.
fn is_local(name: &str, advertised: Option<&str>) -> bool {
    let name = name.to_ascii_lowercase();
    name.is_empty()
        || name.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || advertised.is_some_and(|own| own.eq_ignore_ascii_case(&name))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, Method, header};

    use super::refusal;
    use crate::cors::Cors;

    fn refused(method: Method, host: &str, origin: Option<&'static str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        let cors = Cors::new(&["http://good.example".to_owned()], "");
        refusal(&method, &headers, Some("worker.example"), cors.as_ref()).is_some()
    }

    #[test]
    fn a_page_reaches_nothing_under_a_name_of_its_own() {
        for host in [
            "localhost:8083",
            "127.0.0.1:8083",
            "[::1]:8083",
            "a.localhost",
            "WORKER.example:1",
        ] {
            assert!(!refused(Method::GET, host, None), "{host}");
        }
        for host in [
            "evil.example:8083",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
        ] {
            assert!(refused(Method::GET, host, None), "{host}");
        }
    }

    #[test]
    fn a_page_of_another_origin_changes_nothing() {
        let local = "localhost:8083";
        assert!(refused(Method::POST, local, Some("http://evil.example")));
        assert!(refused(Method::POST, local, Some("null")));
        assert!(refused(
            Method::DELETE,
            local,
            Some("http://localhost:9000")
        ));
        assert!(!refused(Method::POST, local, Some("http://localhost:8083")));
        assert!(!refused(Method::POST, local, Some("http://good.example")));
        assert!(!refused(Method::POST, local, None));
        assert!(!refused(Method::GET, local, Some("http://evil.example")));
    }
}
