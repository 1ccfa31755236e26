//! The settings of a fetcher, under Java's names and with Java's defaults.

use std::time::Duration;

use crate::{
    backoff::Backoff,
    client_props::{Read, invalid},
    ports::{ClientProps, KafkaError},
    records::completed::Rules,
};

/// The most bytes that one answer is asked to hold: the connection reads no answer over 100 MiB, and the first batch may
/// be larger than what was asked for.
const FETCH_BYTES_MAX: i32 = 64 * 1024 * 1024;

/// Without a pause of the user's a broker is not asked without end all the same.
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(10);

/// Where a partition begins that has no position, or one that is out of range: `auto.offset.reset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// Nowhere: it is an error.
    None,
    /// There.
    To(ResetTo),
}

/// A place that the leader knows the offset of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResetTo {
    /// The oldest record.
    Earliest,
    /// After the newest record.
    Latest,
    /// The first record that is at most so old (KIP-1106); after the newest when there is none.
    Since(Duration),
}

/// What a fetcher needs to know.
#[derive(Clone, Debug)]
pub(super) struct FetchSettings {
    /// `fetch.min.bytes`.
    pub(super) min_bytes: i32,
    /// `fetch.max.bytes`.
    pub(super) max_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub(super) max_wait: Duration,
    /// `max.partition.fetch.bytes`.
    pub(super) partition_bytes: i32,
    /// `max.poll.records`.
    pub(super) poll_records: usize,
    /// `auto.offset.reset`.
    pub(super) reset: Reset,
    /// `client.rack` (KIP-392).
    pub(super) rack: String,
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub(super) reconnect: Backoff,
    /// `check.crcs` and `isolation.level`.
    pub(super) rules: Rules,
}

impl FetchSettings {
    /// Parses the settings of a consumer.
    pub(super) fn from_props(props: &ClientProps) -> Result<Self, KafkaError> {
        let read = Read(props);
        let isolation = read.text("isolation.level").unwrap_or("read_uncommitted");
        let committed = match isolation.to_ascii_lowercase().as_str() {
            "read_committed" => true,
            "read_uncommitted" => false,
            _ => {
                return Err(invalid(
                    "isolation.level",
                    isolation,
                    "String must be one of: read_committed, read_uncommitted",
                ));
            }
        };
        Ok(Self {
            min_bytes: read.number("fetch.min.bytes", 1, 0)?,
            max_bytes: read
                .number("fetch.max.bytes", 52_428_800, 0)?
                .min(FETCH_BYTES_MAX),
            max_wait: read.millis("fetch.max.wait.ms", 500_u32)?,
            partition_bytes: read
                .number("max.partition.fetch.bytes", 1_048_576, 0)?
                .min(FETCH_BYTES_MAX),
            poll_records: usize::try_from(read.number("max.poll.records", 500_i32, 1)?)
                .unwrap_or(1),
            reset: reset(read.text("auto.offset.reset").unwrap_or("latest"))?,
            rack: read.text("client.rack").unwrap_or_default().to_owned(),
            reconnect: Backoff::reconnects(&read)?,
            rules: Rules {
                check: read.flag("check.crcs", true)?,
                committed,
            },
        })
    }
}

fn reset(text: &str) -> Result<Reset, KafkaError> {
    let lower = text.to_ascii_lowercase();
    if let Some(duration) = lower.strip_prefix("by_duration:") {
        let parsed = iso_duration(duration);
        return parsed
            .map(|age| Reset::To(ResetTo::Since(age)))
            .ok_or_else(|| {
                invalid(
                    "auto.offset.reset",
                    text,
                    "the duration must be in ISO-8601 and not negative, such as by_duration:PT1H",
                )
            });
    }
    match lower.as_str() {
        "earliest" => Ok(Reset::To(ResetTo::Earliest)),
        "latest" => Ok(Reset::To(ResetTo::Latest)),
        "none" => Ok(Reset::None),
        _ => Err(invalid(
            "auto.offset.reset",
            text,
            "it must be earliest, latest, none or by_duration:<duration in ISO-8601>",
        )),
    }
}

/// `PnDTnHnMn.nS`, as `java.time.Duration` reads it, without signs.
fn iso_duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('p')?;
    let (days, time) = match rest.split_once('t') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let mut seconds = 0.0_f64;
    if !days.is_empty() {
        seconds += f64::from(days.strip_suffix('d')?.parse::<u32>().ok()?) * 86_400.0;
    }
    let mut units = [('h', 3_600.0), ('m', 60.0), ('s', 1.0)].into_iter();
    let mut time = time;
    while !time.is_empty() {
        let end = time.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = time.split_at_checked(end)?;
        let unit = after.chars().next()?;
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        if number.contains('.') && unit != 's' {
            return None;
        }
        seconds += number.parse::<f64>().ok()? * factor;
        time = after.get(1..)?;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pairs: &[(&str, &str)]) -> Result<FetchSettings, KafkaError> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        FetchSettings::from_props(&pairs.collect())
    }

    #[test]
    fn defaults_and_resets_are_those_of_java() {
        let settings = parsed(&[]).unwrap();
        assert_eq!(settings.poll_records, 500);
        assert_eq!(settings.reset, Reset::To(ResetTo::Latest));
        assert!(!settings.rules.committed && settings.rules.check);
        for (text, seconds) in [
            ("by_duration:PT1H", 3600),
            ("by_duration:P1DT2M3S", 86_523),
            ("BY_DURATION:pt0s", 0),
        ] {
            let settings = parsed(&[("auto.offset.reset", text)]).unwrap();
            let since = ResetTo::Since(Duration::from_secs(seconds));
            assert_eq!(settings.reset, Reset::To(since), "{text}");
        }
        for (name, value) in [
            ("auto.offset.reset", "by_duration:-PT1H"),
            ("auto.offset.reset", "by_duration:P"),
            ("auto.offset.reset", "by_duration:PT"),
            ("auto.offset.reset", "oldest"),
            ("max.poll.records", "0"),
            ("fetch.min.bytes", "-1"),
            ("isolation.level", "serializable"),
            ("check.crcs", "perhaps"),
        ] {
            let error = parsed(&[(name, value)]).unwrap_err();
            assert!(error.message.contains(name), "{error}");
        }
    }
}
