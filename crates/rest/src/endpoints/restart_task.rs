//! `POST /connectors/{c}/tasks/{t}/restart` (spec 5.14).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward},
    location,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let (name, task) = (call.name(), call.task()?);
    let answer = call
        .herder_says(call.herder().restart_task(name, task))
        .await;
    forward::serve(&call, answer, || {
        Ok(Forward::to(format!(
            "/connectors/{}/tasks/{task}/restart",
            location::encoded(name)?
        )))
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
