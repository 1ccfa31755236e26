//! Reading and writing decimals as `java.math.BigDecimal` does.

use std::fmt;

use num_bigint::BigInt;

use crate::{DECIMAL_ZEROS_MAX, DataError, Decimal, error::NUMBER_FORMAT_EXCEPTION};

/// The longest text that is read as a decimal: reading is quadratic in the digits, so a record of
/// some megabytes of digits would hold a task for minutes.
pub const DECIMAL_TEXT_MAX: usize = 100_000;

const NO_EXPONENT_MARK: &str = "Character array is missing \"e\" notation exponential mark.";

fn bad(message: impl Into<String>) -> DataError {
    DataError::of(NUMBER_FORMAT_EXCEPTION, message)
}

/// The text ends where a character is needed: Java's own array bound, as a cause.
fn ended(text: &str) -> DataError {
    let length = text.encode_utf16().count();
    DataError {
        class: NUMBER_FORMAT_EXCEPTION.into(),
        message: None,
        cause: Some(Box::new(DataError::of(
            "java.lang.ArrayIndexOutOfBoundsException",
            format!("Index {length} out of bounds for length {length}"),
        ))),
    }
}

impl Decimal {
    /// `new BigDecimal(text)`.
    ///
    /// # Errors
    /// `NumberFormatException` with the text of JDK 17; also a text of more than [`DECIMAL_TEXT_MAX`]
    /// bytes, which Java would read.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        if text.len() > DECIMAL_TEXT_MAX {
            return Err(bad(format!(
                "the decimal has {} characters, at most {DECIMAL_TEXT_MAX} are read",
                text.len()
            )));
        }
        let unsigned = text.strip_prefix(['+', '-']);
        let negative = text.starts_with('-');
        let body = unsigned.unwrap_or(text);
        let long_text = body.encode_utf16().count() > 18;
        if text.is_empty() {
            return Err(ended(text));
        }
        let mut digits = String::with_capacity(body.len());
        let mut scale: i64 = 0;
        let mut point = false;
        let mut exponent = 0;
        for (at, c) in body.char_indices() {
            match c {
                '0'..='9' => {
                    digits.push(c);
                    scale += i64::from(point);
                }
                '.' if point => {
                    return Err(bad("Character array contains more than one decimal point."));
                }
                '.' => point = true,
                'e' | 'E' => {
                    exponent = parse_exponent(body.get(at + 1..).unwrap_or_default(), text)?;
                    break;
                }
                _ if long_text => return Err(bad(NO_EXPONENT_MARK)),
                _ => {
                    // Java sees half of a pair of units, which prints as a question mark.
                    let c = if c > '\u{ffff}' { '?' } else { c };
                    return Err(bad(format!(
                        "Character {c} is neither a decimal digit number, decimal point, nor \
                         \"e\" notation exponential mark."
                    )));
                }
            }
        }
        if digits.is_empty() {
            return Err(bad("No digits found."));
        }
        let scale = i32::try_from(scale - exponent).map_err(|_| bad("Scale out of range."))?;
        if digits.len() <= 18 {
            let unscaled: i64 = digits.parse().unwrap_or(0);
            return Ok(Self::small(
                if negative { -unscaled } else { unscaled },
                scale,
            ));
        }
        let unscaled = BigInt::parse_bytes(digits.as_bytes(), 10).unwrap_or_default();
        Ok(Self::new(
            if negative { -unscaled } else { unscaled },
            scale,
        ))
    }

    /// `toPlainString()`: without an exponent.
    ///
    /// Answers `None` when more than [`DECIMAL_ZEROS_MAX`] zeros would have to be written.
    #[must_use]
    pub fn to_plain_string(&self) -> Option<String> {
        let digits = self.digits();
        let scale = self.scale();
        if scale.unsigned_abs() > DECIMAL_ZEROS_MAX + u32::try_from(digits.len()).unwrap_or(0) {
            return None;
        }
        let mut out = String::new();
        if self.signum() < 0 {
            out.push('-');
        }
        if scale <= 0 {
            out.push_str(&digits);
            if self.signum() != 0 {
                out.extend(std::iter::repeat_n('0', scale.unsigned_abs() as usize));
            }
        } else {
            push_with_point(&mut out, &digits, scale.unsigned_abs() as usize);
        }
        Some(out)
    }

    /// `toEngineeringString()`: exponents are multiples of three.
    #[must_use]
    pub fn to_engineering_string(&self) -> String {
        let digits = self.digits();
        let mut adjusted = self.adjusted(&digits);
        if self.scale() == 0 || (self.scale() > 0 && adjusted >= -6) {
            return self.to_string();
        }
        let mut whole = usize::try_from(adjusted.rem_euclid(3)).unwrap_or(0);
        adjusted -= adjusted.rem_euclid(3);
        whole += 1;
        let mut out = String::new();
        if self.signum() < 0 {
            out.push('-');
        }
        if self.signum() == 0 {
            match whole {
                1 => out.push('0'),
                2 => out.push_str("0.00"),
                _ => out.push_str("0.0"),
            }
            if whole > 1 {
                adjusted += 3;
            }
        } else if whole >= digits.len() {
            out.push_str(&digits);
            out.extend(std::iter::repeat_n('0', whole - digits.len()));
        } else {
            let (before, after) = digits.split_at(whole);
            out.push_str(before);
            out.push('.');
            out.push_str(after);
        }
        push_exponent(&mut out, adjusted);
        out
    }

    /// The exponent of the first digit.
    fn adjusted(&self, digits: &str) -> i64 {
        i64::try_from(digits.len()).unwrap_or(i64::MAX) - 1 - i64::from(self.scale())
    }
}

impl fmt::Display for Decimal {
    /// `BigDecimal.toString()`: scientific when the scale is negative or there are many leading zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits();
        let adjusted = self.adjusted(&digits);
        let mut out = String::with_capacity(digits.len() + 8);
        if self.signum() < 0 {
            out.push('-');
        }
        if self.scale() == 0 {
            out.push_str(&digits);
        } else if self.scale() > 0 && adjusted >= -6 {
            push_with_point(&mut out, &digits, self.scale().unsigned_abs() as usize);
        } else {
            let (first, rest) = digits.split_at(1);
            out.push_str(first);
            if !rest.is_empty() {
                out.push('.');
                out.push_str(rest);
            }
            push_exponent(&mut out, adjusted);
        }
        f.write_str(&out)
    }
}

fn push_with_point(out: &mut String, digits: &str, scale: usize) {
    if digits.len() > scale {
        let (before, after) = digits.split_at(digits.len() - scale);
        out.push_str(before);
        out.push('.');
        out.push_str(after);
    } else {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', scale - digits.len()));
        out.push_str(digits);
    }
}

fn push_exponent(out: &mut String, exponent: i64) {
    if exponent != 0 {
        out.push('E');
        if exponent > 0 {
            out.push('+');
        }
        out.push_str(&exponent.to_string());
    }
}

/// The text after the exponent mark.
fn parse_exponent(text: &str, whole: &str) -> Result<i64, DataError> {
    if text.is_empty() {
        return Err(ended(whole));
    }
    let negative = text.starts_with('-');
    let signed = text.starts_with(['+', '-']);
    let mut digits = if signed {
        text.get(1..).unwrap_or_default()
    } else {
        text
    };
    if digits.is_empty() {
        return Err(ended(whole));
    }
    while digits.len() > 10 && digits.starts_with('0') {
        digits = digits.get(1..).unwrap_or_default();
    }
    if digits.chars().count() > 10 {
        return Err(bad("Too many nonzero exponent digits."));
    }
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad("Not a digit."));
    }
    let value: i64 = digits.parse().map_err(|_| bad("Exponent overflow."))?;
    let value = if negative { -value } else { value };
    if i32::try_from(value).is_err() {
        return Err(bad("Exponent overflow."));
    }
    Ok(value)
}
