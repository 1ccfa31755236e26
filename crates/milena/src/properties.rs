//! The files that people already have: worker and connector properties, connector JSON.

use std::{fs, path::Path};

use milena_config::{Charset, Props, parse_properties, read_properties};
use serde_json::Value;

use crate::exit::Exit;

/// A worker's property file.
pub(crate) fn worker(path: &Path) -> Result<Props, Exit> {
    read_properties(path).map_err(Exit::cannot_start)
}

/// A connector file of standalone mode: JSON in either form that Kafka Connect takes, or properties.
pub(crate) fn connector(path: &Path) -> Result<Props, Exit> {
    let unusable =
        |what: String| Exit::ConnectorFile(format!("connector file {}: {what}", path.display()));
    let bytes = fs::read(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    if let Ok(json) = serde_json::from_slice::<Value>(&bytes) {
        return from_json(&json, None).map_err(unusable);
    }
    read_properties(path).map_err(|error| Exit::ConnectorFile(error.to_string()))
}

/// The content of a connector file and its `initial_state`; a name that is given stands in for a missing one.
pub(crate) fn connector_of(
    bytes: &[u8],
    name: Option<&str>,
) -> Result<(Props, Option<String>), String> {
    if let Ok(json) = serde_json::from_slice::<Value>(bytes) {
        let state = json
            .get("initial_state")
            .filter(|_| json.get("config").is_some());
        let state = state.and_then(Value::as_str).map(str::to_owned);
        return Ok((from_json(&json, name)?, state));
    }
    if bytes.trim_ascii_start().starts_with(b"{") {
        let error = serde_json::from_slice::<Value>(bytes).err();
        return Err(format!(
            "is no JSON: {}",
            error.map(|e| e.to_string()).unwrap_or_default()
        ));
    }
    let mut props = parse_properties(bytes, Charset::Latin1).map_err(|error| error.to_string())?;
    if let Some(name) = name {
        props
            .entry("name".to_owned())
            .or_insert_with(|| name.to_owned());
    }
    match props.contains_key("name") {
        true => Ok((props, None)),
        false => Err("has no \"name\"".to_owned()),
    }
}

/// `{"name": …, "config": {…}}` or the configuration itself.
fn from_json(json: &Value, default_name: Option<&str>) -> Result<Props, String> {
    let Value::Object(object) = json else {
        return Err("is JSON but no object".to_owned());
    };
    let (name, config) = match (object.get("name"), object.get("config")) {
        (name, Some(Value::Object(config))) => (name, config),
        _ => (None, object),
    };
    let mut props = Props::new();
    for (key, value) in config {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(format!("the value of {key:?} is no text")),
        };
        props.insert(key.clone(), text);
    }
    if let Some(Value::String(name)) = name {
        match props.get("name") {
            Some(inner) if inner != name => {
                return Err(format!("is named {name:?} but its config says {inner:?}"));
            }
            _ => {
                props.insert("name".to_owned(), name.clone());
            }
        }
    }
    if let Some(name) = default_name {
        props
            .entry("name".to_owned())
            .or_insert_with(|| name.to_owned());
    }
    if !props.contains_key("name") {
        return Err("has no \"name\"".to_owned());
    }
    Ok(props)
}

#[cfg(test)]
mod tests {
    use super::from_json;

    #[test]
    fn both_forms_of_json_are_understood() {
        let flat = serde_json::json!({"name": "a", "tasks.max": 1});
        assert_eq!(from_json(&flat, None).unwrap()["tasks.max"], "1");
        let nested = serde_json::json!({"name": "a", "config": {"file": "x"}});
        assert_eq!(from_json(&nested, None).unwrap()["name"], "a");
        let wrong = serde_json::json!({"name": "a", "config": {"name": "b"}});
        assert!(from_json(&wrong, None).is_err());
        assert!(from_json(&serde_json::json!({"file": "x"}), None).is_err());
    }
}
