//! What crosses the boundary to a database: cells, columns and SQL types, as JDBC names them.
//!
//! A cell is what the database says, before any zone or Connect schema is applied.

use bytes::Bytes;
use milena_data::{Decimal, Text};

/// Seconds of a day.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// A point on a time line: seconds since 1970-01-01T00:00:00 and nanoseconds of the second. Of UTC for
/// [`Cell::Instant`], of an unnamed zone for [`Cell::Local`]; proleptic Gregorian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

impl Stamp {
    /// From microseconds since the epoch.
    pub(crate) fn from_micros(micros: i64) -> Self {
        Self {
            seconds: micros.div_euclid(1_000_000),
            nanos: u32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or(0),
        }
    }

    /// From milliseconds since the epoch.
    pub(crate) fn from_millis(millis: i64) -> Self {
        Self {
            seconds: millis.div_euclid(1000),
            nanos: u32::try_from(millis.rem_euclid(1000) * 1_000_000).unwrap_or(0),
        }
    }

    /// Milliseconds since the epoch, rounded down.
    pub(crate) fn millis(self) -> i64 {
        self.seconds
            .saturating_mul(1000)
            .saturating_add(i64::from(self.nanos / 1_000_000))
    }

    /// Earlier by milliseconds.
    pub(crate) fn minus_millis(self, millis: i64) -> Self {
        let nanos = self.nanos;
        let mut earlier = Self::from_millis(self.millis().saturating_sub(millis));
        earlier.nanos += nanos % 1_000_000;
        earlier
    }

    /// `2026-01-02 03:04:05.123456` with as many digits of the fraction as there are (at least `digits`);
    /// years beyond 9999 and before 1 as ISO has them.
    pub(crate) fn text(self, digits: usize) -> String {
        let day = self.seconds.div_euclid(DAY_SECONDS);
        let time = self.seconds.rem_euclid(DAY_SECONDS) * 1_000_000_000 + i64::from(self.nanos);
        format!("{} {}", date_text(day), time_text(time, digits))
    }
}

/// `2026-01-02` of a proleptic day since the epoch.
pub(crate) fn date_text(days: i64) -> String {
    let (year, month, day) = civil_of_days(days);
    if year >= 0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("-{:04}-{month:02}-{day:02}", -year)
    }
}

/// `03:04:05.678` of nanoseconds since midnight.
pub(crate) fn time_text(nanos: i64, digits: usize) -> String {
    let seconds = nanos / 1_000_000_000;
    let mut text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let fraction = nanos % 1_000_000_000;
    if fraction != 0 || digits > 0 {
        let all = format!("{fraction:09}");
        let kept = all.trim_end_matches('0').len().max(digits);
        text.push('.');
        text.push_str(all.get(..kept).unwrap_or(&all));
    }
    text
}

/// Year (astronomical), month and day of a day since the epoch, proleptic Gregorian.
pub(crate) fn civil_of_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = years + era * 400 + i64::from(month <= 2);
    (
        year,
        u32::try_from(month).unwrap_or(1),
        u32::try_from(day).unwrap_or(1),
    )
}

/// The day since the epoch of a proleptic Gregorian date.
pub(crate) fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * from_march + 2) / 5 + day
        - 719_469
}

/// Reads `2026-01-02[ T]03:04:05[.fraction]` or a date alone; answers the day and the nanoseconds.
pub(crate) fn parse_date_time(text: &str) -> Option<(i64, i64)> {
    let text = text.trim();
    let (date, time) = match text.find([' ', 'T']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, "00:00:00"),
    };
    let (negative, date) = match date.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, date),
    };
    let mut parts = date.split('-');
    let year: i64 = parts.next()?.parse().ok()?;
    let month: i64 = parts.next()?.parse().ok()?;
    let day: i64 = parts.next()?.parse().ok()?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if negative { -year } else { year };
    Some((days_of_civil(year, month, day), parse_time(time)?))
}

/// Reads `03:04[:05[.fraction]]` as nanoseconds since midnight.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim().trim_end_matches('Z');
    let mut parts = text.split(':');
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next()?.parse().ok()?;
    let rest = parts.next().unwrap_or("0");
    let (second, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let second: i64 = second.parse().ok()?;
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let fits = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    fits.then_some(((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos)
}

/// One value of a row or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    /// Beyond the range of [`Cell::Int`].
    UInt(u64),
    Float(f32),
    Double(f64),
    Decimal(Decimal),
    Text(Text),
    Bytes(Bytes),
    /// Days since the epoch, proleptic Gregorian.
    Date(i64),
    /// Nanoseconds since midnight.
    Time(i64),
    /// A date and time without a zone.
    Local(Stamp),
    /// A moment.
    Instant(Stamp),
    Array(Vec<Cell>),
    /// `infinity` (true) or `-infinity` of a date or timestamp.
    Infinite(bool),
}

impl Cell {
    /// The kind in words, for errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::UInt(_) => "an integer",
            Self::Float(_) | Self::Double(_) => "a floating point number",
            Self::Decimal(_) => "a decimal",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Date(_) => "a date",
            Self::Time(_) => "a time",
            Self::Local(_) | Self::Instant(_) => "a timestamp",
            Self::Array(_) => "an array",
            Self::Infinite(_) => "infinity",
        }
    }
}

/// The types of `java.sql.Types` that the connectors distinguish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SqlType {
    Boolean,
    /// `BIT` of more than one bit, read as a number of 8 bits.
    Bit,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    Real,
    Double,
    /// `DECIMAL`: not subject to `numeric.mapping`.
    Decimal,
    /// `NUMERIC`: subject to `numeric.mapping`.
    Numeric,
    Text,
    Binary,
    Date,
    Time,
    /// A timestamp without a zone.
    Timestamp,
    /// A timestamp that is a moment.
    TimestampTz,
    Array(Box<SqlType>),
    /// No Connect type stands for it.
    Other,
}

/// A column of a table or of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) sql: SqlType,
    /// The database's own name of the type, in lower case.
    pub(crate) type_name: String,
    /// Digits in all; 0 when the type has no bound.
    pub(crate) precision: i32,
    /// `None`: a number with any scale.
    pub(crate) scale: Option<i32>,
    pub(crate) nullable: bool,
    pub(crate) unsigned: bool,
    pub(crate) auto_increment: bool,
    pub(crate) primary_key: bool,
    pub(crate) has_default: bool,
}

impl Column {
    pub(crate) fn new(name: impl Into<String>, sql: SqlType, type_name: &str) -> Self {
        Self {
            name: name.into(),
            sql,
            type_name: type_name.to_ascii_lowercase(),
            precision: 0,
            scale: Some(0),
            nullable: true,
            unsigned: false,
            auto_increment: false,
            primary_key: false,
            has_default: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Stamp, civil_of_days, days_of_civil, parse_date_time};

    #[test]
    fn dates_there_and_back() {
        for days in (-1_000_000..1_000_000).step_by(997) {
            let (year, month, day) = civil_of_days(days);
            assert_eq!(days_of_civil(year, month.into(), day.into()), days);
        }
        assert_eq!(civil_of_days(0), (1970, 1, 1));
    }

    #[test]
    fn stamps_as_text() {
        let stamp = Stamp::from_micros(1_767_323_045_123_450);
        assert_eq!(stamp.text(0), "2026-01-02 03:04:05.12345");
        let (day, nanos) = parse_date_time("2026-01-02T03:04:05.12345").unwrap();
        assert_eq!((day, nanos), (20455, 11_045_123_450_000));
        assert_eq!(Stamp::from_millis(-1).text(3), "1969-12-31 23:59:59.999");
        assert_eq!(Stamp::from_micros(-1_500).minus_millis(1).millis(), -3);
    }
}
