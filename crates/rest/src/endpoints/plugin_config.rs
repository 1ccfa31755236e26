//! `GET /connector-plugins/{p}/config` (KIP-769, spec 5.22).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    Ok(Reply::json(
        &call
            .plugins()
            .plugin_config(call.name(), call.query.first("version"))?,
    ))
}
