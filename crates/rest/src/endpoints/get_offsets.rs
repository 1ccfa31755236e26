//! `GET /connectors/{c}/offsets` (KIP-875, spec 5.19).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let offsets = call.herder_says(call.herder().offsets(call.name())).await?;
    Ok(Reply::json(&offsets))
}
