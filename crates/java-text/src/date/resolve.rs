//! From calendar fields to an instant, as `CalendarBuilder` and a lenient `GregorianCalendar` do:
//! of competing fields, the ones set last count.

use super::calendar::{
    CUTOVER_DAY, MILLIS_PER_DAY, first_sunday, gregorian_day, julian_day, on_or_before,
};

/// The fields that a pattern can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    Year,
    WeekYear,
    Month,
    DayOfMonth,
    DayOfYear,
    DayOfWeek,
    DayOfWeekInMonth,
    WeekOfMonth,
    WeekOfYear,
    AmPm,
    Hour,
    HourOfDay,
    Minute,
    Second,
    Millisecond,
}

const FIELDS: usize = 16;

/// The fields set so far, with the order in which they were set.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    values: [i64; FIELDS],
    /// 0: not set.
    stamps: [u32; FIELDS],
    next: u32,
    pub(super) zone_minutes: Option<i64>,
}

impl Fields {
    pub(super) fn set(&mut self, field: Field, value: i64) {
        self.next += 1;
        if let Some(slot) = self.values.get_mut(field as usize) {
            *slot = value;
        }
        if let Some(stamp) = self.stamps.get_mut(field as usize) {
            *stamp = self.next;
        }
    }

    pub(super) fn plus_years(&self, years: i64) -> Self {
        let mut later = self.clone();
        for field in [Field::Year, Field::WeekYear] {
            if let Some(slot) = later.values.get_mut(field as usize) {
                *slot += years;
            }
        }
        later
    }

    fn stamp(&self, field: Field) -> u32 {
        self.stamps.get(field as usize).copied().unwrap_or(0)
    }

    fn get(&self, field: Field) -> Option<i64> {
        let value = self.values.get(field as usize).copied();
        value.filter(|_| self.stamp(field) > 0)
    }

    /// The instant in milliseconds since the epoch.
    pub(super) fn resolve(&self) -> i64 {
        let day = self.day();
        let zone = self.zone_minutes.unwrap_or(0) * 60_000;
        day.wrapping_mul(MILLIS_PER_DAY)
            .wrapping_add(self.time_of_day())
            .wrapping_sub(zone)
    }

    fn time_of_day(&self) -> i64 {
        let by_half = both(self.stamp(Field::Hour), self.stamp(Field::AmPm));
        let by_day = self.stamp(Field::HourOfDay);
        let half_day = if by_half.max(by_day) == 0 {
            true
        } else {
            by_half > by_day
        };
        let hour = if half_day {
            self.get(Field::Hour).unwrap_or(0) + 12 * self.get(Field::AmPm).unwrap_or(0)
        } else {
            self.get(Field::HourOfDay).unwrap_or(0)
        };
        let minutes = hour * 60 + self.get(Field::Minute).unwrap_or(0);
        let seconds = minutes * 60 + self.get(Field::Second).unwrap_or(0);
        seconds * 1_000 + self.get(Field::Millisecond).unwrap_or(0)
    }

    fn day(&self) -> i64 {
        let by_weeks = self.stamp(Field::WeekYear) > self.stamp(Field::Year);
        let before_christ = self.get(Field::Era) == Some(0);
        if let (true, Some(year)) = (by_weeks, self.get(Field::WeekYear)) {
            let year = if before_christ { 1 - year } else { year };
            let first = first_sunday(super::calendar::day_of(year, 0, 1));
            let week = self.get(Field::WeekOfYear).unwrap_or(1);
            let day_of_week = self.get(Field::DayOfWeek).unwrap_or(1);
            if (1..=7).contains(&day_of_week) {
                return first + 7 * (week - 1) + day_of_week - 1;
            }
            // Java takes days beyond the week as counted from Monday.
            let days = day_of_week - 1;
            let from_sunday = (days.rem_euclid(7) + 1) % 7;
            return first + 7 * (week - 1 + days.div_euclid(7)) + from_sunday;
        }
        let mut year = self.get(Field::Year).unwrap_or(1970);
        if before_christ {
            year = 1 - year;
        }
        let gregorian = self.day_by(year, gregorian_day);
        if gregorian >= CUTOVER_DAY {
            return gregorian;
        }
        let julian = self.day_by(year, julian_day);
        // The ten days that never were are read in the old calendar.
        if julian >= CUTOVER_DAY && year > 1582 {
            gregorian
        } else {
            julian
        }
    }

    /// `GregorianCalendar.getFixedDate` under the fields that count.
    fn day_by(&self, year: i64, day_of: impl Fn(i64, i64, i64) -> i64) -> i64 {
        let month = self.get(Field::Month).unwrap_or(0);
        let of_month = day_of(year, month, 1);
        let of_year = day_of(year, 0, 1);
        let day_of_week = self.get(Field::DayOfWeek);
        match self.deciding() {
            Field::DayOfYear => of_year + self.get(Field::DayOfYear).unwrap_or(1) - 1,
            Field::WeekOfYear => {
                let mut first = first_sunday(of_year);
                if let Some(wanted) = day_of_week {
                    first = on_or_before(first + 6, wanted);
                }
                first + weeks(self.get(Field::WeekOfYear).unwrap_or(1) - 1)
            }
            Field::WeekOfMonth => {
                let mut first = first_sunday(of_month);
                if let Some(wanted) = day_of_week {
                    first = on_or_before(first + 6, wanted);
                }
                first + weeks(self.get(Field::WeekOfMonth).unwrap_or(1) - 1)
            }
            Field::DayOfWeekInMonth => {
                let wanted = day_of_week.unwrap_or(1);
                let number = self.get(Field::DayOfWeekInMonth).unwrap_or(1);
                if number >= 0 {
                    return on_or_before(of_month + weeks(number) - 1, wanted);
                }
                let length = day_of(year, month + 1, 1) - of_month;
                on_or_before(of_month + length + weeks(number + 1) - 1, wanted)
            }
            _ => of_month + self.get(Field::DayOfMonth).unwrap_or(1) - 1,
        }
    }

    /// Which field decides the day, as `Calendar.selectFields`.
    fn deciding(&self) -> Field {
        let by_week_day = self.stamp(Field::DayOfWeek);
        let day_of_month = self.stamp(Field::DayOfMonth);
        let day_of_year = self.stamp(Field::DayOfYear);
        let mut week_of_month = both(self.stamp(Field::WeekOfMonth), by_week_day);
        let mut in_month = both(self.stamp(Field::DayOfWeekInMonth), by_week_day);
        let mut week_of_year = both(self.stamp(Field::WeekOfYear), by_week_day);
        let mut best = day_of_month
            .max(week_of_month)
            .max(in_month)
            .max(day_of_year)
            .max(week_of_year);
        if best == 0 {
            week_of_month = self.stamp(Field::WeekOfMonth);
            in_month = self.stamp(Field::DayOfWeekInMonth).max(by_week_day);
            week_of_year = self.stamp(Field::WeekOfYear);
            best = week_of_month.max(in_month).max(week_of_year);
            if best == 0 {
                return Field::DayOfMonth;
            }
        }
        if best == day_of_month {
            return Field::DayOfMonth;
        }
        let year_week = self.stamp(Field::WeekOfYear);
        let own_month_week = self.stamp(Field::WeekOfMonth);
        let own_in_month = self.stamp(Field::DayOfWeekInMonth);
        let in_month_wins = (best == week_of_month && own_month_week >= year_week)
            || (best == in_month && own_in_month >= year_week);
        if in_month_wins {
            if week_of_month == in_month {
                return if own_month_week >= own_in_month {
                    Field::WeekOfMonth
                } else {
                    Field::DayOfWeekInMonth
                };
            }
            return if best == week_of_month {
                Field::WeekOfMonth
            } else {
                Field::DayOfWeekInMonth
            };
        }
        if best == day_of_year {
            Field::DayOfYear
        } else {
            Field::WeekOfYear
        }
    }
}

/// Set only when both are: then as late as the later one.
fn both(a: u32, b: u32) -> u32 {
    if a == 0 || b == 0 { 0 } else { a.max(b) }
}

/// Days of so many weeks, in Java's arithmetic of 32 bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's wrapping arithmetic is the behaviour"
)]
fn weeks(number: i64) -> i64 {
    i64::from((number as i32).wrapping_mul(7))
}
