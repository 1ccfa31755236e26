//! `PATCH /connectors/{c}/offsets` (KIP-875, spec 5.20).

use http::StatusCode;
use milena_rest_model::{ConnectorOffset, ConnectorOffsets};
use serde_json::Value;

use crate::{
    call::{Answer, Call},
    error::RestError,
    forward::{self, Forward, Served},
    json_body, location,
    reply::Reply,
};

const OFFSETS: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets";
const OFFSET: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";

pub(crate) async fn handle(call: Call) -> Answer {
    let name = call.name();
    let Some(offsets) = parse(&call.body)?.filter(|offsets| !offsets.offsets.is_empty()) else {
        return Err(RestError::bad_request(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    };
    let answer = call
        .herder_says(call.herder().alter_offsets(name, offsets.clone()))
        .await;
    let served = forward::serve(&call, answer, || {
        Ok(
            Forward::to(format!("/connectors/{}/offsets", location::encoded(name)?))
                .with_body(&offsets),
        )
    });
    match served.await? {
        Served::Here(message) => Ok(Reply::json(&message)),
        Served::There(remote) => Ok(Reply::json_bytes(StatusCode::OK, remote.body)),
    }
}

fn parse(body: &[u8]) -> Result<Option<ConnectorOffsets>, RestError> {
    let bound = json_body::parse(body, OFFSETS, bind)?;
    bound.ok_or_else(|| json_body::missing(&format!("{OFFSETS}.offsets()"), "offsets"))
}

fn bind(value: &Value, whole: bool) -> Result<Option<ConnectorOffsets>, RestError> {
    let Value::Object(fields) = value else {
        return Err(json_body::mismatch(OFFSETS, value, ""));
    };
    let mut offsets = None;
    for (field, value) in fields {
        if field != "offsets" && !whole {
            continue;
        }
        if field != "offsets" {
            return Err(json_body::unknown_field(
                OFFSETS,
                field,
                "one known property: \"offsets\"",
                "",
            ));
        }
        let at = format!("{OFFSETS}[\"offsets\"]");
        offsets = match value {
            Value::Null => None,
            Value::Array(items) => {
                let entries = items.iter().enumerate().map(|(index, item)| {
                    entry(item, &format!("{at}->java.util.ArrayList[{index}]"))
                });
                Some(entries.collect::<Result<Vec<_>, _>>()?)
            }
            other => {
                let class = format!("java.util.ArrayList<{OFFSET}>");
                return Err(json_body::mismatch_of_list(&class, other, &at));
            }
        };
    }
    Ok(offsets.map(|offsets| ConnectorOffsets { offsets }))
}

fn entry(value: &Value, at: &str) -> Result<ConnectorOffset, RestError> {
    let fields = match value {
        Value::Object(fields) => fields,
        Value::Null => {
            return Err(json_body::missing(
                &format!("{OFFSET}.partition()"),
                "offset",
            ));
        }
        other => return Err(json_body::mismatch(OFFSET, other, at)),
    };
    let mut entry = ConnectorOffset {
        partition: None,
        offset: None,
    };
    for (field, value) in fields {
        let place = match field.as_str() {
            "partition" => &mut entry.partition,
            "offset" => &mut entry.offset,
            other => {
                let known = "2 known properties: \"partition\", \"offset\"";
                return Err(json_body::unknown_field(
                    OFFSET,
                    other,
                    known,
                    &format!("{at}->"),
                ));
            }
        };
        *place = match value {
            Value::Null => None,
            Value::Object(map) => Some(map.clone()),
            other => {
                let class = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>";
                return Err(json_body::mismatch(
                    class,
                    other,
                    &format!("{at}->{OFFSET}[\"{field}\"]"),
                ));
            }
        };
    }
    Ok(entry)
}
