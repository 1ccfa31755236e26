//! `TimestampRouter`: renames the topic by its name and the record's timestamp.

use milena_api::{ConnectError, RecordTransform};
use milena_config::{ConfigDef, ConfigKey, ConfigType, ConfigValue, Importance, ParsedConfig};
use milena_data::Record;
use milena_java_text::{DateFormat, DatePatternError};

use crate::{keys::needed_text, side::Side};

struct TimestampRouter {
    topic_format: String,
    /// Java compiles the pattern when the first record comes.
    format: Result<DateFormat, DatePatternError>,
}

pub(crate) fn config_def() -> ConfigDef {
    let key = |name: &str, default: &str| {
        ConfigKey::new(name, ConfigType::String)
            .default(ConfigValue::String(default.to_owned()))
            .importance(Importance::High)
    };
    ConfigDef::new()
        .define(key("topic.format", "${topic}-${timestamp}").doc(
            "Name of the new topic, in which <code>${topic}</code> stands for the topic and \
             <code>${timestamp}</code> for the formatted timestamp.",
        ))
        .define(key("timestamp.format", "yyyyMMdd").doc(
            "Pattern of the timestamp, as of <code>java.text.SimpleDateFormat</code>, in UTC.",
        ))
}

pub(crate) fn make(
    config: &ParsedConfig,
    _: Side,
) -> Result<Box<dyn RecordTransform>, ConnectError> {
    let pattern = needed_text(config, "timestamp.format")?;
    Ok(Box::new(TimestampRouter {
        topic_format: needed_text(config, "topic.format")?,
        // Only parsing depends on today.
        format: DateFormat::new(&pattern, 0),
    }))
}

impl RecordTransform for TimestampRouter {
    fn change(&mut self, record: &mut Record) -> Result<bool, ConnectError> {
        let Some(timestamp) = record.timestamp else {
            return Err(missing(record));
        };
        let format = self.format.as_ref().map_err(|error| {
            ConnectError::of("java.lang.IllegalArgumentException", error.to_string())
        })?;
        // Java: the second replacement works on the result of the first, topic included.
        let topic = self.topic_format.replace("${topic}", &record.topic);
        let topic = topic.replace("${timestamp}", &format.format(timestamp));
        record.topic = topic.into();
        Ok(true)
    }
}

fn missing(record: &Record) -> ConnectError {
    let source = if record.origin.is_some() {
        ""
    } else {
        "SourceRecord{sourcePartition=null, sourceOffset=null} "
    };
    ConnectError::data(format!("Timestamp missing on record: {source}{record}"))
}
