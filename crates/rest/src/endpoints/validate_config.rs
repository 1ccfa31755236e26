//! `PUT /connector-plugins/{p}/config/validate`: always local, nothing stored (spec 5.23).

use milena_rest_model::HerderError;

use crate::{
    call::{Answer, Call},
    error::RestError,
    json_body,
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let config = json_body::required_map(&call.body, "connectorConfig")?;
    let plugin = call.name();
    if let Some(Some(class)) = config.get("connector.class")
        && !bare(class).ends_with(bare(plugin))
    {
        return Err(RestError::bad_request(format!(
            "Included connector type {class} does not match request type {plugin}"
        )));
    }
    match tokio::time::timeout(call.limit(), call.plugins().validate(&config)).await {
        Ok(Ok(infos)) => Ok(Reply::json(&infos)),
        // A failure, as opposed to an error of the configuration, arrives wrapped by Java's future.
        Ok(Err(HerderError::BadRequest(text))) => Err(RestError::failed(format!(
            "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: {text}"
        ))),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(RestError::failed(call.timed_out(""))),
    }
}

/// The name without one trailing `Connector`, if something remains.
fn bare(name: &str) -> &str {
    name.strip_suffix("Connector")
        .filter(|bare| !bare.is_empty())
        .unwrap_or(name)
}
