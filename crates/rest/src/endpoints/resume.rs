//! `PUT /connectors/{c}/resume`: resumes a connector, also from STOPPED; from any worker (spec 5.15).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    call.herder_says(call.herder().resume(call.name())).await?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
