//! `PATCH /connectors/{c}/config`: null removes a key (KIP-477, spec 5.8).

use http::StatusCode;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward, Served},
    json_body, location,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    let bind = |value: &_, _| json_body::string_map(value, "");
    let patch = match json_body::parse(&call.body, json_body::MAP, bind)? {
        Some(patch) => patch,
        // Java finds the connector first, then stumbles over the missing patch.
        None => {
            call.herder_says(call.herder().connector_info(name)).await?;
            return Err(json_body::missing(
                "java.util.Map.entrySet()",
                "configPatch",
            ));
        }
    };
    let answer = call
        .herder_says(call.herder().patch_config(name, patch.clone()))
        .await;
    let served = forward::serve(&call, answer, || {
        Ok(
            Forward::to(format!("/connectors/{}/config", location::encoded(name)?))
                .with_body(&patch),
        )
    });
    match served.await? {
        Served::Here(info) => Ok(Reply::json(&info)),
        Served::There(remote) => Ok(Reply::json_bytes(StatusCode::OK, remote.body)),
    }
}
