//! `GET /admin/loggers` (spec 5.24).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    Ok(Reply::json(&call.loggers().levels()))
}
