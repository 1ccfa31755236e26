//! The calendar of `GregorianCalendar`: Julian before 15 October 1582. Days are counted from
//! 1970-01-01, weeks begin on Sunday, the week of 1 January is the first.

/// The first day of the Gregorian calendar.
pub(super) const CUTOVER_DAY: i64 = -141_427;

pub(super) const MILLIS_PER_DAY: i64 = 86_400_000;

/// A day in the terms of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date {
    /// Astronomical: 0 is 1 BC.
    pub(super) year: i64,
    /// 0 to 11.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

/// The day of a Gregorian date; month from 0.
pub(super) fn gregorian_day(year: i64, month: i64, day: i64) -> i64 {
    let (year, shifted) = march_year(year, month);
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + shifted + day
        - 719_469
}

/// The day of a Julian date; month from 0.
pub(super) fn julian_day(year: i64, month: i64, day: i64) -> i64 {
    let (year, shifted) = march_year(year, month);
    365 * year + year.div_euclid(4) + shifted + day - 719_471
}

/// Years that begin in March, and the days of the year before the month.
fn march_year(year: i64, month: i64) -> (i64, i64) {
    let year = year + month.div_euclid(12);
    let month = month.rem_euclid(12);
    let (year, from_march) = if month < 2 {
        (year - 1, month + 10)
    } else {
        (year, month - 2)
    };
    (year, (153 * from_march + 2) / 5)
}

/// The day of a date in the calendar that is in force then.
pub(super) fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let gregorian = gregorian_day(year, month, day);
    if gregorian >= CUTOVER_DAY {
        gregorian
    } else {
        julian_day(year, month, day)
    }
}

/// The date of a day.
pub(super) fn date_of(day: i64) -> Date {
    let gregorian = day >= CUTOVER_DAY;
    let shifted = if gregorian {
        day + 719_468
    } else {
        day + 719_470
    };
    let (year, of_year) = if gregorian {
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * years + years / 4 - years / 100);
        (years + era * 400, of_year)
    } else {
        let era = shifted.div_euclid(1_461);
        let of_era = shifted.rem_euclid(1_461);
        let years = (of_era - of_era / 1_460) / 365;
        (years + era * 4, of_era - 365 * years)
    };
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 {
        from_march + 2
    } else {
        from_march - 10
    };
    Date {
        year: if month < 2 { year + 1 } else { year },
        month,
        day: of_year - (153 * from_march + 2) / 5 + 1,
    }
}

/// 1 for Sunday to 7 for Saturday.
pub(super) fn day_of_week(day: i64) -> i64 {
    (day + 4).rem_euclid(7) + 1
}

/// The last day at or before a day that is a given day of the week.
pub(super) fn on_or_before(day: i64, day_of_week_wanted: i64) -> i64 {
    day - (day_of_week(day) - day_of_week_wanted).rem_euclid(7)
}

/// The number of the week of a period (a year, a month) that begins at `first`.
pub(super) fn week_number(first: i64, day: i64) -> i64 {
    (day - first_sunday(first)).div_euclid(7) + 1
}

/// The Sunday that begins the first week of a period.
pub(super) fn first_sunday(first: i64) -> i64 {
    on_or_before(first, 1)
}
