//! `GET /milena/v1/openapi.json`: this API as an OpenAPI 3.1 document. The file is written by hand; a test holds
//! it against the routes.

use bytes::Bytes;
use http::StatusCode;

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

/// The document.
pub(crate) const DOCUMENT: &str = include_str!("../../openapi.json");

pub(crate) async fn handle(_call: Call) -> Answer {
    let bytes = Bytes::from_static(DOCUMENT.as_bytes());
    Ok(Reply::json_bytes(StatusCode::OK, bytes))
}
