//! `POST /connectors/{c}/restart`, plain or with a plan (KIP-745, spec 5.13).

use http::StatusCode;
use milena_rest_model::RestartPlan;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward, Served},
    location,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    let include_tasks = call.query.boolean("includeTasks").unwrap_or(false);
    let only_failed = call.query.boolean("onlyFailed").unwrap_or(false);
    let path = || {
        Ok::<_, crate::error::RestError>(format!(
            "/connectors/{}/restart",
            location::encoded(name)?
        ))
    };
    if !include_tasks && !only_failed {
        let answer = call
            .herder_says(call.herder().restart_connector(name))
            .await;
        forward::serve(&call, answer, || Ok(Forward::to(path()?))).await?;
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    let plan = RestartPlan {
        include_tasks,
        only_failed,
    };
    let answer = call
        .herder_says(call.herder().restart_with_plan(name, plan))
        .await;
    let query = match (include_tasks, only_failed) {
        (true, true) => "includeTasks=true&onlyFailed=true",
        (true, false) => "includeTasks=true&onlyFailed=false",
        (false, _) => "includeTasks=false&onlyFailed=true",
    };
    match forward::serve(&call, answer, || Ok(Forward::to(path()?).with_query(query))).await? {
        Served::Here(status) => Ok(Reply::json(&status).with_status(StatusCode::ACCEPTED)),
        Served::There(remote) => Ok(Reply::json_bytes(StatusCode::ACCEPTED, remote.body)),
    }
}
