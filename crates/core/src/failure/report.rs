//! The line that the log reporter writes for a failed record (spec `data.md` 5.4).

use super::{ConsumedRecord, Stage};

/// Java's text of the ERROR line. `record` is the description of the record when
/// `errors.log.include.messages` is on: `, where consumed record is {…}` or `, where source record is = …`.
#[must_use]
pub fn log_line(task: &str, stage: Stage, executing_class: &str, record: Option<&str>) -> String {
    let record = record.unwrap_or_default();
    format!(
        "Error encountered in task {task}. Executing stage '{stage}' with class \
         '{executing_class}'{record}."
    )
}

/// The description of a consumed record for [`log_line`]; the timestamp (milliseconds and type) is shown
/// only for `CreateTime` and `LogAppendTime`.
#[must_use]
pub fn consumed_record_text(record: &ConsumedRecord<'_>, timestamp: Option<(i64, &str)>) -> String {
    let stamp = match timestamp {
        Some((millis, kind @ ("CreateTime" | "LogAppendTime"))) => {
            format!(", timestamp={millis}, timestampType={kind}")
        }
        _ => String::new(),
    };
    format!(
        ", where consumed record is {{topic='{}', partition={}, offset={}{stamp}}}",
        record.topic, record.partition, record.offset
    )
}
