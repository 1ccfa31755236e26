//! `Float.parseFloat` and `Double.parseDouble`: blanks around, `NaN`, `Infinity`, hexadecimal digits,
//! the suffixes of literals.

/// A text as a double; `None` where Java throws a `NumberFormatException`.
#[must_use]
pub fn parse_double(text: &str) -> Option<f64> {
    match Number::read(text)? {
        Number::Special(value) => Some(value),
        Number::Decimal(digits) => digits.parse().ok(),
        Number::Hexadecimal(value) => Some(value),
    }
}

/// A text as a float; `None` where Java throws a `NumberFormatException`.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "special values and exact halves only"
)]
pub fn parse_float(text: &str) -> Option<f32> {
    match Number::read(text)? {
        Number::Special(value) | Number::Hexadecimal(value) => Some(value as f32),
        Number::Decimal(digits) => digits.parse().ok(),
    }
}

enum Number<'a> {
    Special(f64),
    Decimal(&'a str),
    Hexadecimal(f64),
}

impl<'a> Number<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.trim_matches(|c| c <= ' ');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let negative = text.starts_with('-');
        match unsigned {
            "NaN" => return Some(Self::Special(f64::NAN)),
            "Infinity" if negative => return Some(Self::Special(f64::NEG_INFINITY)),
            "Infinity" => return Some(Self::Special(f64::INFINITY)),
            _ => {}
        }
        if let Some(rest) = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X")) {
            let value = hexadecimal(rest)?;
            return Some(Self::Hexadecimal(if negative { -value } else { value }));
        }
        let digits = text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text);
        is_decimal(digits).then_some(Self::Decimal(digits))
    }
}

/// A sign, digits with one dot among them, an exponent.
fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    exponent_fits
        && !(whole.is_empty() && fraction.is_empty())
        && all_digits(whole)
        && all_digits(fraction)
}

/// Hexadecimal digits with a dot, then `p` and a power of two.
#[expect(
    clippy::cast_precision_loss,
    reason = "the conversion rounds as it must"
)]
fn hexadecimal(text: &str) -> Option<f64> {
    let text = text
        .strip_suffix(['f', 'F', 'd', 'D'])
        .filter(|t| t.contains(['p', 'P']))
        .unwrap_or(text);
    let (mantissa, power) = text.split_once(['p', 'P'])?;
    let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let huge = if power.starts_with('-') {
        -100_000
    } else {
        100_000
    };
    let mut power: i32 = power.parse().unwrap_or(huge).clamp(-100_000, 100_000);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut bits = 0_u128;
    for (index, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u128::from(c.to_digit(16)?);
        let in_fraction = index >= whole.len();
        if bits < 1 << 120 {
            bits = bits * 16 + digit;
            power -= if in_fraction { 4 } else { 0 };
        } else {
            // What is cut off still decides a tie.
            bits |= u128::from(digit > 0);
            power += if in_fraction { 0 } else { 4 };
        }
    }
    let mut value = bits as f64;
    while power != 0 && value != 0.0 && value.is_finite() {
        let step = power.clamp(-500, 500);
        value *= 2_f64.powi(step);
        power -= step;
    }
    Some(value)
}
