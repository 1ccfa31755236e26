//! `GET /admin/loggers/{l}` (spec 5.24).

use crate::{
    call::{Answer, Call},
    error::RestError,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let logger = call.name();
    match call.loggers().level(logger) {
        Some(level) => Ok(Reply::json(&level)),
        None => Err(RestError::of(404, format!("Logger {logger} not found."))),
    }
}
