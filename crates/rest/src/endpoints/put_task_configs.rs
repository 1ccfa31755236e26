//! `POST /connectors/{c}/tasks`: another worker hands in task configurations (internal, spec 6).

use http::StatusCode;
use milena_rest_model::RawProps;
use serde_json::Value;

use crate::{
    call::{Answer, Call},
    error::RestError,
    forward::{self, Forward},
    json_body,
    json_text::{self, Read},
    location,
    reply::Reply,
    signature,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    // The body is parsed before the signature is checked, as in Java.
    let configs = parse(&call.body)?;
    signature::check(&call).await?;
    let answer = call
        .herder_says(call.herder().put_task_configs(name, configs.clone()))
        .await;
    forward::serve(&call, answer, || {
        Ok(
            Forward::to(format!("/connectors/{}/tasks", location::encoded(name)?))
                .with_body(&configs),
        )
    })
    .await?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn parse(body: &[u8]) -> Result<Vec<RawProps>, RestError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(RestError::failed(
            "No content to map due to end-of-input\n at [Source: REDACTED \
             (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1]",
        ));
    }
    // Whatever stands behind the list is not looked at.
    let value = match json_text::read(body) {
        Read::Cut(_, fault) => return Err(fault),
        Read::Blank | Read::Whole(Value::Null, _) => return Ok(Vec::new()),
        Read::Whole(value, _) => value,
    };
    let Value::Array(items) = value else {
        return Err(json_body::mismatch(
            "java.util.ArrayList<java.util.Map<java.lang.String,java.lang.String>>",
            &value,
            "",
        ));
    };
    let maps = items.iter().enumerate();
    maps.map(|(index, item)| json_body::string_map(item, &format!("java.util.ArrayList[{index}]")))
        .collect()
}
