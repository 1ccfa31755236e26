//! The calendar of `java.util.GregorianCalendar` in UTC: Julian before 15 October 1582, Gregorian
//! from then on. Zones other than UTC are not known here.

/// Milliseconds of a day.
pub const MILLIS_PER_DAY: i64 = 86_400_000;
/// 1582-10-15 in days since the epoch, the first Gregorian day.
const GREGORIAN_START: i64 = -141_427;

/// A moment split into the fields of the calendar. `year` is astronomical: 0 is 1 BC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct DateTime {
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub milli: u32,
    /// 0 is Sunday.
    pub weekday: u32,
    /// 1 to 366.
    pub day_of_year: u32,
}

impl DateTime {
    /// The fields of a moment in milliseconds since the epoch.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        let days = millis.div_euclid(MILLIS_PER_DAY);
        let rest = u32::try_from(millis.rem_euclid(MILLIS_PER_DAY)).unwrap_or(0);
        let (year, month, day) = date_of_days(days);
        let first = days_of_date(year, 1, 1);
        Self {
            year,
            month,
            day,
            hour: rest / 3_600_000,
            minute: rest / 60_000 % 60,
            second: rest / 1000 % 60,
            milli: rest % 1000,
            weekday: u32::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            day_of_year: u32::try_from(days - first + 1).unwrap_or(1),
        }
    }

    /// The year within its era, as texts show it.
    #[must_use]
    pub fn year_of_era(&self) -> i64 {
        if self.year > 0 {
            self.year
        } else {
            1 - self.year
        }
    }
}

/// Year, month (1 to 12) and day of a day since the epoch.
#[must_use]
pub fn date_of_days(days: i64) -> (i64, u32, u32) {
    let gregorian = days >= GREGORIAN_START;
    // Both calendars are counted from a 1 March, so that leap days come last.
    let (era_days, offset) = if gregorian {
        (146_097, 719_468)
    } else {
        (1461, 719_470)
    };
    let shifted = days + offset;
    let era = shifted.div_euclid(era_days);
    let in_era = shifted.rem_euclid(era_days);
    let (years, of_era) = if gregorian {
        let years = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
        (years, in_era - (365 * years + years / 4 - years / 100))
    } else {
        let years = (in_era - in_era / 1460) / 365;
        (years, in_era - 365 * years)
    };
    let month = (5 * of_era + 2) / 153;
    let day = of_era - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = years + era * if gregorian { 400 } else { 4 } + i64::from(month <= 2);
    (
        year,
        u32::try_from(month).unwrap_or(1),
        u32::try_from(day).unwrap_or(1),
    )
}

/// Days since the epoch of a date; month and day may be out of range and roll over, as in a lenient
/// `GregorianCalendar`.
#[must_use]
pub fn days_of_date(year: i64, month: i64, day: i64) -> i64 {
    let months = month - 1;
    let year = year + months.div_euclid(12);
    let month = months.rem_euclid(12) + 1;
    let gregorian = gregorian_days(year, month) + day - 1;
    if gregorian >= GREGORIAN_START {
        return gregorian;
    }
    let julian = julian_days(year, month) + day - 1;
    if julian < GREGORIAN_START {
        julian
    } else {
        gregorian.max(julian)
    }
}

fn shifted_year(year: i64, month: i64) -> (i64, i64) {
    let year = if month <= 2 { year - 1 } else { year };
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    (year, (153 * from_march + 2) / 5)
}

fn gregorian_days(year: i64, month: i64) -> i64 {
    let (year, days) = shifted_year(year, month);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + days - 719_468
}

fn julian_days(year: i64, month: i64) -> i64 {
    let (year, days) = shifted_year(year, month);
    year.div_euclid(4) * 1461 + year.rem_euclid(4) * 365 + days - 719_470
}

/// `java.util.Date.toString` in UTC: `Thu Jan 01 00:00:00 UTC 1970`.
#[must_use]
pub fn date_text(millis: i64) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = DateTime::from_millis(millis);
    let weekday = DAYS.get(at.weekday as usize).copied().unwrap_or_default();
    let month = MONTHS
        .get(at.month as usize - 1)
        .copied()
        .unwrap_or_default();
    format!(
        "{weekday} {month} {:02} {:02}:{:02}:{:02} UTC {}",
        at.day,
        at.hour,
        at.minute,
        at.second,
        at.year_of_era()
    )
}
