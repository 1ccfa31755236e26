//! The three date patterns of `Values`, read leniently as `SimpleDateFormat` does, in UTC.

use crate::{
    Schema, SchemaAndValue, Value,
    calendar::{MILLIS_PER_DAY, days_of_date},
};

/// A piece of a pattern.
#[derive(Clone, Copy)]
enum Piece {
    Number,
    Literal(char),
}

const DATE: &[Piece] = &[
    Piece::Number,
    Piece::Literal('-'),
    Piece::Number,
    Piece::Literal('-'),
    Piece::Number,
];
const TIME: &[Piece] = &[
    Piece::Number,
    Piece::Literal(':'),
    Piece::Number,
    Piece::Literal(':'),
    Piece::Number,
    Piece::Literal('.'),
    Piece::Number,
    Piece::Literal('Z'),
];

/// A date, time or timestamp, recognised by its exact length after `\:` became `:`.
pub(super) fn parse(token: &str) -> Option<SchemaAndValue> {
    // At most every colon is escaped: longer texts cannot be candidates.
    if token.len() > 100 {
        return None;
    }
    let token = token.replace("\\:", ":");
    let length: usize = token.chars().map(char::len_utf16).sum();
    let (schema, millis) = match length {
        10 => (Schema::date(), date(&read(&token, DATE)?.0)?),
        13 => (Schema::time(), time(&read(&token, TIME)?.0)?),
        24 => {
            let (days, rest) = read(&token, DATE)?;
            let (times, _) = read(rest.strip_prefix('T')?, TIME)?;
            (Schema::timestamp(), date(&days)? + time(&times)?)
        }
        _ => return None,
    };
    Some(SchemaAndValue::new(Some(schema), Value::Instant(millis)))
}

fn date(numbers: &[i64]) -> Option<i64> {
    let [year, month, day] = numbers else {
        return None;
    };
    Some(days_of_date(*year, *month, *day) * MILLIS_PER_DAY)
}

fn time(numbers: &[i64]) -> Option<i64> {
    let [hour, minute, second, milli] = numbers else {
        return None;
    };
    Some(((hour * 60 + minute) * 60 + second) * 1000 + milli)
}

/// Reads a pattern from the front; what follows is left over.
fn read<'t>(mut text: &'t str, pattern: &[Piece]) -> Option<(Vec<i64>, &'t str)> {
    let mut numbers = Vec::with_capacity(4);
    for piece in pattern {
        match piece {
            Piece::Literal(c) => text = text.strip_prefix(*c)?,
            Piece::Number => {
                text = text.trim_start_matches([' ', '\t']);
                let negative = text.starts_with('-');
                let digits = text.strip_prefix('-').unwrap_or(text);
                let end = digits
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(digits.len());
                let number: i64 = digits.get(..end)?.parse().ok()?;
                numbers.push(i64::from(crate::logical::narrow(if negative {
                    -number
                } else {
                    number
                })));
                text = digits.get(end..)?;
            }
        }
    }
    Some((numbers, text))
}
