//! `GET /connectors`, plain or expanded (spec 5.3).

use milena_rest_model::HerderError;
use serde_json::{Map, Value};

use crate::{
    call::{Answer, Call},
    reply::Reply,
};

pub(crate) async fn handle(call: Call) -> Answer {
    let names = call.herder_says(call.herder().connectors()).await?;
    if call.query.first("expand").is_none() {
        return Ok(Reply::json(&names));
    }
    let wanted = |what: &str| call.query.all("expand").any(|one| one == what);
    let (status, info) = (wanted("status"), wanted("info"));
    let mut all = Map::new();
    'connectors: for name in names {
        let mut entry = Map::new();
        for expansion in call.query.all("expand") {
            match expansion {
                "status" if status => match call
                    .herder_says(call.herder().connector_status(&name))
                    .await
                {
                    Ok(found) => entry.insert("status".to_owned(), json(&found)),
                    // Without a status yet the connector is left out altogether.
                    Err(HerderError::NotFound(_)) => continue 'connectors,
                    Err(error) => return Err(error.into()),
                },
                "info" if info => match call.herder_says(call.herder().connector_info(&name)).await
                {
                    Ok(found) => entry.insert("info".to_owned(), json(&found)),
                    Err(HerderError::NotFound(_)) => entry.insert("info".to_owned(), Value::Null),
                    Err(error) => return Err(error.into()),
                },
                unknown => {
                    tracing::info!(expansion = unknown, "ignoring an unknown expansion");
                    None
                }
            };
        }
        all.insert(name, Value::Object(entry));
    }
    Ok(Reply::json(&all))
}

fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
