//! `POST /connectors` (spec 5.4, KIP-980).

use http::{StatusCode, header};
use milena_config::java_trim;
use milena_rest_model::{InitialState, RawProps};
use serde_json::Value;

use crate::{
    call::{Answer, Call},
    error::RestError,
    forward::{self, Forward, Served},
    json_body::{self, CREATE_REQUEST},
    reply::Reply,
};

struct CreateRequest {
    name: String,
    config: RawProps,
    initial_state: Option<InitialState>,
}

pub(crate) async fn handle(call: Call) -> Answer {
    let CreateRequest {
        name,
        mut config,
        initial_state,
    } = parse(&call.body)?;
    let name = java_trim(&name).to_owned();
    super::name_of(&name, &mut config)?;
    let answer = call
        .herder_says(call.herder().create(&name, config.clone(), initial_state))
        .await;
    let served = forward::serve(&call, answer, || {
        let state = initial_state.map(InitialState::as_str);
        let body = serde_json::json!({ "name": name, "config": config, "initial_state": state });
        Ok(Forward::to("/connectors".to_owned()).with_body(&body))
    });
    match served.await? {
        Served::Here(info) => call.created(&name, &info),
        Served::There(remote) => {
            let location = call.location_of(&name)?;
            Ok(Reply::json_bytes(StatusCode::CREATED, remote.body)
                .with_header(header::LOCATION, &location))
        }
    }
}

fn parse(body: &[u8]) -> Result<CreateRequest, RestError> {
    let Some((name, config, initial_state)) = json_body::parse(body, CREATE_REQUEST, bind)? else {
        return Err(json_body::missing(
            &format!("{CREATE_REQUEST}.name()"),
            "createRequest",
        ));
    };
    let Some(config) = config else {
        return Err(json_body::missing(
            "java.util.Map.get(Object)",
            "connectorConfig",
        ));
    };
    Ok(CreateRequest {
        name: name.unwrap_or_default(),
        config,
        initial_state,
    })
}

type Fields = (Option<String>, Option<RawProps>, Option<InitialState>);

fn bind(value: &Value, whole: bool) -> Result<Fields, RestError> {
    let Value::Object(fields) = value else {
        return Err(json_body::mismatch(CREATE_REQUEST, value, ""));
    };
    let (mut name, mut config, mut initial_state) = (None, None, None);
    let mut unknown = None;
    for (field, value) in fields {
        let at = format!("{CREATE_REQUEST}[\"{field}\"]");
        match field.as_str() {
            "name" => name = json_body::text(value, &at)?,
            "config" if value.is_null() => config = None,
            "config" => config = Some(json_body::string_map(value, &at)?),
            "initial_state" => initial_state = state(value, &at)?,
            other => unknown = unknown.or(Some(other)),
        }
    }
    // Java looks at them when the object has ended.
    if let Some(unknown) = unknown.filter(|_| whole) {
        let known = "3 known properties: \"config\", \"name\", \"initial_state\"";
        return Err(json_body::unknown_field(CREATE_REQUEST, unknown, known, ""));
    }
    Ok((name, config, initial_state))
}

fn state(value: &Value, at: &str) -> Result<Option<InitialState>, RestError> {
    let class = format!("{CREATE_REQUEST}$InitialState");
    let text = match value {
        Value::Null => return Ok(None),
        Value::Array(_) => {
            return Err(json_body::chained(
                &format!(
                    "Input mismatch reading Enum `{class}`: properties-based `@JsonCreator` ([method \
                     {class}#forValue(java.lang.String)]) expects String Value, got Array value (`JsonToken.START_ARRAY`)"
                ),
                at,
            ));
        }
        Value::Object(_) => return Err(json_body::mismatch(&class, value, at)),
        Value::String(text) => text.clone(),
        scalar => scalar.to_string(),
    };
    InitialState::parse(&text).map(Some).ok_or_else(|| {
        let upper = text.to_uppercase();
        json_body::chained(
            &format!(
                "Cannot construct instance of `{class}`, problem: No enum constant {CREATE_REQUEST}.InitialState.{upper}"
            ),
            at,
        )
    })
}
