//! Cells as PostgreSQL's text format, for parameters and `COPY`: the server reads them by the type of the
//! column, whichever that is.

use std::fmt::Write as _;

use crate::cell::{Cell, DAY_SECONDS, Stamp, civil_of_days, time_text};

/// Appends the text of a cell that is not null.
pub(super) fn write(cell: &Cell, out: &mut String) {
    // Writing to a string does not fail.
    let _infallible = match cell {
        Cell::Null => Ok(()),
        Cell::Bool(value) => write!(out, "{value}"),
        Cell::Int(n) => write!(out, "{n}"),
        Cell::UInt(n) => write!(out, "{n}"),
        Cell::Float(x) => float(out, f64::from(*x), &x.to_string()),
        Cell::Double(x) => float(out, *x, &x.to_string()),
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
        Cell::Time(nanos) => write!(out, "{}", time_text(*nanos, 0)),
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

fn float(out: &mut String, value: f64, shown: &str) -> std::fmt::Result {
    match value {
        x if x.is_nan() => out.push_str("NaN"),
        f64::INFINITY => out.push_str("Infinity"),
        f64::NEG_INFINITY => out.push_str("-Infinity"),
        _ => out.push_str(shown),
    }
    Ok(())
}

/// Appends a date; answers what must follow it.
fn date(out: &mut String, day: i64) -> &'static str {
    let (year, month, day) = civil_of_days(day);
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    let _infallible = write!(out, "{year:04}-{month:02}-{day:02}");
    era
}

fn stamp(out: &mut String, stamp: Stamp, zone: &str) {
    let era = date(out, stamp.seconds.div_euclid(DAY_SECONDS));
    let time = stamp.seconds.rem_euclid(DAY_SECONDS) * 1_000_000_000 + i64::from(stamp.nanos);
    let _infallible = write!(out, " {}{zone}{era}", time_text(time, 0));
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
        Cell::Text(_) | Cell::Bytes(_) | Cell::Array(_) => {
            scratch.clear();
            write(cell, scratch);
            let mut rest = scratch.as_str();
            while let Some(at) = rest.find(['\\', '\n', '\r', '\t']) {
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
        cell => write(cell, out),
    }
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
        assert_eq!(text(&Cell::Double(f64::NEG_INFINITY)), "-Infinity");
        let array = Cell::Array(vec![Cell::Text("a\"\\".into()), Cell::Null, Cell::Int(1)]);
        assert_eq!(text(&array), "{\"a\\\"\\\\\",NULL,\"1\"}");
        let mut out = String::new();
        copy_field(&Cell::Text("a\tb\\\n".into()), &mut out, &mut String::new());
        assert_eq!(out, "a\\tb\\\\\\n");
    }
}
