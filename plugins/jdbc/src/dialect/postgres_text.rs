//! Cells as PostgreSQL's text format, for parameters and `COPY`: the server reads them by the type of the
//! column, whichever that is.

use std::fmt::Write as _;

use crate::cell::{Cell, DAY_SECONDS, Stamp, civil_of_days};

/// Appends the text of a cell that is not null.
pub(super) fn write(cell: &Cell, out: &mut String) {
    // Writing to a string does not fail.
    let _infallible = match cell {
        Cell::Null => Ok(()),
        Cell::Bool(value) => write!(out, "{value}"),
        Cell::Int(n) => write!(out, "{n}"),
        Cell::UInt(n) => write!(out, "{n}"),
        Cell::Float(x) => float(out, f64::from(*x), x),
        Cell::Double(x) => float(out, *x, x),
        Cell::Decimal(decimal) => write!(out, "{decimal}"),
        Cell::Text(text) => {
            out.push_str(text);
            Ok(())
        }
        Cell::Bytes(bytes) => {
            out.push_str("\\x");
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
        Cell::Date(day) => {
            let bc = date(out, *day);
            out.push_str(bc);
            Ok(())
        }
        Cell::Time(nanos) => {
            time(out, *nanos);
            Ok(())
        }
        Cell::Local(stamp) => {
            self::stamp(out, *stamp, "");
            Ok(())
        }
        Cell::Instant(stamp) => {
            self::stamp(out, *stamp, "+00");
            Ok(())
        }
        Cell::Infinite(positive) => {
            out.push_str(if *positive { "infinity" } else { "-infinity" });
            Ok(())
        }
        Cell::Array(items) => {
            array(out, items);
            Ok(())
        }
    };
}

fn float(out: &mut String, value: f64, shown: impl std::fmt::Display) -> std::fmt::Result {
    match value {
        x if x.is_nan() => out.push_str("NaN"),
        f64::INFINITY => out.push_str("Infinity"),
        f64::NEG_INFINITY => out.push_str("-Infinity"),
        _ => return write!(out, "{shown}"),
    }
    Ok(())
}

/// Appends two digits, which the machinery of `write!` takes ten times as long for.
fn two(out: &mut String, number: i64) {
    for digit in [number / 10 % 10, number % 10] {
        out.push(char::from(b'0' + u8::try_from(digit).unwrap_or(0)));
    }
}

/// Appends a time of nanoseconds since midnight.
fn time(out: &mut String, nanos: i64) {
    let seconds = nanos / 1_000_000_000;
    two(out, seconds / 3600);
    out.push(':');
    two(out, seconds / 60 % 60);
    out.push(':');
    two(out, seconds % 60);
    let (mut rest, mut unit) = (nanos % 1_000_000_000, 100_000_000);
    if rest > 0 {
        out.push('.');
    }
    while rest > 0 {
        out.push(char::from(b'0' + u8::try_from(rest / unit).unwrap_or(0)));
        (rest, unit) = (rest % unit, unit / 10);
    }
}

/// Appends a date; answers what must follow it.
fn date(out: &mut String, day: i64) -> &'static str {
    let (year, month, day) = civil_of_days(day);
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    match year {
        1000..=9999 => {
            two(out, year / 100);
            two(out, year % 100);
        }
        _ => {
            let _infallible = write!(out, "{year:04}");
        }
    }
    out.push('-');
    two(out, month.into());
    out.push('-');
    two(out, day.into());
    era
}

fn stamp(out: &mut String, stamp: Stamp, zone: &str) {
    let era = date(out, stamp.seconds.div_euclid(DAY_SECONDS));
    out.push(' ');
    let seconds = stamp.seconds.rem_euclid(DAY_SECONDS);
    time(out, seconds * 1_000_000_000 + i64::from(stamp.nanos));
    out.push_str(zone);
    out.push_str(era);
}

fn array(out: &mut String, items: &[Cell]) {
    out.push('{');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match item {
            Cell::Null => out.push_str("NULL"),
            Cell::Array(inner) => array(out, inner),
            item => {
                let mut text = String::new();
                write(item, &mut text);
                out.push('"');
                for letter in text.chars() {
                    if matches!(letter, '"' | '\\') {
                        out.push('\\');
                    }
                    out.push(letter);
                }
                out.push('"');
            }
        }
    }
    out.push('}');
}

/// Appends a cell as a field of `COPY … FROM STDIN` in text format; `scratch` saves an allocation.
pub(super) fn copy_field(cell: &Cell, out: &mut String, scratch: &mut String) {
    match cell {
        Cell::Null => out.push_str("\\N"),
        Cell::Text(text) => escaped(text, out),
        Cell::Bytes(_) | Cell::Array(_) => {
            scratch.clear();
            write(cell, scratch);
            escaped(scratch, out);
        }
        cell => write(cell, out),
    }
}

fn escaped(text: &str, out: &mut String) {
    let special = |byte: u8| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(special) {
        let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut letters = from.chars();
        out.push_str(match letters.next() {
            Some('\\') => "\\\\",
            Some('\n') => "\\n",
            Some('\r') => "\\r",
            _ => "\\t",
        });
        rest = letters.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::{copy_field, write};
    use crate::cell::{Cell, Stamp, days_of_civil};

    fn text(cell: &Cell) -> String {
        let mut out = String::new();
        write(cell, &mut out);
        out
    }

    #[test]
    fn texts_that_the_server_reads() {
        assert_eq!(
            text(&Cell::Date(days_of_civil(-43, 3, 15))),
            "0044-03-15 BC"
        );
        assert_eq!(
            text(&Cell::Instant(Stamp::from_micros(1))),
            "1970-01-01 00:00:00.000001+00"
        );
        assert_eq!(text(&Cell::Time(86_399_999_000_001)), "23:59:59.999000001");
        assert_eq!(text(&Cell::Time(3_723_000_000_000)), "01:02:03");
        let stamp = Stamp::from_millis(1_767_323_045_120);
        assert_eq!(text(&Cell::Local(stamp)), "2026-01-02 03:04:05.12");
        assert_eq!(
            text(&Cell::Date(days_of_civil(294_276, 12, 31))),
            "294276-12-31"
        );
        assert_eq!(text(&Cell::Double(1.5)), "1.5");
        assert_eq!(text(&Cell::Double(f64::NEG_INFINITY)), "-Infinity");
        let array = Cell::Array(vec![Cell::Text("a\"\\".into()), Cell::Null, Cell::Int(1)]);
        assert_eq!(text(&array), "{\"a\\\"\\\\\",NULL,\"1\"}");
        let mut out = String::new();
        copy_field(&Cell::Text("a\tb\\\n".into()), &mut out, &mut String::new());
        assert_eq!(out, "a\\tb\\\\\\n");
    }
}
