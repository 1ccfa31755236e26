//! `PUT /connectors/{c}/config`: creates or replaces (spec 5.7).

use http::{StatusCode, header};
use milena_rest_model::PutOutcome;

use crate::{
    call::{Answer, Call},
    forward::{self, Forward, Served},
    json_body, location,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    let mut config = json_body::required_map(&call.body, "connectorConfig")?;
    super::name_of(name, &mut config)?;
    let answer = call
        .herder_says(call.herder().put_config(name, config.clone()))
        .await;
    let served = forward::serve(&call, answer, || {
        Ok(
            Forward::to(format!("/connectors/{}/config", location::encoded(name)?))
                .with_body(&config),
        )
    });
    match served.await? {
        Served::Here(PutOutcome {
            created: true,
            info,
        }) => call.created(name, &info),
        Served::Here(PutOutcome { info, .. }) => Ok(Reply::json(&info)),
        Served::There(remote) => {
            let reply = Reply::json_bytes(remote.status, remote.body);
            match remote.status {
                StatusCode::CREATED => {
                    Ok(reply.with_header(header::LOCATION, &call.location_of(name)?))
                }
                _ => Ok(reply),
            }
        }
    }
}
