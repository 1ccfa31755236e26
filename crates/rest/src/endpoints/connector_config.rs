//! `GET /connectors/{c}/config`: the raw map, variables unresolved (spec 5.6).

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let info = call
        .herder_says(call.herder().connector_info(call.name()))
        .await?;
    Ok(Reply::json(&info.config))
}
