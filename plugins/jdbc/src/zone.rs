//! `db.timezone` and calendars: between the database's civil times and moments, between the proleptic
//! calendar of databases and the hybrid one of `java.util.GregorianCalendar`.

use jiff::{civil, tz::TimeZone};
use milena_data::calendar;

use crate::cell::{Cell, DAY_SECONDS, Stamp, civil_of_days};

/// What the PostgreSQL driver of Java makes of `infinity` and `-infinity`, in milliseconds.
pub(crate) const POSITIVE_INFINITY: i64 = 9_223_372_036_825_200_000;
pub(crate) const NEGATIVE_INFINITY: i64 = -9_223_372_036_832_400_000;
/// 1900-01-01, before which `java.util.TimeZone` has no local mean times: what counted then counts before it.
const ZONES_START: i64 = -2_208_988_800;
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

    /// The moment of a civil time in this zone; of two, the later, and a skipped one moves on, as with
    /// `java.util.GregorianCalendar`.
    pub(crate) fn instant(&self, local: Stamp) -> Stamp {
        let Some(zone) = &self.zone else { return local };
        let early = local.seconds - offset_at(zone, ZONES_START);
        let seconds = match early < ZONES_START {
            true => early,
            false => civil_time(local)
                .and_then(|time| zone.to_ambiguous_timestamp(time).later().ok())
                .map_or(early, jiff::Timestamp::as_second),
        };
        Stamp { seconds, ..local }
    }

    /// The civil time of a moment in this zone.
    pub(crate) fn local(&self, instant: Stamp) -> Stamp {
        let Some(zone) = &self.zone else {
            return instant;
        };
        Stamp {
            seconds: instant.seconds + offset_at(zone, instant.seconds.max(ZONES_START)),
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

/// Seconds east of UTC at a moment.
fn offset_at(zone: &TimeZone, seconds: i64) -> i64 {
    // The last years that the calendar of `jiff` knows stand for those beyond.
    let moment = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    i64::from(zone.to_offset(moment).seconds())
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

    /// Recorded from `java.util.GregorianCalendar`: times that come twice, that are skipped, and before 1900.
    #[test]
    fn moments_as_java_has_them() {
        let civil = |year, month, day, hour: i64, minute: i64| Stamp {
            seconds: days_of_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60,
            nanos: 0,
        };
        let recorded = [
            ("America/New_York", civil(2026, 11, 1, 1, 30), 1_793_514_600),
            ("America/New_York", civil(2026, 3, 8, 2, 30), 1_772_955_000),
            ("America/New_York", civil(2026, 7, 1, 12, 0), 1_782_921_600),
            ("America/New_York", civil(1880, 1, 1, 12, 0), -2_840_079_600),
            ("Europe/Prague", civil(2026, 10, 25, 2, 30), 1_792_891_800),
            ("Europe/Prague", civil(2026, 3, 29, 2, 30), 1_774_747_800),
            ("Europe/Prague", civil(1880, 1, 1, 12, 0), -2_840_101_200),
        ];
        for (id, local, seconds) in recorded {
            let zone = Zone::parse(id, true).unwrap();
            let moment = zone.instant(local);
            assert_eq!(moment.seconds, seconds, "{id} {local:?}");
            // What is written is read again as the same moment.
            assert_eq!(zone.instant(zone.local(moment)), moment, "{id} {local:?}");
        }
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
