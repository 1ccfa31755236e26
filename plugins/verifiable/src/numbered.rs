//! What the sources of numbered records share: their keys, their partition and where they go on.

use std::sync::Arc;

use milena_api::{ConnectError, SourceTaskContext};
use milena_config::Props;
use milena_data::{SourceMap, SourceOffset, Text, Value};

use crate::{connector::ID, mock::not_a_number, throttle::Throttle};

/// The task of a source of numbered records.
pub(crate) struct Numbered {
    /// The connector's name.
    pub(crate) name: String,
    /// The task's number.
    pub(crate) id: i32,
    /// The topic.
    pub(crate) topic: Text,
    /// The next number.
    pub(crate) seqno: i64,
    /// The source partition.
    pub(crate) partition: Arc<SourceMap>,
    /// The pace.
    pub(crate) throttle: Throttle,
}

impl Numbered {
    /// Reads the keys and the stored offset; `class` is the simple Java name for the message.
    pub(crate) async fn begin(
        context: &SourceTaskContext,
        config: &Props,
        class: &str,
    ) -> Result<Self, ConnectError> {
        let invalid = |cause: ConnectError| {
            ConnectError::connect(format!("Invalid {class} configuration")).caused_by(cause)
        };
        let id = number(config, ID).map_err(invalid)?;
        let id = i32::try_from(id).map_err(|_| invalid(not_a_number(&id.to_string())))?;
        let rate = number(config, "throughput").map_err(invalid)?;
        let partition = SourceMap::from_iter([(Text::from_static("id"), Value::Int32(id))]);
        let stored = context
            .offsets
            .offsets(std::slice::from_ref(&partition))
            .await?;
        let last = stored
            .into_iter()
            .flatten()
            .next()
            .and_then(|offset| offset.get("seqno").cloned());
        let seqno = match last {
            None => 0,
            Some(Value::Int64(last)) => last.saturating_add(1),
            Some(other) => {
                return Err(ConnectError::of(
                    "java.lang.ClassCastException",
                    format!(
                        "class {} cannot be cast to class java.lang.Long",
                        other.java_class()
                    ),
                ));
            }
        };
        Ok(Self {
            name: config.get("name").cloned().unwrap_or_default(),
            id,
            topic: config
                .get("topic")
                .map(String::as_str)
                .unwrap_or_default()
                .into(),
            seqno,
            partition: Arc::new(partition),
            throttle: Throttle::new(rate),
        })
    }

    /// The offset of the current number.
    pub(crate) fn offset(&self) -> SourceOffset {
        SourceOffset::number("seqno", self.seqno)
    }
}

/// `Long.parseLong` of a key, also of one that is not there.
pub(crate) fn number(config: &Props, key: &str) -> Result<i64, ConnectError> {
    match config.get(key) {
        Some(text) => text.parse().map_err(|_| not_a_number(text)),
        None => Err(ConnectError::of(
            "java.lang.NumberFormatException",
            "Cannot parse null string: null",
        )),
    }
}

/// A task that was not started.
pub(crate) fn not_started() -> ConnectError {
    ConnectError::connect("the task was not started")
}
