//! Request bodies: JSON to typed values, with the 500s that Java's mapper answers (spec 2.2). Clients match these
//! by substring; the position behind a text is exact for syntax errors only.

use milena_rest_model::RawProps;
use serde_json::Value;

use crate::{
    error::RestError,
    json_text::{self, Behind, Read},
};

/// What maps are bound as.
pub(crate) const MAP: &str = "java.util.Map";
/// The class behind a create request, as it stands in messages.
pub(crate) const CREATE_REQUEST: &str =
    "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";

/// Parses a body and takes from it what `bind` takes; `None`: it is empty, blank or `null`. `bound` is the class that
/// Java makes of it.
///
/// As Jackson does, `bind` sees what stands before a fault in the text, and what it finds wrong there is said first;
/// it is told whether the value is whole.
pub(crate) fn parse<T>(
    body: &[u8],
    bound: &str,
    bind: impl FnOnce(&Value, bool) -> Result<T, RestError>,
) -> Result<Option<T>, RestError> {
    let (value, behind) = match json_text::read(body) {
        Read::Blank => return Ok(None),
        Read::Cut(value, fault) => {
            if let Some(value) = value {
                bind(&value, false)?;
            }
            return Err(fault);
        }
        Read::Whole(value, behind) => (value, behind),
    };
    let taken = match value {
        Value::Null => None,
        value => Some(bind(&value, true)?),
    };
    match behind {
        None => Ok(taken),
        Some(Behind::Fault(fault)) => Err(fault),
        Some(Behind::Token(token, place)) => Err(place.says(&format!(
            "Trailing token (of type {token}) found after value (bound as `{bound}`): not allowed as per \
             `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`"
        ))),
    }
}

fn token(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "Array value (token `JsonToken.START_ARRAY`)",
        Value::Object(_) => "Object value (token `JsonToken.START_OBJECT`)",
        Value::Bool(true) => "Boolean value (token `JsonToken.VALUE_TRUE`)",
        Value::Bool(false) => "Boolean value (token `JsonToken.VALUE_FALSE`)",
        Value::Number(n) if n.is_f64() => {
            "Floating-point value (token `JsonToken.VALUE_NUMBER_FLOAT`)"
        }
        Value::Number(_) => "Integer value (token `JsonToken.VALUE_NUMBER_INT`)",
        Value::Null | Value::String(_) => "String value (token `JsonToken.VALUE_STRING`)",
    }
}

/// The 500 of a value of the wrong shape; `at` is the chain of names that leads to it.
pub(crate) fn mismatch(class: &str, value: &Value, at: &str) -> RestError {
    let text = match value {
        Value::String(text) => {
            let class = class.split('<').next().unwrap_or_default();
            format!(
                "Cannot construct instance of `{class}` (although at least one Creator exists): no String-argument \
                 constructor/factory method to deserialize from String value ('{text}')"
            )
        }
        // Classes of Connect itself could have a constructor for a scalar; maps and lists could not.
        Value::Number(_) | Value::Bool(_) if class.starts_with("org.") => {
            let (kind, boxed, called) = match value {
                Value::Bool(_) => ("boolean", "Boolean", "Boolean"),
                Value::Number(n) if n.is_f64() => ("double", "Double", "Number"),
                _ => ("int", "Int", "Number"),
            };
            format!(
                "Cannot construct instance of `{class}` (although at least one Creator exists): no {kind}/{boxed}-argument \
                 constructor/factory method to deserialize from {called} value ({value})"
            )
        }
        other => format!(
            "Cannot deserialize value of type `{class}` from {}",
            token(other)
        ),
    };
    chained(&text, at)
}

/// As [`mismatch`], for lists, which texts are not tried on.
pub(crate) fn mismatch_of_list(class: &str, value: &Value, at: &str) -> RestError {
    let text = format!(
        "Cannot deserialize value of type `{class}` from {}",
        token(value)
    );
    chained(&text, at)
}

/// A text with the location suffix and the chain of names.
pub(crate) fn chained(text: &str, at: &str) -> RestError {
    let chain = if at.is_empty() {
        String::new()
    } else {
        format!(" (through reference chain: {at})")
    };
    RestError::failed(format!(
        "{text}\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1]{chain}"
    ))
}

/// Text of a scalar; numbers and booleans are coerced.
pub(crate) fn text(value: &Value, at: &str) -> Result<Option<String>, RestError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(value) => Ok(Some(value.to_string())),
        Value::Array(_) | Value::Object(_) => Err(mismatch("java.lang.String", value, at)),
    }
}

/// A map of texts.
pub(crate) fn string_map(value: &Value, at: &str) -> Result<RawProps, RestError> {
    let Value::Object(entries) = value else {
        return Err(mismatch(
            "java.util.LinkedHashMap<java.lang.String,java.lang.String>",
            value,
            at,
        ));
    };
    let step = if at.is_empty() {
        String::new()
    } else {
        format!("{at}->")
    };
    entries
        .iter()
        .map(|(name, value)| {
            let at = format!("{step}java.util.LinkedHashMap[\"{name}\"]");
            Ok((name.clone(), text(value, &at)?))
        })
        .collect()
}

/// A body that is a map of texts; `parameter` is what Java calls it when it is missing.
pub(crate) fn required_map(body: &[u8], parameter: &str) -> Result<RawProps, RestError> {
    parse(body, MAP, |value, _| string_map(value, ""))?
        .ok_or_else(|| missing("java.util.Map.get(Object)", parameter))
}

/// The 500 of a missing body: Java's complaint about a null parameter.
pub(crate) fn missing(method: &str, parameter: &str) -> RestError {
    RestError::failed(format!(
        "Cannot invoke \"{method}\" because \"{parameter}\" is null"
    ))
}

/// The 500 of a field that nobody knows.
pub(crate) fn unknown_field(class: &str, field: &str, known: &str, at: &str) -> RestError {
    chained(
        &format!(
            "Unrecognized field \"{field}\" (class {class}), not marked as ignorable ({known})"
        ),
        &format!("{at}{class}[\"{field}\"]"),
    )
}

#[cfg(test)]
mod tests {
    use super::{MAP, parse, required_map};
    use crate::error::RestError;

    fn said(body: &str) -> String {
        match required_map(body.as_bytes(), "connectorConfig") {
            Err(RestError::Connect {
                status: 500,
                message: Some(message),
            }) => message,
            other => panic!("{other:?}"),
        }
    }

    // Recorded from the Java worker 4.3.1.
    #[test]
    fn malformed_bodies_are_refused_in_javas_words() {
        let tail = |column| {
            format!(
                "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: {column}]"
            )
        };
        for (body, text, column) in [
            (
                r#"{"a""#,
                "Unexpected end-of-input within/between Object entries",
                5,
            ),
            (
                "{a:1}",
                "Unexpected character ('a' (code 97)): was expecting double-quote to start field name",
                2,
            ),
            (
                r#"{"a":1,}"#,
                "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
                8,
            ),
            (
                r#"{"a":x}"#,
                "Unrecognized token 'x': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                6,
            ),
            (
                r#"{"a":1} trailing"#,
                "Unrecognized token 'trailing': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
                9,
            ),
            (
                r#"{"a":NaN}"#,
                "Non-standard token 'NaN': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow",
                9,
            ),
        ] {
            assert_eq!(said(body), format!("{text}{}", tail(column)), "{body}");
        }
        assert_eq!(
            said(""),
            "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null"
        );
        assert!(
            said(r#"{"a":[1]}"#).starts_with(
                "Cannot deserialize value of type `java.lang.String` from Array value"
            )
        );
        assert!(
            said("\"y\"")
                .starts_with("Cannot construct instance of `java.util.LinkedHashMap` (although")
        );
    }

    #[test]
    fn scalars_are_coerced_and_the_last_of_a_key_wins() {
        let map = required_map(br#"{"a":1.50,"b":true,"c":null,"a":7}"#, "x").unwrap();
        assert_eq!(
            (map["a"].as_deref(), map["b"].as_deref(), &map["c"]),
            (Some("7"), Some("true"), &None)
        );
        let null = parse(b"\xef\xbb\xbf null ", MAP, |_, _| Ok(()));
        assert!(null.unwrap().is_none());
    }
}
