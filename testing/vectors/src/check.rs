//! Comparing what came out with what was expected.

use milena_api::ConnectError;
use milena_data::{Schema, SchemaAndValue, Value};
use serde_json::{Map, Value as Json};

/// Where a plugin failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// While it was configured.
    Configure,
    /// While it worked.
    Apply,
}

/// Why a vector did not run to its end.
pub(crate) enum Fault {
    /// The plugin failed, which may be what is expected.
    Plugin(Phase, ConnectError),
    /// The vector or the runner is at fault.
    Broken(anyhow::Error),
}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<ConnectError> for Fault {
    fn from(error: ConnectError) -> Self {
        Self::Plugin(Phase::Apply, error)
    }
}

impl From<milena_data::DataError> for Fault {
    fn from(error: milena_data::DataError) -> Self {
        Self::Plugin(Phase::Apply, error.into())
    }
}

/// What running a vector comes to: nothing when it is as expected, else what came out instead.
pub(crate) type Outcome = Result<Option<String>, Fault>;

/// Equal, or the text of what came out.
pub(crate) fn same<T: PartialEq>(
    expected: &T,
    actual: &T,
    show: impl Fn(&T) -> String,
) -> Option<String> {
    (expected != actual).then(|| show(actual))
}

/// A value and its schema in one line.
pub(crate) fn show_pair(pair: &SchemaAndValue) -> String {
    format!(
        "{} under {}",
        show_value(&pair.value),
        pair.schema
            .as_ref()
            .map_or("no schema".to_owned(), show_schema)
    )
}

/// A value in one line, with its class.
pub(crate) fn show_value(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => format!("{} {other}", other.java_class()),
    }
}

/// A schema in one line.
pub(crate) fn show_schema(schema: &Schema) -> String {
    let mut text = schema.kind().lower_name().to_owned();
    if schema.is_optional() {
        text.push('?');
    }
    if let Some(name) = schema.name() {
        text.push_str(&format!(" name={name}"));
    }
    if let Some(version) = schema.version() {
        text.push_str(&format!(" version={version}"));
    }
    if let Some(doc) = schema.doc() {
        text.push_str(&format!(" doc={doc}"));
    }
    if let Some(parameters) = schema.parameters() {
        text.push_str(&format!(" parameters={parameters:?}"));
    }
    if let Some(default) = schema.default_value() {
        text.push_str(&format!(" default={}", show_value(default)));
    }
    for field in schema.fields().values() {
        text.push_str(&format!(
            " {}:({})",
            field.name(),
            show_schema(field.schema())
        ));
    }
    if let Some(keys) = schema.key_schema() {
        text.push_str(&format!(" keys=({})", show_schema(keys)));
    }
    if let Some(values) = schema.value_schema() {
        text.push_str(&format!(" values=({})", show_schema(values)));
    }
    text
}

/// The text of an error for a person.
pub(crate) fn show_error(phase: Phase, error: &ConnectError) -> String {
    format!(
        "{phase:?}: {}",
        error.trace().trim_end().replace('\n', " | ")
    )
}

/// Whether an error is the expected one: simple class name, and the text parts that are given.
pub(crate) fn error_matches(
    expected: &Map<String, Json>,
    phase: Phase,
    error: &ConnectError,
) -> bool {
    let text = |name: &str| expected.get(name).and_then(Json::as_str);
    let message = error.message.as_deref().unwrap_or_default();
    let simple = error.class.rsplit(['.', '$']).next().unwrap_or_default();
    let cause = error
        .cause
        .as_deref()
        .and_then(|cause| cause.message.as_deref());
    let phase_name = match phase {
        Phase::Configure => "configure",
        Phase::Apply => "apply",
    };
    text("class").is_none_or(|class| class.rsplit(['.', '$']).next() == Some(simple))
        && text("message").is_none_or(|wanted| wanted == message || reworded(wanted) == message)
        && text("message_contains").is_none_or(|wanted| message.contains(wanted))
        && text("cause_message").is_none_or(|wanted| Some(wanted) == cause)
        && text("stage").is_none_or(|wanted| wanted == phase_name)
}

/// Whether two JSON values are equal; members may come in any order, numbers by their value.
pub(crate) fn json_equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(k, v)| b.get(k).is_some_and(|other| json_equal(v, other)))
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| json_equal(a, b))
        }
        (Json::Number(a), Json::Number(b)) => {
            a.to_string() == b.to_string() || (a.as_f64().is_some() && a.as_f64() == b.as_f64())
        }
        _ => a == b,
    }
}

/// Texts of the tree that the vectors were taken from which the released 4.3 words in another way.
fn reworded(wanted: &str) -> String {
    wanted
        .strip_prefix("Invalid value [] for configuration ")
        .and_then(|rest| rest.strip_suffix(": Empty list"))
        .map_or_else(String::new, |key| {
            format!(
                "Configuration '{key}' must not be empty. Valid values include: any non-empty value"
            )
        })
}
