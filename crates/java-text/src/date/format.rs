//! Formatting an instant by a pattern.

use std::fmt::Write;

use super::{
    calendar::{MILLIS_PER_DAY, date_of, day_of, day_of_week, on_or_before, week_number},
    pattern::{DatePatternError, Part, compile},
};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A compiled date pattern, in UTC.
#[derive(Clone, Debug)]
pub struct DateFormat {
    pattern: String,
    pub(super) parts: Vec<Part>,
    /// Years of two digits lie in the hundred years from this instant on.
    pub(super) century_start: i64,
}

impl DateFormat {
    /// Compiles a pattern. `now` (milliseconds since the epoch) decides what years of two digits mean:
    /// they lie between 80 years before and 20 years after it.
    ///
    /// # Errors
    /// Java's `IllegalArgumentException` of the pattern.
    pub fn new(pattern: &str, now: i64) -> Result<Self, DatePatternError> {
        let parts = compile(pattern)?;
        let today = date_of(now.div_euclid(MILLIS_PER_DAY));
        let start = day_of(today.year - 80, today.month, today.day);
        Ok(Self {
            pattern: pattern.to_owned(),
            parts,
            century_start: start * MILLIS_PER_DAY + now.rem_euclid(MILLIS_PER_DAY),
        })
    }

    /// The pattern as given.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// The text of an instant (milliseconds since the epoch).
    #[must_use]
    pub fn format(&self, millis: i64) -> String {
        let mut out = String::with_capacity(self.pattern.len() + 8);
        let at = Fields::of(millis);
        for part in &self.parts {
            match part {
                Part::Literal(c) => out.push(*c),
                Part::Field(letter, count) => at.write(*letter, *count, &mut out),
            }
        }
        out
    }
}

struct Fields {
    day_number: i64,
    year: i64,
    month: i64,
    day: i64,
    of_day: i64,
}

impl Fields {
    fn of(millis: i64) -> Self {
        let day_number = millis.div_euclid(MILLIS_PER_DAY);
        let date = date_of(day_number);
        Self {
            day_number,
            year: date.year,
            month: date.month,
            day: date.day,
            of_day: millis.rem_euclid(MILLIS_PER_DAY),
        }
    }

    fn first_of_year(&self) -> i64 {
        day_of(self.year, 0, 1)
    }

    fn week_of_year(&self) -> i64 {
        let week = week_number(self.first_of_year(), self.day_number);
        let next = day_of(self.year + 1, 0, 1);
        // The week of the next 1 January is already the first of that year.
        if week >= 52 && self.day_number >= on_or_before(next, 1) {
            1
        } else {
            week
        }
    }

    fn is_in_first_week_of_next_year(&self) -> bool {
        if self.year > 0 {
            return self.month == 11 && self.week_of_year() == 1;
        }
        // Before Christ Java looks for the next year in the wrong direction.
        let days_left = day_of(self.year + 1, 0, 1) - self.day_number;
        let wrong_next = day_of(-self.year, 0, 1);
        let to_sunday = (1 - day_of_week(wrong_next)).rem_euclid(7);
        to_sunday > 0 && days_left <= 7 - to_sunday
    }

    fn write(&self, letter: char, count: usize, out: &mut String) {
        let hour = self.of_day / 3_600_000;
        let number = match letter {
            'G' => return out.push_str(if self.year > 0 { "AD" } else { "BC" }),
            'y' => return write_year(era_year(self.year), count, out),
            'Y' => {
                let next = self.is_in_first_week_of_next_year();
                return write_year(self.year + i64::from(next), count, out);
            }
            'M' | 'L' if count >= 3 => return write_name(&MONTHS, self.month, count, out),
            'M' | 'L' => self.month + 1,
            'w' => self.week_of_year(),
            'W' => week_number(self.day_number - self.day + 1, self.day_number),
            'D' => self.day_number - self.first_of_year() + 1,
            'd' => self.day,
            'F' => (self.day - 1) / 7 + 1,
            'E' => {
                return write_name(&DAYS, day_of_week(self.day_number) - 1, count, out);
            }
            'u' => (day_of_week(self.day_number) + 5) % 7 + 1,
            'a' => return out.push_str(if hour < 12 { "AM" } else { "PM" }),
            'H' => hour,
            'k' if hour == 0 => 24,
            'k' => hour,
            'K' => hour % 12,
            'h' if hour % 12 == 0 => 12,
            'h' => hour % 12,
            'm' => self.of_day / 60_000 % 60,
            's' => self.of_day / 1_000 % 60,
            'S' => self.of_day % 1_000,
            'z' if count >= 4 => return out.push_str("Coordinated Universal Time"),
            'z' => return out.push_str("UTC"),
            'Z' => return out.push_str("+0000"),
            _ => return out.push('Z'),
        };
        pad(number, count, out);
    }
}

/// Years before Christ are counted backwards.
fn era_year(year: i64) -> i64 {
    if year > 0 { year } else { 1 - year }
}

fn write_year(year: i64, count: usize, out: &mut String) {
    if count == 2 {
        pad(year % 100, 2, out);
    } else {
        pad(year, count, out);
    }
}

fn write_name(names: &[&str], index: i64, count: usize, out: &mut String) {
    let name = usize::try_from(index)
        .ok()
        .and_then(|i| names.get(i))
        .copied();
    let name = name.unwrap_or_default();
    out.push_str(if count >= 4 {
        name
    } else {
        name.get(..3).unwrap_or(name)
    });
}

fn pad(number: i64, width: usize, out: &mut String) {
    if number < 0 {
        out.push('-');
    }
    // Writing to a string cannot fail.
    let _ = write!(out, "{:0width$}", number.unsigned_abs());
}
