//! `PUT /admin/loggers/{l}`, on this worker or the whole cluster (KIP-976, spec 5.25).

use http::StatusCode;
use milena_config::java_trim;

use crate::{
    call::{Answer, Call},
    error::RestError,
    json_body,
    reply::Reply,
};

const LEVELS: &[&str] = &[
    "ALL", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF",
];

pub(crate) async fn handle(call: Call) -> Answer {
    let logger = call.name();
    let body = json_body::required_map(&call.body, "levelMap")?;
    let Some(Some(given)) = body.get("level") else {
        return Err(RestError::bad_request(
            "Desired 'level' parameter was not specified in request.",
        ));
    };
    if given.is_empty() {
        return Err(RestError::failed("Illegal null or empty Level name."));
    }
    let level = java_trim(given).to_uppercase();
    if !LEVELS.contains(&level.as_str()) {
        return Err(RestError::of(404, format!("invalid log level '{given}'.")));
    }
    let scope = call.query.first("scope").unwrap_or_default();
    if scope.eq_ignore_ascii_case("cluster") {
        call.herder_says(call.herder().set_cluster_logger(logger, &level))
            .await?;
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    if !scope.is_empty() && !scope.eq_ignore_ascii_case("worker") {
        tracing::warn!(
            scope,
            "unknown scope of a logger's level, taking this worker"
        );
    }
    match call.loggers().set_level(logger, &level) {
        Ok(changed) => Ok(Reply::json(&changed)),
        Err(error) => Err(RestError::of(404, error.to_string())),
    }
}
