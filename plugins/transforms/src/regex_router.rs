//! `RegexRouter`: renames the topic when the whole of it matches.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, ParsedConfig, Validator,
};
use milena_data::{Record, Text};
use milena_java_text::JavaRegex;

use crate::{keys::needed_text, side::Side};

struct RegexRouter {
    regex: JavaRegex,
    replacement: String,
    /// The last topic and what became of it: most records of a task share one.
    last: Option<(Text, Text)>,
}

/// `RegexValidator`.
fn valid_regex() -> Validator {
    Validator::new(|name, value| match value.as_str() {
        Some(text) => JavaRegex::new(text)
            .map(|_| ())
            .map_err(|error| ConfigError::invalid(name, text, &format!("Invalid regex: {error}"))),
        None => Err(ConfigError::invalid(
            name,
            "null",
            "Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null",
        )),
    })
}

pub(crate) fn config_def() -> ConfigDef {
    let key = |name: &str| ConfigKey::new(name, ConfigType::String).importance(Importance::High);
    ConfigDef::new()
        .define(
            key("regex")
                .validator(valid_regex())
                .doc("Regular expression that the whole topic must match."),
        )
        .define(key("replacement").doc("What the match is replaced by."))
}

pub(crate) fn make(
    config: &ParsedConfig,
    _: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let regex = JavaRegex::new(&needed_text(config, "regex")?).map_err(|error| {
        ConnectError::of("java.util.regex.PatternSyntaxException", error.to_string())
    })?;
    Ok(Box::new(RegexRouter {
        regex,
        replacement: needed_text(config, "replacement")?,
        last: None,
    }))
}

impl RegexRouter {
    fn route(&self, topic: &Text) -> Result<Text, ConnectError> {
        let stack = |error: milena_java_text::MatchError| {
            ConnectError::of("java.lang.StackOverflowError", error.to_string())
        };
        if !self.regex.matches(topic).map_err(stack)? {
            return Ok(topic.clone());
        }
        // Java: `replaceFirst` searches anew, so the replaced part need not be the whole topic.
        match self.regex.replace_first(topic, &self.replacement) {
            Ok(renamed) => Ok(renamed.into()),
            Err(error) => Err(ConnectError::of(error.java_class(), error.to_string())),
        }
    }
}

impl RecordTransform for RegexRouter {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        if let Some((from, to)) = &self.last
            && *from == record.topic
        {
            record.topic = to.clone();
            return Ok(true);
        }
        let to = self.route(&record.topic)?;
        self.last = Some((std::mem::replace(&mut record.topic, to.clone()), to));
        Ok(true)
    }
}
