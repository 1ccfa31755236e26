//! `GET /connectors/{c}/status` (spec 5.9).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let status = call
        .herder_says(call.herder().connector_status(call.name()))
        .await?;
    Ok(Reply::json(&status))
}
