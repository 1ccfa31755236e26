//! `GET /metrics`: what the Java worker shows by JMX, for Prometheus (spec `data.md` 6.3). On the admin listener.

use http::HeaderValue;

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub(crate) async fn handle(call: Call) -> Answer {
    Ok(Reply::text(TEXT, call.herder().metrics()))
}
