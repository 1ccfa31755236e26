//! `GET /connector-plugins` (spec 5.21).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let connectors_only = call.query.boolean("connectorsOnly").unwrap_or(true);
    Ok(Reply::json(&call.plugins().plugins(connectors_only)))
}
