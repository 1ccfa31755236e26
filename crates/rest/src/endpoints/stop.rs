//! `PUT /connectors/{c}/stop`: the tasks go away (KIP-875, spec 5.16).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward},
    location,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    let answer = call.herder_says(call.herder().stop(name)).await;
    forward::serve(&call, answer, || {
        Ok(Forward::to(format!(
            "/connectors/{}/stop",
            location::encoded(name)?
        )))
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
