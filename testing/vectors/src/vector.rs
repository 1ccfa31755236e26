//! One vector, as it stands in a file.

use anyhow::{Context, Result};
use milena_config::Props;
use serde_json::{Map, Value as Json};

/// A vector: an input and either what comes out or how it fails.
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) area: String,
    pub(crate) config: Map<String, Json>,
    pub(crate) input: Map<String, Json>,
    pub(crate) expect: Option<Json>,
    pub(crate) error: Option<Map<String, Json>>,
}

impl Vector {
    /// Reads one line.
    pub(crate) fn parse(line: &str) -> Result<Self> {
        let mut object: Map<String, Json> = serde_json::from_str(line).context("not JSON")?;
        let text = |object: &Map<String, Json>, name: &str| {
            let text = object.get(name).and_then(Json::as_str).map(str::to_owned);
            text.with_context(|| format!("no {name}"))
        };
        let id = text(&object, "id")?;
        let area = text(&object, "area")?;
        let mut part = |name: &str| match object.remove(name) {
            Some(Json::Object(part)) => part,
            _ => Map::new(),
        };
        let config = part("config");
        let input = part("input");
        let error = match object.remove("error") {
            Some(Json::Object(error)) => Some(error),
            _ => None,
        };
        Ok(Self {
            id,
            area,
            config,
            input,
            expect: object.remove("expect"),
            error,
        })
    }

    /// The configuration as text, without the class.
    pub(crate) fn props(&self) -> Props {
        let mut props = Props::new();
        for (key, value) in &self.config {
            let text = match value {
                Json::Null => continue,
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            if key != "class" {
                props.insert(key.clone(), text);
            }
        }
        props
    }

    /// A text of the configuration.
    pub(crate) fn config_text(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Json::as_str)
    }

    /// A text of the input.
    pub(crate) fn input_text(&self, name: &str) -> Option<&str> {
        self.input.get(name).and_then(Json::as_str)
    }

    /// An integer of the input.
    pub(crate) fn input_integer(&self, name: &str) -> Option<i64> {
        self.input.get(name).and_then(Json::as_i64)
    }

    /// A member of the input; absent is JSON null.
    pub(crate) fn input(&self, name: &str) -> &Json {
        self.input.get(name).unwrap_or(&Json::Null)
    }

    /// A member of what is expected; absent is JSON null.
    pub(crate) fn expected(&self, name: &str) -> &Json {
        let expect = self.expect.as_ref().and_then(|expect| expect.get(name));
        expect.unwrap_or(&Json::Null)
    }
}
