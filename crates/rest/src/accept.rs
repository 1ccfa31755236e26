//! `Accept` and `Content-Type` as Jersey weighs them.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::error::RestError;

/// What a client takes.
pub(crate) enum Accepted {
    /// JSON; with the parameters that it wrote, when it named JSON itself.
    Json(Option<HeaderValue>),
    /// No JSON: 406.
    Other,
    /// The header is no list of media types: 400 from the HTTP layer.
    Malformed,
}

/// What the answer may be.
pub(crate) fn negotiate(headers: &HeaderMap) -> Accepted {
    let mut any = false;
    let (mut anything, mut unwanted) = (false, false);
    for value in headers.get_all(header::ACCEPT) {
        let Ok(text) = value.to_str() else { continue };
        any = true;
        let text = text.trim();
        if text.is_empty() {
            anything = true;
            continue;
        }
        for item in text.strip_suffix(',').unwrap_or(text).split(',') {
            let mut parts = item.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            if kind.is_empty() {
                return Accepted::Malformed;
            }
            let parameters: Vec<&str> = parts.filter(|one| !one.is_empty()).collect();
            let refused = parameters
                .iter()
                .any(|one| matches!(*one, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
            match kind.as_str() {
                // Alone it is answered all the same.
                "application/json" if refused => unwanted = true,
                "application/json" => {
                    let own: Vec<&str> = parameters
                        .into_iter()
                        .filter(|one| !one.starts_with("q="))
                        .collect();
                    let text = format!("application/json;{}", own.join(";"));
                    let text = Some(text).filter(|_| !own.is_empty());
                    return Accepted::Json(text.and_then(|text| HeaderValue::from_str(&text).ok()));
                }
                "*/*" | "application/*" | "*" if !refused => anything = true,
                _ => {}
            }
        }
    }
    match anything || unwanted || !any {
        true => Accepted::Json(None),
        false => Accepted::Other,
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
    let is_token = |text: &str| {
        let odd = |c: char| !c.is_ascii_graphic() || "()<>@,;:\\\"/[]?=".contains(c);
        !text.is_empty() && !text.contains(odd)
    };
    match kind.split_once('/') {
        None => Consumed::Malformed,
        Some((kind, subtype)) if !is_token(kind) || !is_token(subtype) => Consumed::Malformed,
        Some(("application", "json")) => Consumed::Fine,
        Some(("application" | "*", "*")) => unsupported(true),
        Some(_) => unsupported(false),
    }
}
