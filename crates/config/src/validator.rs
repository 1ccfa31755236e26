//! Checks of a parsed value, with Java's texts (spec `rest-and-config.md` 12.2, oracle "Validation").

use std::{fmt, sync::Arc};

use crate::{ConfigError, ConfigValue};

/// A check of a parsed value; answers Java's `ConfigDef.Validator`.
#[derive(Clone)]
pub struct Validator(Arc<Check>);

type Check = dyn Fn(&str, &ConfigValue) -> Result<(), ConfigError> + Send + Sync;

fn refuse(name: &str, value: &ConfigValue, reason: &str) -> Result<(), ConfigError> {
    Err(ConfigError::invalid(name, &value.to_message(), reason))
}

fn number_text(n: f64, whole: bool) -> String {
    if whole {
        format!("{n:.0}")
    } else {
        format!("{n:?}")
    }
}

impl Validator {
    /// A validator from a function of the key's name and the parsed value.
    pub fn new(
        check: impl Fn(&str, &ConfigValue) -> Result<(), ConfigError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(check))
    }

    /// Checks one value.
    ///
    /// # Errors
    /// The violated rule, with Java's text.
    pub fn check(&self, name: &str, value: &ConfigValue) -> Result<(), ConfigError> {
        (self.0)(name, value)
    }

    /// `Range`: a number within bounds.
    fn range(min: Option<f64>, max: Option<f64>, whole: bool) -> Self {
        Self::new(move |name, value| {
            let Some(n) = value.as_f64() else {
                return refuse(name, value, "Value must be non-null");
            };
            if let Some(min) = min.filter(|min| n < *min) {
                let text = format!("Value must be at least {}", number_text(min, whole));
                return refuse(name, value, &text);
            }
            if let Some(max) = max.filter(|max| n > *max) {
                let text = format!("Value must be no more than {}", number_text(max, whole));
                return refuse(name, value, &text);
            }
            Ok(())
        })
    }

    /// `Range.atLeast` of a whole number. Null is refused.
    #[must_use]
    pub fn at_least(min: i32) -> Self {
        Self::range(Some(min.into()), None, true)
    }

    /// `Range.between` of whole numbers, both included. Null is refused.
    #[must_use]
    pub fn between(min: i32, max: i32) -> Self {
        Self::range(Some(min.into()), Some(max.into()), true)
    }

    /// `Range.between` of doubles, both included. Null is refused.
    #[must_use]
    pub fn between_doubles(min: f64, max: f64) -> Self {
        Self::range(Some(min), Some(max), false)
    }

    /// `ValidString`: exactly one of the texts. Null is refused.
    #[must_use]
    pub fn one_of(texts: &[&str]) -> Self {
        let allowed: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Self::new(move |name, value| match value.as_str() {
            Some(text) if allowed.iter().any(|one| one == text) => Ok(()),
            _ => refuse(
                name,
                value,
                &format!("String must be one of: {}", allowed.join(", ")),
            ),
        })
    }

    /// `CaseInsensitiveValidString`: one of the texts in any letter case, printed in the given order, which
    /// is Java's hash order. Null is refused.
    #[must_use]
    pub fn one_of_ignoring_case(texts: &[&str]) -> Self {
        let allowed: Vec<String> = texts.iter().map(|text| text.to_uppercase()).collect();
        Self::new(move |name, value| match value.as_str() {
            Some(text) if allowed.contains(&text.to_uppercase()) => Ok(()),
            _ => refuse(
                name,
                value,
                &format!(
                    "String must be one of (case insensitive): {}",
                    allowed.join(", ")
                ),
            ),
        })
    }

    /// `ValidList.in`: every item one of the texts.
    #[must_use]
    pub fn list_of(texts: &[&str]) -> Self {
        let allowed: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let one = Self::one_of(texts);
        Self::new(move |name, value| {
            let ConfigValue::List(items) = value else {
                return Ok(());
            };
            for item in items.iter().filter(|item| !allowed.contains(item)) {
                one.check(name, &ConfigValue::String(item.clone()))?;
            }
            Ok(())
        })
    }

    /// `ValidList.anyNonDuplicateValues(emptyAllowed, nullAllowed)`.
    #[must_use]
    pub fn list_without_duplicates(empty_allowed: bool, null_allowed: bool) -> Self {
        Self::new(move |name, value| {
            let refused =
                |text: &str| Err(ConfigError::new(format!("Configuration '{name}' {text}")));
            let items = match value {
                ConfigValue::List(items) => items,
                _ if null_allowed => return Ok(()),
                _ => return refused("values must not be null."),
            };
            if items.is_empty() && !empty_allowed {
                return refused("must not be empty. Valid values include: any non-empty value");
            }
            let mut seen = std::collections::BTreeSet::new();
            for item in items {
                if item.is_empty() {
                    return refused("values must not be empty.");
                }
                if !seen.insert(item) {
                    return refused("values must not be duplicated.");
                }
            }
            Ok(())
        })
    }

    /// `NonEmptyString`: null is fine.
    #[must_use]
    pub fn non_empty() -> Self {
        Self::new(|name, value| match value.as_str() {
            Some("") => refuse(name, value, "String must be non-empty"),
            _ => Ok(()),
        })
    }

    /// `NonEmptyStringWithoutControlChars`: null is fine.
    #[must_use]
    pub fn non_empty_without_control_characters() -> Self {
        Self::new(|name, value| {
            let Some(text) = value.as_str() else {
                return Ok(());
            };
            if text.is_empty() {
                return refuse(name, value, "String may not be empty");
            }
            let found: Vec<String> = text
                .chars()
                .filter(|c| c.is_control())
                .map(|c| u32::from(c).to_string())
                .collect();
            if found.is_empty() {
                return Ok(());
            }
            let text = format!(
                "String may not contain control sequences but had the following ASCII chars: {}",
                found.join(", ")
            );
            refuse(name, value, &text)
        })
    }

    /// `NonNullValidator`.
    #[must_use]
    pub fn non_null() -> Self {
        Self::new(|name, value| match value {
            ConfigValue::Null => refuse(name, value, "entry must be non null"),
            _ => Ok(()),
        })
    }

    /// Null, or what the other validator accepts.
    #[must_use]
    pub fn or_null(self) -> Self {
        Self::new(move |name, value| match value {
            ConfigValue::Null => Ok(()),
            _ => self.check(name, value),
        })
    }

    /// All of the validators, in order (`CompositeValidator`).
    #[must_use]
    pub fn all(validators: Vec<Validator>) -> Self {
        Self::new(move |name, value| validators.iter().try_for_each(|one| one.check(name, value)))
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validator")
    }
}

#[cfg(test)]
mod tests {
    use super::Validator;
    use crate::ConfigValue;

    fn said(validator: &Validator, value: &ConfigValue) -> String {
        validator.check("k", value).unwrap_err().message
    }

    #[test]
    fn every_validator_speaks_javas_words() {
        let text = |text: &str| ConfigValue::String(text.into());
        assert_eq!(
            said(&Validator::at_least(1), &ConfigValue::Int(0)),
            "Invalid value 0 for configuration k: Value must be at least 1"
        );
        assert_eq!(
            said(&Validator::at_least(1), &ConfigValue::Null),
            "Invalid value null for configuration k: Value must be non-null"
        );
        assert_eq!(
            said(
                &Validator::between_doubles(0.5, 1.0),
                &ConfigValue::Double(1.5)
            ),
            "Invalid value 1.5 for configuration k: Value must be no more than 1.0"
        );
        assert_eq!(
            said(&Validator::one_of(&["none", "all"]), &text("x")),
            "Invalid value x for configuration k: String must be one of: none, all"
        );
        assert_eq!(
            said(
                &Validator::one_of_ignoring_case(&["REQUIRED", "requested"]),
                &text("x")
            ),
            "Invalid value x for configuration k: String must be one of (case insensitive): REQUIRED, REQUESTED"
        );
        assert_eq!(
            said(
                &Validator::non_empty_without_control_characters(),
                &text("a\nb\r")
            ),
            "Invalid value a\nb\r for configuration k: String may not contain control sequences but had the \
             following ASCII chars: 10, 13"
        );
        assert_eq!(
            said(
                &Validator::list_without_duplicates(true, false),
                &ConfigValue::List(vec!["a".into(), "a".into()])
            ),
            "Configuration 'k' values must not be duplicated."
        );
    }
}
