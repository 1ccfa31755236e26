//! `PUT /connectors/{c}/pause`: pauses a connector; from any worker (spec 5.15).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    call.herder_says(call.herder().pause(call.name())).await?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
