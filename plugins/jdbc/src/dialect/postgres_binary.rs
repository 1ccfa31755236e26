//! Cells as PostgreSQL's binary format, for `COPY`: the server takes them as they are, in half the time of texts.
//!
//! Only where a cell and the type of its column mean the same: all else goes as text, which the server reads by the
//! type of the column, with its own words about what does not fit.

use milena_data::Value;

use super::{Write, postgres_text as text};
use crate::cell::{Cell, Column, DAY_SECONDS, Stamp};

/// 2000-01-01 in days since 1970-01-01: PostgreSQL counts from there.
const EPOCH_DAYS: i64 = 10_957;
/// What every binary `COPY` begins with: the signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
pub(super) const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
/// The largest scale that fits the arithmetic of [`numeric`].
const SCALE_MAX: i32 = 18;
/// The largest integers that a double holds are below it.
const DOUBLE_EXACT: i64 = 1 << 53;

/// How a column takes its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Jsonb,
    Bytes,
    Date,
    Time,
    Timestamp,
    TimestampTz,
}

impl Form {
    /// Of a column; `None`: its values go as text.
    pub(super) fn of(column: &Column) -> Option<Self> {
        Some(match column.type_name.as_str() {
            "bool" => Self::Bool,
            "int2" => Self::Int2,
            "int4" => Self::Int4,
            "int8" => Self::Int8,
            "float4" => Self::Float4,
            "float8" => Self::Float8,
            "numeric" => Self::Numeric,
            "text" | "varchar" | "bpchar" | "json" => Self::Text,
            "jsonb" => Self::Jsonb,
            "bytea" => Self::Bytes,
            "date" => Self::Date,
            "time" => Self::Time,
            "timestamp" => Self::Timestamp,
            "timestamptz" => Self::TimestampTz,
            _ => return None,
        })
    }

    /// Whether the server would make the same of the cell's binary form as of its text.
    pub(super) fn takes(self, cell: &Cell) -> bool {
        match (self, cell) {
            (_, Cell::Null)
            | (Self::Bool, Cell::Bool(_))
            | (Self::Int8, Cell::Int(_))
            | (Self::Float4, Cell::Float(_))
            | (Self::Float8, Cell::Double(_))
            | (Self::Numeric, Cell::Int(_))
            | (Self::Jsonb, Cell::Text(_))
            | (Self::Bytes, Cell::Bytes(_)) => true,
            (Self::Text, cell) => !matches!(cell, Cell::Bytes(_) | Cell::Array(_)),
            (Self::Int2, Cell::Int(n)) => i16::try_from(*n).is_ok(),
            (Self::Int4, Cell::Int(n)) => i32::try_from(*n).is_ok(),
            (Self::Float8, Cell::Int(n)) => (-DOUBLE_EXACT..=DOUBLE_EXACT).contains(n),
            (Self::Numeric, Cell::Decimal(decimal)) => {
                (0..=SCALE_MAX).contains(&decimal.scale()) && decimal.unscaled_i64().is_some()
            }
            (Self::Date, Cell::Date(day)) => date(*day).is_some(),
            (Self::Time, Cell::Time(nanos)) => nanos % 1000 == 0,
            (Self::Timestamp, Cell::Local(stamp)) | (Self::TimestampTz, Cell::Instant(stamp)) => {
                micros(*stamp).is_some()
            }
            (Self::Date | Self::Timestamp | Self::TimestampTz, Cell::Infinite(_)) => true,
            _ => false,
        }
    }

    /// Appends a cell that [`Self::takes`] has allowed; `scratch` saves an allocation.
    pub(super) fn put(self, cell: &Cell, out: &mut Vec<u8>, scratch: &mut String) {
        match (self, cell) {
            (_, Cell::Null) => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            (Self::Text, Cell::Text(text)) => field(out, text.as_bytes()),
            (Self::Text, cell) => {
                scratch.clear();
                text::write(cell, scratch);
                field(out, scratch.as_bytes());
            }
            (Self::Jsonb, Cell::Text(text)) => {
                length(out, text.len() + 1);
                out.push(1);
                out.extend_from_slice(text.as_bytes());
            }
            (_, Cell::Bytes(bytes)) => field(out, bytes),
            (_, Cell::Bool(value)) => field(out, &[u8::from(*value)]),
            (Self::Int2, Cell::Int(n)) => field(out, &(*n as i16).to_be_bytes()),
            (Self::Int4, Cell::Int(n)) => field(out, &(*n as i32).to_be_bytes()),
            (Self::Float8, Cell::Int(n)) => field(out, &(*n as f64).to_be_bytes()),
            (Self::Numeric, Cell::Int(n)) => numeric(out, *n, 0),
            (_, Cell::Int(n)) => field(out, &n.to_be_bytes()),
            (_, Cell::Float(x)) => field(out, &x.to_be_bytes()),
            (_, Cell::Double(x)) => field(out, &x.to_be_bytes()),
            (_, Cell::Decimal(decimal)) => {
                let unscaled = decimal.unscaled_i64().unwrap_or_default();
                numeric(out, unscaled, decimal.scale().unsigned_abs());
            }
            (Self::Date, Cell::Infinite(positive)) => {
                let day = if *positive { i32::MAX } else { i32::MIN };
                field(out, &day.to_be_bytes());
            }
            (_, Cell::Infinite(positive)) => {
                let moment = if *positive { i64::MAX } else { i64::MIN };
                field(out, &moment.to_be_bytes());
            }
            (_, Cell::Date(day)) => field(out, &date(*day).unwrap_or_default().to_be_bytes()),
            (_, Cell::Time(nanos)) => field(out, &(nanos / 1000).to_be_bytes()),
            (_, Cell::Local(stamp) | Cell::Instant(stamp)) => {
                field(out, &micros(*stamp).unwrap_or_default().to_be_bytes());
            }
            // None that was allowed is left.
            (_, Cell::UInt(_) | Cell::Text(_) | Cell::Array(_)) => {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
            }
        }
    }
}

fn length(out: &mut Vec<u8>, length: usize) {
    // The server refuses a message of 1 GB long before a length of 2 GB.
    let length = i32::try_from(length).unwrap_or(i32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
}

/// A field whose length its type tells: length and bytes go in one piece.
#[inline]
fn sized<const N: usize>(out: &mut Vec<u8>, bytes: [u8; N]) {
    out.reserve(4 + N);
    out.extend_from_slice(&(N as i32).to_be_bytes());
    out.extend_from_slice(&bytes);
}

#[inline]
fn field(out: &mut Vec<u8>, bytes: &[u8]) {
    // Once, for both.
    out.reserve(4 + bytes.len());
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Days since 2000; the two that stand for infinity are nobody's day.
fn date(day: i64) -> Option<i32> {
    let day = i32::try_from(day - EPOCH_DAYS).ok()?;
    (day != i32::MIN && day != i32::MAX).then_some(day)
}

/// Microseconds since 2000; the text form rounds what is finer.
fn micros(stamp: Stamp) -> Option<i64> {
    if !stamp.nanos.is_multiple_of(1000) {
        return None;
    }
    let micros = (stamp.seconds - EPOCH_DAYS * DAY_SECONDS)
        .checked_mul(1_000_000)?
        .checked_add(i64::from(stamp.nanos / 1000))?;
    (micros != i64::MIN && micros != i64::MAX).then_some(micros)
}

/// Digits of base 10000 with a weight and a scale: no zeros in front or behind.
fn numeric(out: &mut Vec<u8>, unscaled: i64, scale: u32) {
    let mut high = u128::from(unscaled.unsigned_abs()) * 10_u128.pow((4 - scale % 4) % 4);
    // Lowest first; at most 23 decimal digits come in.
    let mut digits = [0_i16; 10];
    let mut count = 0_usize;
    let mut weight = -1_i16 - i16::try_from(scale.div_ceil(4)).unwrap_or(0);
    let mut put = |digit: i16| {
        weight += 1;
        if (count > 0 || digit != 0)
            && let Some(place) = digits.get_mut(count)
        {
            *place = digit;
            count += 1;
        }
    };
    // Division of machine words is many times faster, and nearly all fit one.
    while high > u128::from(u64::MAX) {
        put((high % 10_000) as i16);
        high /= 10_000;
    }
    let mut low = high as u64;
    while low > 0 {
        put((low % 10_000) as i16);
        low /= 10_000;
    }
    if count == 0 {
        weight = 0;
    }
    length(out, 8 + 2 * count);
    out.extend_from_slice(&(count as i16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    let sign: u16 = if unscaled < 0 { 0x4000 } else { 0 };
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    for digit in digits.iter().take(count).rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

/// The forms of the columns of a write, for rows that are laid out as they come.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    forms: Vec<Form>,
}

impl Layout {
    /// `None`: the values of some column go as text.
    pub(super) fn of(write: &Write) -> Option<Self> {
        let forms = write.columns().map(Form::of).collect::<Option<_>>()?;
        Some(Self { forms })
    }

    /// Begins a row, which [`Self::plain`] and [`Self::cell`] go on with, column by column, and [`Self::number`] if it has
    /// one.
    pub(crate) fn begin(&self, numbered: bool, out: &mut Vec<u8>) {
        // A table has 1600 columns at most.
        let count = self.forms.len() + usize::from(numbered);
        out.extend_from_slice(&(count as i16).to_be_bytes());
    }

    /// Ends a row with its number.
    pub(crate) fn number(&self, number: i64, out: &mut Vec<u8>) {
        sized(out, number.to_be_bytes());
    }

    /// Whether the server takes values of these columns for equal when their bytes are.
    pub(crate) fn is_equal_by_bytes(&self, columns: usize) -> bool {
        let plain = |form: &Form| matches!(form, Form::Int2 | Form::Int4 | Form::Int8 | Form::Date);
        self.forms.iter().take(columns).all(plain)
    }

    /// Appends what needs no look at its schema; `false`: its column takes it otherwise, or not at all.
    #[inline]
    pub(crate) fn plain(&self, column: usize, value: &Value, out: &mut Vec<u8>) -> bool {
        let Some(form) = self.forms.get(column) else {
            return false;
        };
        match (form, value) {
            (Form::Text, Value::String(text)) => field(out, text.as_bytes()),
            (Form::Int8, Value::Int64(n)) => sized(out, n.to_be_bytes()),
            (Form::Int4, Value::Int32(n)) => sized(out, n.to_be_bytes()),
            (Form::Int2, Value::Int16(n)) => sized(out, n.to_be_bytes()),
            (Form::Float8, Value::Float64(x)) => sized(out, x.to_be_bytes()),
            (Form::Float4, Value::Float32(x)) => sized(out, x.to_be_bytes()),
            (Form::Bool, Value::Boolean(value)) => sized(out, [u8::from(*value)]),
            (Form::Bytes, Value::Bytes(bytes)) => field(out, bytes),
            (Form::Numeric, Value::Decimal(decimal)) => {
                match (decimal.unscaled_i64(), decimal.scale()) {
                    (Some(unscaled), scale @ 0..=SCALE_MAX) => {
                        numeric(out, unscaled, scale.unsigned_abs());
                    }
                    _ => return false,
                }
            }
            _ => return false,
        }
        true
    }

    /// Appends a cell; `false`: its column does not take it in binary.
    pub(crate) fn cell(
        &self,
        column: usize,
        cell: &Cell,
        out: &mut Vec<u8>,
        scratch: &mut String,
    ) -> bool {
        let Some(form) = self.forms.get(column).filter(|form| form.takes(cell)) else {
            return false;
        };
        form.put(cell, out, scratch);
        true
    }
}

#[cfg(test)]
mod tests {
    use milena_data::Decimal;
    use num_bigint::BigInt;

    use super::{Form, TRAILER};
    use crate::cell::{Cell, Stamp};

    fn bytes(form: Form, cell: &Cell) -> Vec<u8> {
        assert!(form.takes(cell), "{cell:?}");
        let mut out = Vec::new();
        form.put(cell, &mut out, &mut String::new());
        out.split_off(4)
    }

    fn words(unscaled: i64, scale: i32) -> Vec<i16> {
        let cell = Cell::Decimal(Decimal::new(BigInt::from(unscaled), scale));
        let bytes = bytes(Form::Numeric, &cell);
        let words = bytes.chunks(2);
        words
            .map(|two| i16::from_be_bytes([two[0], two[1]]))
            .collect()
    }

    #[test]
    fn numbers_as_the_server_has_them() {
        // Count, weight, sign, scale, digits: what `numeric_send` answers for the same numbers.
        assert_eq!(words(0, 2), [0, 0, 0, 2]);
        assert_eq!(words(12_345, 2), [2, 0, 0, 2, 123, 4500]);
        assert_eq!(words(-5, 3), [1, -1, 0x4000, 3, 50]);
        assert_eq!(words(100_000_000, 0), [1, 2, 0, 0, 1]);
        assert_eq!(words(1, 5), [1, -2, 0, 5, 1000]);
        assert_eq!(words(i64::MAX, 18)[..4], [6, 0, 0, 18]);
    }

    #[test]
    fn what_would_mean_something_else_goes_as_text() {
        let text = Cell::Text("1".into());
        for form in [
            Form::Int4,
            Form::Numeric,
            Form::Date,
            Form::Timestamp,
            Form::Bool,
        ] {
            assert!(!form.takes(&text));
        }
        assert!(!Form::Int2.takes(&Cell::Int(40_000)));
        assert!(!Form::Float8.takes(&Cell::Float(0.1)));
        assert!(!Form::Float8.takes(&Cell::Int((1 << 53) + 1)));
        let stamp = Stamp {
            seconds: 0,
            nanos: 1,
        };
        assert!(!Form::Timestamp.takes(&Cell::Local(stamp)));
        assert!(!Form::Timestamp.takes(&Cell::Instant(Stamp::from_millis(0))));
        assert_eq!(bytes(Form::Text, &Cell::Int(-7)), b"-7");
        assert_eq!(TRAILER, [0xff, 0xff]);
    }
}
