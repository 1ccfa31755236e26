//! Lenient parsing of text by a pattern.

use super::{
    format::{DAYS, DateFormat, MONTHS},
    pattern::Part,
    resolve::{Field, Fields},
    zones::{begins_with, zone_at},
};

impl DateFormat {
    /// The instant (milliseconds since the epoch) that the beginning of the text stands for; `None`
    /// where Java throws a `ParseException`. What follows the match is ignored.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<i64> {
        let text: Vec<char> = text.chars().collect();
        let mut reader = Reader {
            text: &text,
            at: 0,
            fields: Fields::default(),
            century_start: self.century_start,
            ambiguous_year: false,
        };
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Literal(c) => {
                    if text.get(reader.at) != Some(c) {
                        return None;
                    }
                    reader.at += 1;
                }
                Part::Field(letter, count) => {
                    // A field right before a number takes as many digits as it has letters.
                    let limited = match self.parts.get(index + 1) {
                        Some(Part::Field('M' | 'L', count)) => *count <= 2,
                        Some(Part::Field(letter, _)) => !"GEazZX".contains(*letter),
                        _ => false,
                    };
                    reader.field(*letter, *count, limited.then_some(*count))?;
                }
            }
        }
        if reader.at == 0 {
            return None;
        }
        let instant = reader.fields.resolve();
        if reader.ambiguous_year && instant < self.century_start {
            return Some(reader.fields.plus_years(100).resolve());
        }
        Some(instant)
    }
}

struct Reader<'a> {
    text: &'a [char],
    at: usize,
    fields: Fields,
    century_start: i64,
    ambiguous_year: bool,
}

impl Reader<'_> {
    fn field(&mut self, letter: char, count: usize, limit: Option<usize>) -> Option<()> {
        let start = self.at;
        while matches!(self.text.get(self.at), Some(' ' | '\t')) {
            self.at += 1;
        }
        let first = *self.text.get(self.at)?;
        let (field, value) = match letter {
            'G' => (Field::Era, i64::from(self.name(start, &["BC", "AD"], 0)?)),
            'M' | 'L' if count > 2 => (Field::Month, i64::from(self.name(start, &MONTHS, 3)?)),
            'E' => (Field::DayOfWeek, i64::from(self.name(start, &DAYS, 3)?) + 1),
            'a' => (Field::AmPm, i64::from(self.name(start, &["AM", "PM"], 0)?)),
            'z' | 'Z' => return self.zone(start, first),
            'X' => return self.iso_zone(first, count),
            'y' | 'Y' => {
                let digits_at = self.at;
                let value = self.number(start, limit)?;
                let value = self.year(value, count, digits_at);
                let field = if letter == 'y' {
                    Field::Year
                } else {
                    Field::WeekYear
                };
                (field, value)
            }
            _ => {
                let value = self.number(start, limit)?;
                match letter {
                    'M' | 'L' => (Field::Month, value - 1),
                    'k' => (Field::HourOfDay, if value == 24 { 0 } else { value }),
                    'h' => (Field::Hour, if value == 12 { 0 } else { value }),
                    'H' => (Field::HourOfDay, value),
                    'K' => (Field::Hour, value),
                    'd' => (Field::DayOfMonth, value),
                    'D' => (Field::DayOfYear, value),
                    'F' => (Field::DayOfWeekInMonth, value),
                    'w' => (Field::WeekOfYear, value),
                    'W' => (Field::WeekOfMonth, value),
                    // Monday is 1 here and 2 in the calendar, Sunday 7 and 1.
                    'u' if (1..=7).contains(&value) => (Field::DayOfWeek, value % 7 + 1),
                    'u' => (Field::DayOfWeek, value),
                    'm' => (Field::Minute, value),
                    's' => (Field::Second, value),
                    _ => (Field::Millisecond, value),
                }
            }
        };
        self.fields.set(field, value);
        Some(())
    }

    /// The index of the longest name that stands at a place, whole or cut to `short` letters.
    fn name(&mut self, start: usize, names: &[&str], short: usize) -> Option<u8> {
        let rest = self.text.get(start..)?;
        let mut best: Option<(usize, usize)> = None;
        for (index, name) in names.iter().enumerate() {
            let cut = name.get(..short).filter(|cut| !cut.is_empty());
            for form in [Some(*name), cut].into_iter().flatten() {
                let longer = best.is_none_or(|(length, _)| form.len() > length);
                if longer && begins_with(rest, form) {
                    best = Some((form.len(), index));
                }
            }
        }
        let (length, index) = best?;
        self.at = start + length;
        u8::try_from(index).ok()
    }

    /// A whole number as Java's `DecimalFormat` reads it: a minus, digits, an exponent. With a limit,
    /// only so many characters from `start` on are looked at.
    fn number(&mut self, start: usize, limit: Option<usize>) -> Option<i64> {
        let end = match limit {
            Some(count) if start + count > self.text.len() => return None,
            Some(count) => start + count,
            None => self.text.len(),
        };
        let text = self.text.get(..end)?;
        let (value, at) = decimal(text, self.at, true)?;
        self.at = at;
        // Java: `Number.intValue` of a long keeps the low bits, of a double it saturates.
        Some(match value {
            Parsed::Long(n) => i64::from(low_int(n)),
            Parsed::Huge { negative: true } => i64::from(i32::MIN),
            Parsed::Huge { negative: false } => i64::from(i32::MAX),
        })
    }

    fn year(&mut self, value: i64, count: usize, digits_at: usize) -> i64 {
        let digit = |at: usize| self.text.get(at).is_some_and(|c| c.is_numeric());
        let two = self.at - digits_at == 2 && digit(digits_at) && digit(digits_at + 1);
        if count > 2 || !two {
            return value;
        }
        let start = super::calendar::date_of(
            self.century_start
                .div_euclid(super::calendar::MILLIS_PER_DAY),
        )
        .year;
        let pivot = start % 100;
        self.ambiguous_year = value == pivot;
        value + start / 100 * 100 + if value < pivot { 100 } else { 0 }
    }

    fn zone(&mut self, start: usize, first: char) -> Option<()> {
        match first {
            '+' | '-' => return self.numeric_zone(self.at + 1, first, 0, false),
            _ => {}
        }
        if begins_with(self.text.get(start..)?, "GMT") {
            self.at = start + 3;
            return match self.text.get(self.at) {
                Some(sign @ ('+' | '-')) => self.numeric_zone(self.at + 1, *sign, 0, true),
                _ => {
                    self.fields.zone_minutes = Some(0);
                    Some(())
                }
            };
        }
        let (offset, length) = zone_at(self.text.get(self.at..)?)?;
        self.fields.zone_minutes = Some(offset);
        self.at += length;
        Some(())
    }

    fn iso_zone(&mut self, first: char, count: usize) -> Option<()> {
        match first {
            'Z' => {
                self.fields.zone_minutes = Some(0);
                self.at += 1;
                Some(())
            }
            '+' | '-' => self.numeric_zone(self.at + 1, first, count, count == 3),
            _ => None,
        }
    }

    fn numeric_zone(&mut self, start: usize, sign: char, count: usize, colon: bool) -> Option<()> {
        let mut at = start;
        let digit = |at: usize| {
            self.text
                .get(at)
                .and_then(|c| c.to_digit(10))
                .map(i64::from)
        };
        let mut hours = digit(at)?;
        at += 1;
        match digit(at) {
            Some(second) => {
                hours = hours * 10 + second;
                at += 1;
            }
            // One digit will do only before a colon outside of ISO 8601.
            None if count > 0 || !colon => return None,
            None => {
                self.text.get(at)?;
            }
        }
        let mut minutes = 0;
        if count != 1 {
            if colon {
                if self.text.get(at) != Some(&':') {
                    return None;
                }
                at += 1;
            }
            minutes = digit(at)? * 10 + digit(at + 1)?;
            at += 2;
        }
        if hours > 23 || minutes > 59 {
            return None;
        }
        let total = hours * 60 + minutes;
        self.fields.zone_minutes = Some(if sign == '-' { -total } else { total });
        self.at = at;
        Some(())
    }
}

enum Parsed {
    Long(i64),
    Huge { negative: bool },
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's narrowing cast is the behaviour"
)]
fn low_int(number: i64) -> i32 {
    number as i32
}

fn decimal(text: &[char], start: usize, with_exponent: bool) -> Option<(Parsed, usize)> {
    let negative = text.get(start) == Some(&'-');
    let mut at = start + usize::from(negative);
    let first = at;
    let mut value = Some(0_i64);
    while let Some(digit) = text.get(at).and_then(|c| c.to_digit(10)) {
        let times_ten = value.and_then(|value| value.checked_mul(10));
        value = times_ten.and_then(|value| value.checked_add(i64::from(digit)));
        at += 1;
    }
    if at == first {
        return None;
    }
    if with_exponent
        && text.get(at) == Some(&'E')
        && let Some((Parsed::Long(exponent), end)) = decimal(text, at + 1, false)
    {
        at = end;
        value = scaled(value, exponent);
    }
    let parsed = match value {
        Some(value) => Parsed::Long(if negative { -value } else { value }),
        None => Parsed::Huge { negative },
    };
    Some((parsed, at))
}

fn scaled(value: Option<i64>, exponent: i64) -> Option<i64> {
    let power = u32::try_from(exponent.unsigned_abs().min(30)).ok()?;
    if exponent < 0 {
        return Some(value?.checked_div(10_i64.checked_pow(power)?).unwrap_or(0));
    }
    if value == Some(0) {
        return value;
    }
    value?.checked_mul(10_i64.checked_pow(power)?)
}
