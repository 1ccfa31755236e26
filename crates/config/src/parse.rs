//! From text to a typed value, as `ConfigDef.parseType` does (spec 12.1).

use crate::{ConfigError, ConfigType, ConfigValue, Secret};

/// Java's `String.trim`: everything up to U+0020 at both ends, and nothing else.
#[must_use]
pub fn java_trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// Parses a text by type; messages name the key and the text as it was given.
///
/// # Errors
/// The text is not of the type.
pub fn parse_value(name: &str, kind: ConfigType, given: &str) -> Result<ConfigValue, ConfigError> {
    let text = java_trim(given);
    let number = || {
        let reason = format!("Not a number of type {}", kind.name());
        ConfigError::invalid(name, given, &reason)
    };
    Ok(match kind {
        ConfigType::Boolean if text.eq_ignore_ascii_case("true") => ConfigValue::Boolean(true),
        ConfigType::Boolean if text.eq_ignore_ascii_case("false") => ConfigValue::Boolean(false),
        ConfigType::Boolean => {
            let reason = "Expected value to be either true or false";
            return Err(ConfigError::invalid(name, given, reason));
        }
        ConfigType::String => ConfigValue::String(text.to_owned()),
        ConfigType::Int => ConfigValue::Int(text.parse().map_err(|_| number())?),
        ConfigType::Short => ConfigValue::Short(text.parse().map_err(|_| number())?),
        ConfigType::Long => ConfigValue::Long(text.parse().map_err(|_| number())?),
        ConfigType::Double => ConfigValue::Double(parse_double(text).ok_or_else(number)?),
        ConfigType::List if text.is_empty() => ConfigValue::List(Vec::new()),
        ConfigType::List => {
            let items = text.split(',').map(|item| item.trim_matches(is_space));
            ConfigValue::List(items.map(ToOwned::to_owned).collect())
        }
        ConfigType::Class => ConfigValue::Class(text.to_owned()),
        ConfigType::Password => ConfigValue::Password(Secret::new(text.to_owned())),
    })
}

// `\s` of a Java regular expression.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

// Java takes a suffix `d` or `f`, and spells the special values in one way only.
fn parse_double(text: &str) -> Option<f64> {
    let bare = text.strip_prefix(['+', '-']).unwrap_or(text);
    match bare {
        "NaN" => return Some(f64::NAN),
        "Infinity" if text.starts_with('-') => return Some(f64::NEG_INFINITY),
        "Infinity" => return Some(f64::INFINITY),
        _ => {}
    }
    if !bare.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.strip_suffix(['d', 'D', 'f', 'F'])
        .unwrap_or(text)
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::parse_value;
    use crate::ConfigType;

    #[test]
    fn texts_are_trimmed_and_errors_name_what_was_given() {
        let parsed = |kind, text| parse_value("k", kind, text).unwrap().to_text().unwrap();
        assert_eq!(parsed(ConfigType::Int, " +7 "), "7");
        assert_eq!(parsed(ConfigType::List, "a , ,b,"), "a,,b,");
        assert_eq!(parsed(ConfigType::Double, "1e10d"), "1.0E10");
        assert_eq!(parsed(ConfigType::Password, "x"), "[hidden]");
        assert_eq!(
            parse_value("k", ConfigType::Long, " x ")
                .unwrap_err()
                .message,
            "Invalid value  x  for configuration k: Not a number of type LONG"
        );
        assert!(parse_value("k", ConfigType::Double, "inf").is_err());
    }
}
