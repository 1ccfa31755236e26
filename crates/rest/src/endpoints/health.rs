//! `GET /health` (KIP-1017, spec 5.2).

use http::StatusCode;
use milena_rest_model::WorkerStatus;

use crate::{
    call::{Answer, Call},
    reply::Reply,
    stage,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let limit = call.shared.settings.health_timeout;
    let (status, word, text) = match tokio::time::timeout(limit, call.herder().ping()).await {
        Ok(Ok(())) => {
            let text = "Worker has completed startup and is ready to handle requests.";
            return Ok(body(StatusCode::OK, "healthy", text.to_owned()));
        }
        Ok(Err(error)) => return Err(error.into()),
        Err(_) if call.herder().startup_complete() => {
            let text = "Worker was unable to handle this request and may be unable to handle other requests.";
            (StatusCode::INTERNAL_SERVER_ERROR, "unhealthy", text)
        }
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting",
            "Worker is still starting up.",
        ),
    };
    let message = match call.herder().stage() {
        Some(stage) => format!("{text} {}.", stage::sentence(&stage)),
        None => text.to_owned(),
    };
    Ok(body(status, word, message))
}

fn body(status: StatusCode, word: &str, message: String) -> Reply {
    Reply::json(&WorkerStatus {
        status: word.to_owned(),
        message,
    })
    .with_status(status)
}
