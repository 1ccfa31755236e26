//! `DELETE /connectors/{c}/offsets` (KIP-875, spec 5.20).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward, Served},
    location,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    let answer = call.herder_says(call.herder().reset_offsets(name)).await;
    let served = forward::serve(&call, answer, || {
        Ok(Forward::to(format!(
            "/connectors/{}/offsets",
            location::encoded(name)?
        )))
    });
    match served.await? {
        Served::Here(message) => Ok(Reply::json(&message)),
        Served::There(remote) => Ok(Reply::json_bytes(StatusCode::OK, remote.body)),
    }
}
