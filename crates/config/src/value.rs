//! A parsed configuration value.

use crate::Secret;

/// A value after parsing by its key's type.
#[derive(Clone, Debug)]
pub enum ConfigValue {
    /// No value (a null default).
    Null,
    /// `BOOLEAN`.
    Boolean(bool),
    /// `STRING`.
    String(String),
    /// `INT`.
    Int(i32),
    /// `SHORT`.
    Short(i16),
    /// `LONG`.
    Long(i64),
    /// `DOUBLE`.
    Double(f64),
    /// `LIST`: comma separated, trimmed.
    List(Vec<String>),
    /// `CLASS`: a class name or alias, looked up in the registry only.
    Class(String),
    /// `PASSWORD`.
    Password(Secret<String>),
}

/// What a password is shown as.
pub const HIDDEN: &str = "[hidden]";

impl ConfigValue {
    /// The value as REST shows it (`ConfigDef.convertToString`): lists joined by commas, passwords hidden;
    /// `None` for null.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => return None,
            Self::List(items) => items.join(","),
            _ => self.to_message(),
        })
    }

    /// The value as it stands in messages (`String.valueOf`): lists in brackets, `null` for null.
    #[must_use]
    pub fn to_message(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::String(text) | Self::Class(text) => text.clone(),
            Self::Int(n) => n.to_string(),
            Self::Short(n) => n.to_string(),
            Self::Long(n) => n.to_string(),
            Self::Double(n) => java_double(*n),
            Self::List(items) => format!("[{}]", items.join(", ")),
            Self::Password(_) => HIDDEN.to_owned(),
        }
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A text, when it is one (`STRING` or `CLASS`).
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Class(text) => Some(text),
            _ => None,
        }
    }

    /// A number as a double, when it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "compared with small bounds, as Java's Range does"
        )]
        match self {
            Self::Int(n) => Some(f64::from(*n)),
            Self::Short(n) => Some(f64::from(*n)),
            Self::Long(n) => Some(*n as f64),
            Self::Double(n) => Some(*n),
            _ => None,
        }
    }
}

/// A double as Java prints it: plain between 10^-3 and 10^7, else in scientific notation.
fn java_double(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = n.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{n:?}");
    }
    let text = format!("{n:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::ConfigValue;

    #[test]
    fn doubles_and_lists_print_as_java_prints_them() {
        let text = |n| ConfigValue::Double(n).to_text().unwrap();
        assert_eq!(
            [text(1e10), text(0.8), text(1.5e-7), text(100.0)],
            ["1.0E10", "0.8", "1.5E-7", "100.0"]
        );
        let list = ConfigValue::List(vec!["a".into(), "b".into()]);
        assert_eq!(list.to_text().unwrap(), "a,b");
        assert_eq!(list.to_message(), "[a, b]");
    }
}
