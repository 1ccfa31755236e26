//! `GET /connectors/{c}/tasks/{t}/status` (spec 5.12).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let task = call.task()?;
    let status = call
        .herder_says(call.herder().task_status(call.name(), task))
        .await?;
    Ok(Reply::json(&status))
}
