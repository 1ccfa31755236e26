//! `TopicNameMatches`: the whole topic matches a regular expression.

use milena_api::{ConnectError, Predicate};
use milena_config::{
    ConfigDef, ConfigError, ConfigKey, ConfigType, Importance, ParsedConfig, Validator,
};
use milena_data::{Record, Text};
use milena_java_text::JavaRegex;

struct TopicNameMatches {
    regex: JavaRegex,
    /// The last topic and the answer: most records of a task share one.
    last: Option<(Text, bool)>,
}

pub(crate) fn config_def() -> ConfigDef {
    let valid_regex = Validator::new(|name, value| match value.as_str() {
        Some(text) => JavaRegex::new(text)
            .map(|_| ())
            .map_err(|error| ConfigError::invalid(name, text, &format!("Invalid regex: {error}"))),
        None => Err(ConfigError::invalid(
            name,
            "null",
            "Invalid regex: Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null",
        )),
    });
    ConfigDef::new().define(
        ConfigKey::new("pattern", ConfigType::String)
            .importance(Importance::Medium)
            .validator(Validator::all(vec![Validator::non_empty(), valid_regex]))
            .doc("Regular expression in Java's dialect that the whole topic must match."),
    )
}

pub(crate) fn make(config: &ParsedConfig) -> Result<Box<dyn Predicate>, ConnectError> {
    let pattern = config.text("pattern");
    // Java names the key here, although the pattern was checked before.
    let regex = JavaRegex::new(&pattern).map_err(|error| {
        ConnectError::config(format!(
            "Invalid value {pattern} for configuration pattern: entry must be a Java-compatible regular expression: {error}"
        ))
    })?;
    Ok(Box::new(TopicNameMatches { regex, last: None }))
}

impl Predicate for TopicNameMatches {
    fn test(&mut self, record: &Record) -> Result<bool, ConnectError> {
        if let Some((topic, answer)) = &self.last
            && *topic == record.topic
        {
            return Ok(*answer);
        }
        let answer = self
            .regex
            .matches(&record.topic)
            .map_err(|error| ConnectError::of("java.lang.StackOverflowError", error.to_string()))?;
        self.last = Some((record.topic.clone(), answer));
        Ok(answer)
    }
}
