//! `db.timezone` and calendars: between the database's civil times and moments, between the proleptic
//! calendar of databases and the hybrid one of `java.util.GregorianCalendar`.

use jiff::{civil, tz::TimeZone};
use milena_data::calendar;

use crate::cell::{Cell, DAY_SECONDS, Stamp, civil_of_days};

/// What the PostgreSQL driver of Java makes of `infinity` and `-infinity`, in milliseconds.
pub(crate) const POSITIVE_INFINITY: i64 = 9_223_372_036_825_200_000;
pub(crate) const NEGATIVE_INFINITY: i64 = -9_223_372_036_832_400_000;
/// 1582-10-15, the first day of the Gregorian calendar, in days since the epoch.
const GREGORIAN_START: i64 = -141_427;

/// The zone and calendar of a connector.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// `None`: UTC.
    zone: Option<TimeZone>,
    /// Dates before 1582 are those of the Julian calendar, as Java reads them by default.
    pub(crate) legacy_calendar: bool,
}

impl Zone {
    /// The zone of a Java zone id: `UTC`, `GMT`, `Z`, `Europe/Prague`, `GMT+2`, `+02:00`.
    pub(crate) fn parse(id: &str, legacy_calendar: bool) -> Option<Self> {
        let zone = match id.trim() {
            "" | "UTC" | "GMT" | "Z" | "Etc/UTC" => None,
            id => {
                let offset = ["GMT", "UTC", ""]
                    .iter()
                    .find_map(|prefix| id.strip_prefix(prefix).and_then(offset_seconds));
                Some(match offset {
                    Some(seconds) => jiff::tz::Offset::from_seconds(seconds).ok()?.to_time_zone(),
                    None => TimeZone::get(id).ok()?,
                })
            }
        };
        Some(Self {
            zone,
            legacy_calendar,
        })
    }

    /// The moment of a civil time in this zone; of two, the earlier, and a skipped one moves on, as Java.
    pub(crate) fn instant(&self, local: Stamp) -> Stamp {
        let Some(zone) = &self.zone else { return local };
        let offset = civil_time(local)
            .and_then(|time| zone.to_ambiguous_timestamp(time).compatible().ok())
            .map_or(0, |moment| moment.as_second() - local.seconds);
        Stamp {
            seconds: local.seconds + offset,
            ..local
        }
    }

    /// The civil time of a moment in this zone.
    pub(crate) fn local(&self, instant: Stamp) -> Stamp {
        let Some(zone) = &self.zone else {
            return instant;
        };
        let offset = jiff::Timestamp::from_second(instant.seconds)
            .map_or(0, |moment| zone.to_offset(moment).seconds());
        Stamp {
            seconds: instant.seconds + i64::from(offset),
            ..instant
        }
    }

    /// The moment of a timestamp cell.
    pub(crate) fn moment(&self, cell: &Cell) -> Option<Stamp> {
        match cell {
            Cell::Instant(stamp) => Some(*stamp),
            Cell::Local(stamp) => Some(self.instant(*stamp)),
            Cell::Date(days) => Some(self.instant(Stamp {
                seconds: days * DAY_SECONDS,
                nanos: 0,
            })),
            _ => None,
        }
    }

    /// Milliseconds that Connect shows for a moment, by the calendar.
    pub(crate) fn connect_millis(&self, moment: Stamp) -> i64 {
        let day = moment.seconds.div_euclid(DAY_SECONDS);
        moment
            .millis()
            .saturating_add((self.connect_day(day) - day).saturating_mul(DAY_SECONDS * 1000))
    }

    /// The day that Connect shows for a database's day, by the calendar.
    pub(crate) fn connect_day(&self, day: i64) -> i64 {
        if !self.legacy_calendar || day >= GREGORIAN_START {
            return day;
        }
        let (year, month, date) = civil_of_days(day);
        calendar::days_of_date(year, month.into(), date.into())
    }

    /// The database's day for the day that Connect shows: the inverse of [`Self::connect_day`].
    pub(crate) fn database_day(&self, day: i64) -> i64 {
        if !self.legacy_calendar || day >= GREGORIAN_START {
            return day;
        }
        let (year, month, date) = calendar::date_of_days(day);
        crate::cell::days_of_civil(year, month.into(), date.into())
    }

    /// The moment of Connect's milliseconds: the inverse of [`Self::connect_millis`].
    pub(crate) fn database_moment(&self, millis: i64) -> Stamp {
        let day = millis.div_euclid(DAY_SECONDS * 1000);
        let shift = (self.database_day(day) - day).saturating_mul(DAY_SECONDS * 1000);
        Stamp::from_millis(millis.saturating_add(shift))
    }
}

fn civil_time(local: Stamp) -> Option<civil::DateTime> {
    let (year, month, day) = civil_of_days(local.seconds.div_euclid(DAY_SECONDS));
    let seconds = local.seconds.rem_euclid(DAY_SECONDS);
    civil::DateTime::new(
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
        i8::try_from(seconds / 3600).ok()?,
        i8::try_from(seconds / 60 % 60).ok()?,
        i8::try_from(seconds % 60).ok()?,
        0,
    )
    .ok()
}

/// `+2`, `-03:30`, `+0100` in seconds.
fn offset_seconds(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(pair) => pair,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let hours: i32 = hours.parse().ok()?;
    let minutes: i32 = minutes.parse().ok()?;
    ((0..=18).contains(&hours) && (0..60).contains(&minutes))
        .then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::Zone;
    use crate::cell::{Stamp, days_of_civil};

    #[test]
    fn zones_of_java() {
        for id in [
            "UTC",
            "Europe/Prague",
            "GMT+2",
            "+02:00",
            "America/New_York",
        ] {
            assert!(Zone::parse(id, true).is_some(), "{id}");
        }
        assert!(Zone::parse("Moon/Sea", true).is_none());
        let zone = Zone::parse("Europe/Prague", true).unwrap();
        let local = Stamp::from_millis(1_767_323_045_000);
        assert_eq!(zone.instant(local).millis(), 1_767_319_445_000);
        assert_eq!(zone.local(zone.instant(local)), local);
    }

    #[test]
    fn days_before_the_gregorian_calendar() {
        let zone = Zone::parse("UTC", true).unwrap();
        let day = days_of_civil(1500, 1, 1);
        // 1500-01-01 of the Julian calendar is nine days later on the line.
        assert_eq!(zone.connect_day(day), day + 9);
        assert_eq!(zone.database_day(day + 9), day);
    }
}
