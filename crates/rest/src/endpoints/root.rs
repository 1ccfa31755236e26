//! `GET /` (spec 5.1). Always local; never waits.

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    Ok(Reply::json(&call.herder().server_info()))
}
