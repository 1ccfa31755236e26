//! `PUT /connectors/{c}/fence`: another worker asks for zombies to be fenced (internal, KIP-618, spec 6).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward},
    location,
    reply::Reply,
    signature,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    signature::check(&call).await?;
    let answer = call.herder_says(call.herder().fence_zombies(name)).await;
    forward::serve(&call, answer, || {
        Ok(Forward::to(format!(
            "/connectors/{}/fence",
            location::encoded(name)?
        )))
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
