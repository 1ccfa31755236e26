//! `PUT /connectors/{c}/topics/reset` (KIP-558, spec 5.18).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    call.herder_says(call.herder().reset_topics(call.name()))
        .await?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
