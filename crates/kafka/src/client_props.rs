//! Reads a client's settings: numbers, times and words under Java's names, refused in Java's words.
//!
//! Answers to `org.apache.kafka.common.config.ConfigDef`. It knows no setting; who reads one says its default and bounds.

use std::{fmt::Display, str::FromStr, time::Duration};

use crate::ports::{ClientProps, KafkaError, KafkaErrorKind};

/// A type of numbers, as Java calls it.
pub(crate) trait Number: FromStr + PartialOrd + Display {
    /// The name of the type in refusals.
    const TYPE: &'static str;
}

impl Number for i32 {
    const TYPE: &'static str = "INT";
}

impl Number for u32 {
    const TYPE: &'static str = "INT";
}

impl Number for u64 {
    const TYPE: &'static str = "LONG";
}

/// The settings of a client, to be read one by one.
pub(crate) struct Read<'a>(pub(crate) &'a ClientProps);

impl<'a> Read<'a> {
    /// The trimmed text of a setting.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).map(|text| text.trim())
    }

    /// A whole number that is not less than `least`.
    ///
    /// # Errors
    /// It is no number of the type, or less.
    pub(crate) fn number<T: Number>(
        &self,
        name: &str,
        default: T,
        least: T,
    ) -> Result<T, KafkaError> {
        let Some(text) = self.text(name) else {
            return Ok(default);
        };
        let too_small = || invalid(name, text, &format!("Value must be at least {least}"));
        match text.parse::<T>() {
            Ok(value) if value >= least => Ok(value),
            Ok(_) => Err(too_small()),
            // Types without a sign cannot hold what is too small.
            Err(_) if text.parse::<i64>().is_ok_and(|value| value < 0) => Err(too_small()),
            Err(_) => {
                let why = format!("Not a number of type {}", T::TYPE);
                Err(invalid(name, text, &why))
            }
        }
    }

    /// A time in milliseconds; `u64` where Java has a LONG, `u32` where it has an INT.
    ///
    /// # Errors
    /// It is no number of the type, or negative.
    pub(crate) fn millis<T: Number + Into<u64> + From<u8>>(
        &self,
        name: &str,
        default: T,
    ) -> Result<Duration, KafkaError> {
        let millis = self.number(name, default, T::from(0))?;
        Ok(Duration::from_millis(millis.into()))
    }

    /// True or false.
    ///
    /// # Errors
    /// It is neither.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, KafkaError> {
        match self.text(name) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => {
                let why = "Expected value to be either true or false";
                Err(invalid(name, text, why))
            }
        }
    }
}

/// The value of a setting is none that it may have.
pub(crate) fn invalid(name: &str, value: &str, why: &str) -> KafkaError {
    config(format!(
        "Invalid value {value} for configuration {name}: {why}"
    ))
}

/// Settings that cannot be.
pub(crate) fn config(message: String) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Config, message)
        .class("org.apache.kafka.common.config.ConfigException")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_values_are_refused_by_name() {
        let props: ClientProps = [("n", " 7 "), ("low", "-1"), ("text", "x"), ("flag", "TRUE")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let read = Read(&props);
        assert_eq!(read.number("n", 0_u32, 0).ok(), Some(7));
        assert_eq!(read.number("absent", 3_i32, 0).ok(), Some(3));
        assert_eq!(read.flag("flag", false).ok(), Some(true));
        for (error, says) in [
            (
                read.number("low", 0_u32, 1).err(),
                "Invalid value -1 for configuration low: Value must be at least 1",
            ),
            (
                read.number("n", 0_i32, 8).err(),
                "Invalid value 7 for configuration n: Value must be at least 8",
            ),
            (
                read.millis("text", 0_u64).err(),
                "Invalid value x for configuration text: Not a number of type LONG",
            ),
            (
                read.flag("text", true).err(),
                "Invalid value x for configuration text: Expected value to be either true or false",
            ),
        ] {
            assert_eq!(error.map(|error| error.message).as_deref(), Some(says));
        }
    }
}
