//! `GET /connectors/{c}/tasks`: raw task configurations (spec 5.10).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let tasks = call.herder_says(call.herder().tasks(call.name())).await?;
    Ok(Reply::json(&tasks))
}
