//! `Accept` and `Content-Type` as Jersey weighs them.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::error::RestError;

/// The content type to answer with: what the client wrote when it named JSON itself.
///
/// `Err`: it takes no JSON (406).
pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Option<HeaderValue>, RestError> {
    let mut named = None;
    let mut any = false;
    for value in headers.get_all(header::ACCEPT) {
        any = true;
        let Ok(text) = value.to_str() else { continue };
        for item in text.split(',').map(str::trim) {
            let mut parts = item.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<&str> = parts.collect();
            if parameters
                .iter()
                .any(|one| matches!(*one, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
            {
                continue;
            }
            match kind.as_str() {
                "application/json" => {
                    let own: Vec<&str> = parameters
                        .into_iter()
                        .filter(|one| !one.starts_with("q="))
                        .collect();
                    if own.is_empty() {
                        return Ok(None);
                    }
                    let text = format!("application/json;{}", own.join(";"));
                    return Ok(HeaderValue::from_str(&text).ok());
                }
                "*/*" | "application/*" | "" | "*" => named = Some(None),
                _ => {}
            }
        }
    }
    match (any, named) {
        (false, _) => Ok(None),
        (true, Some(value)) => Ok(value),
        (true, None) => Err(RestError::http(StatusCode::NOT_ACCEPTABLE)),
    }
}

/// What a content type allows.
pub(crate) enum Consumed {
    /// JSON, or nothing to consume.
    Fine,
    /// 415.
    Unsupported(RestError),
    /// The header is no media type: 400 from the HTTP layer.
    Malformed,
}

/// Checks the content type: every resource consumes JSON only.
pub(crate) fn consumes_json(headers: &HeaderMap, has_body: bool) -> Consumed {
    let unsupported = |content_type| {
        Consumed::Unsupported(RestError::Http {
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            content_type,
        })
    };
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return if has_body {
            unsupported(true)
        } else {
            Consumed::Fine
        };
    };
    let text = value.to_str().unwrap_or_default();
    let kind = text
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match kind.split_once('/') {
        None => Consumed::Malformed,
        Some(("application", "json")) => Consumed::Fine,
        Some(("application" | "*", "*")) => unsupported(true),
        Some(_) => unsupported(false),
    }
}
