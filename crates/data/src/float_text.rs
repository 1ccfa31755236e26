//! The text of floats as `Float.toString` and `Double.toString` of JDK 17 write it.
//!
//! JDK 17 (the runtime we are compared with) does not always write the shortest text that reads back
//! (that came with JDK 19); the digits come from Steele and White's generation with the particular
//! stopping rules of that runtime, so they are generated the same way here.

use num_bigint::BigUint;

use crate::logical::narrow;

const DOUBLE_FRACTION_BITS: i32 = 52;
const DOUBLE_SIGNIFICANT_BITS: i32 = 53;
const FLOAT_SIGNIFICANT_BITS: i32 = 24;
/// Bits of 5^n for the n at which arithmetic stays within a machine word.
const FIVE_POWER_BITS: [i32; 27] = [
    0, 3, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28, 31, 33, 35, 38, 40, 42, 45, 47, 49, 52, 54, 56,
    59, 61,
];

/// Room for the digits of any number: none has more than twenty.
const DIGITS_MAX: usize = 32;

/// `Double.toString` of JDK 17.
#[must_use]
pub fn double_text(value: f64) -> String {
    let mut out = String::with_capacity(24);
    push_double(&mut out, value);
    out
}

/// `Float.toString` of JDK 17.
#[must_use]
pub fn float_text(value: f32) -> String {
    let mut out = String::with_capacity(16);
    push_float(&mut out, value);
    out
}

/// What texts are appended to.
pub trait Appended {
    /// Appends a text.
    fn append(&mut self, text: &str);
}

impl Appended for String {
    #[inline]
    fn append(&mut self, text: &str) {
        self.push_str(text);
    }
}

impl Appended for Vec<u8> {
    #[inline]
    fn append(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// Appends [`double_text`].
pub fn push_double(out: &mut impl Appended, value: f64) {
    if special(out, value) || push_hundredths(out, value.abs()) {
        return;
    }
    let bits = value.to_bits();
    let fraction = bits & ((1 << DOUBLE_FRACTION_BITS) - 1);
    let exponent = i32::try_from((bits >> DOUBLE_FRACTION_BITS) & 0x7ff).unwrap_or(0);
    let (fraction, exponent, significant) = if exponent == 0 {
        let leading = fraction.leading_zeros().cast_signed();
        let shift = leading - (63 - DOUBLE_FRACTION_BITS);
        (fraction << shift, 1 - shift, 64 - leading)
    } else {
        let hidden = 1 << DOUBLE_FRACTION_BITS;
        (fraction | hidden, exponent, DOUBLE_SIGNIFICANT_BITS)
    };
    digits(fraction, exponent - 1023, significant).write(out);
}

/// Numbers below this have at most six digits before the point.
const HUNDREDTHS_BELOW: f64 = 1e6;

/// Appends a positive number of at most two places behind the point, as prices are; `false`: it is something else. Digits
/// are generated up to the first that tells it from its neighbours, and those are far away: these are all of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is positive and below a hundred millions"
)]
fn push_hundredths(out: &mut impl Appended, value: f64) -> bool {
    if value >= HUNDREDTHS_BELOW {
        return false;
    }
    let hundredths = (value * 100.0 + 0.5) as u32;
    if hundredths == 0 || f64::from(hundredths) / 100.0 != value {
        return false;
    }
    push_places(out, hundredths);
    true
}

/// Floats are as near to each other as hundredths a little beyond.
const FLOAT_HUNDREDTHS_BELOW: f32 = 1e4;

/// As [`push_hundredths`], of floats.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is positive and below a million"
)]
fn push_float_hundredths(out: &mut impl Appended, value: f32) -> bool {
    if value >= FLOAT_HUNDREDTHS_BELOW {
        return false;
    }
    let hundredths = (f64::from(value) * 100.0 + 0.5) as u32;
    if hundredths == 0 || (f64::from(hundredths) / 100.0) as f32 != value {
        return false;
    }
    push_places(out, hundredths);
    true
}

fn push_places(out: &mut impl Appended, hundredths: u32) {
    out.append(itoa::Buffer::new().format(hundredths / 100));
    let places = [
        b'.',
        b'0' + (hundredths / 10 % 10) as u8,
        b'0' + (hundredths % 10) as u8,
    ];
    let shown = if hundredths.is_multiple_of(10) { 2 } else { 3 };
    let places = places.get(..shown).unwrap_or_default();
    out.append(std::str::from_utf8(places).unwrap_or_default());
}

/// Appends [`float_text`].
pub fn push_float(out: &mut impl Appended, value: f32) {
    if special(out, f64::from(value)) || push_float_hundredths(out, value.abs()) {
        return;
    }
    float_digits(value).write(out);
}

/// Those of a number that is not special, without its sign.
fn float_digits(value: f32) -> Digits {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 23) - 1);
    let exponent = i32::try_from((bits >> 23) & 0xff).unwrap_or(0);
    let (fraction, exponent, significant) = if exponent == 0 {
        let leading = fraction.leading_zeros().cast_signed();
        let shift = leading - (31 - 23);
        (fraction << shift, 1 - shift, 32 - leading)
    } else {
        (fraction | (1 << 23), exponent, FLOAT_SIGNIFICANT_BITS)
    };
    let fraction = u64::from(fraction) << (DOUBLE_FRACTION_BITS - 23);
    digits(fraction, exponent - 127, significant)
}

/// Writes NaN, infinities and zeros, and the sign of everything else.
fn special(out: &mut impl Appended, value: f64) -> bool {
    if value.is_nan() {
        out.append("NaN");
        return true;
    }
    if value.is_sign_negative() {
        out.append("-");
    }
    if value.is_infinite() {
        out.append("Infinity");
        return true;
    }
    if value == 0.0 {
        out.append("0.0");
        return true;
    }
    false
}

/// Decimal digits in place.
#[derive(Default)]
struct DigitText {
    bytes: [u8; DIGITS_MAX],
    length: usize,
}

impl DigitText {
    fn push(&mut self, digit: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = digit;
            self.length += 1;
        }
    }

    fn of(number: u64) -> Self {
        let mut reversed = Self::default();
        let mut rest = number;
        while rest > 0 || reversed.length == 0 {
            // A remainder of ten.
            reversed.push(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        let length = reversed.length;
        reversed.digits_mut().reverse();
        Self { length, ..reversed }
    }

    fn digits(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn digits_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }
}

/// Decimal digits and the position of the point: `0.d1d2d3… * 10^exponent`.
struct Digits {
    text: DigitText,
    exponent: i32,
}

impl Digits {
    fn write(&self, out: &mut impl Appended) {
        let text = std::str::from_utf8(self.text.digits()).unwrap_or_default();
        let length = i32::try_from(text.len()).unwrap_or(0);
        let exponent = self.exponent;
        if exponent > 0 && exponent < 8 {
            let whole = usize::try_from(exponent.min(length)).unwrap_or(0);
            let (before, after) = text.split_at(whole);
            out.append(before);
            (length..exponent).for_each(|_| out.append("0"));
            out.append(".");
            out.append(if after.is_empty() { "0" } else { after });
        } else if exponent <= 0 && exponent > -3 {
            out.append("0.");
            (exponent..0).for_each(|_| out.append("0"));
            out.append(text);
        } else {
            let (first, rest) = text.split_at(text.len().min(1));
            out.append(first);
            out.append(".");
            out.append(if rest.is_empty() { "0" } else { rest });
            out.append("E");
            out.append(&(exponent - 1).to_string());
        }
    }

    fn round_up(&mut self) {
        for digit in self.text.digits_mut().iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        // All were nines: one more digit in front, the last (a zero) stays as it is.
        self.exponent += 1;
        if let Some(first) = self.text.digits_mut().first_mut() {
            *first = b'1';
        }
    }
}

/// The digits of `fraction * 2^(exponent - 52)`, where the highest bit of `fraction` is bit 52.
fn digits(fraction: u64, exponent: i32, significant: i32) -> Digits {
    let tail = fraction.trailing_zeros().cast_signed();
    let fraction_bits = DOUBLE_FRACTION_BITS + 1 - tail;
    let tiny_bits = (fraction_bits - exponent - 1).max(0);
    if (-21..=62).contains(&exponent) && tiny_bits == 0 && fraction_bits < 64 {
        return whole_number(fraction, exponent, significant);
    }
    generate(
        fraction >> tail,
        fraction_bits,
        tiny_bits,
        exponent,
        significant,
    )
}

/// A value without a fraction that fits 64 bits.
fn whole_number(fraction: u64, exponent: i32, significant: i32) -> Digits {
    let insignificant = match exponent - significant - 1 {
        power @ 2.. if exponent > significant => power * 30_103 / 100_000,
        _ => 0,
    };
    let mut number = if exponent >= DOUBLE_FRACTION_BITS {
        fraction << (exponent - DOUBLE_FRACTION_BITS)
    } else {
        fraction >> (DOUBLE_FRACTION_BITS - exponent)
    };
    let mut dropped = insignificant;
    if insignificant > 0 {
        let power = 10_u64.pow(insignificant.unsigned_abs());
        let rest = number % power;
        number /= power;
        if rest >= power >> 1 {
            number += 1;
        }
    }
    while number != 0 && number.is_multiple_of(10) {
        number /= 10;
        dropped += 1;
    }
    let text = DigitText::of(number);
    let exponent = dropped + i32::try_from(text.length).unwrap_or(0);
    Digits { text, exponent }
}

/// An estimate of the decimal exponent, at most one too low.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the exponent of a double is small"
)]
fn estimate(fraction: u64, fraction_bits: i32, exponent: i32) -> i32 {
    let aligned = fraction << (DOUBLE_FRACTION_BITS + 1 - fraction_bits);
    let mantissa = aligned & ((1 << DOUBLE_FRACTION_BITS) - 1);
    let scaled = f64::from_bits(0x3ff0_0000_0000_0000 | mantissa);
    let guess = (scaled - 1.5) * 0.289_529_654
        + 0.176_091_259
        + f64::from(exponent) * std::f64::consts::LOG10_2;
    guess.floor() as i32
}

/// The powers of two and five in numerator, denominator and half-gap of the digit generation.
struct Scale {
    numerator2: i32,
    numerator5: i32,
    denominator2: i32,
    denominator5: i32,
    gap2: i32,
    gap5: i32,
}

fn generate(
    fraction: u64,
    fraction_bits: i32,
    tiny_bits: i32,
    exponent: i32,
    significant: i32,
) -> Digits {
    let decimal = estimate(fraction, fraction_bits, exponent);
    let numerator5 = (-decimal).max(0);
    let denominator5 = decimal.max(0);
    let mut s = Scale {
        numerator2: numerator5 + tiny_bits + exponent,
        numerator5,
        denominator2: denominator5 + tiny_bits,
        denominator5,
        gap2: 0,
        gap5: numerator5,
    };
    s.gap2 = s.numerator2 - significant;
    s.numerator2 -= fraction_bits - 1;
    let common = s.numerator2.min(s.denominator2);
    s.numerator2 -= common;
    s.denominator2 -= common;
    s.gap2 -= common;
    if fraction_bits == 1 {
        s.gap2 -= 1;
    }
    if s.gap2 < 0 {
        s.numerator2 -= s.gap2;
        s.denominator2 -= s.gap2;
        s.gap2 = 0;
    }
    let bits = |five: i32| {
        let index = usize::try_from(five).unwrap_or(usize::MAX);
        FIVE_POWER_BITS.get(index).copied().unwrap_or(five * 3)
    };
    let numerator_bits = fraction_bits + s.numerator2 + bits(s.numerator5);
    let denominator_bits = s.denominator2 + 1 + bits(s.denominator5 + 1);
    if numerator_bits < 32 && denominator_bits < 32 {
        machine(fraction, &s, decimal, |n| i64::from(narrow(n)))
    } else if numerator_bits < 64 && denominator_bits < 64 {
        machine(fraction, &s, decimal, |n| n)
    } else if numerator_bits < 120 && denominator_bits < 120 {
        small(fraction, &s, decimal)
    } else {
        big(fraction, &s, decimal)
    }
}

/// Whether the digits must go on beyond the first that is unique: scientific form needs two.
fn needs_two(decimal: i32) -> bool {
    !(-3..8).contains(&decimal)
}

/// The arithmetic of 32 or 64 bits, which in the runtime overflows for some numbers: 2^83 as a float
/// loses its last rounding by it. `wrap` cuts to the width.
fn machine(fraction: u64, s: &Scale, mut decimal: i32, wrap: fn(i64) -> i64) -> Digits {
    let five = |power: i32| 5_i64.wrapping_pow(power.unsigned_abs());
    let shift = |number: i64, by: i32| wrap(number.wrapping_shl(by.unsigned_abs()));
    let mut b = shift(
        fraction.cast_signed().wrapping_mul(five(s.numerator5)),
        s.numerator2,
    );
    let denominator = shift(five(s.denominator5), s.denominator2);
    let mut m = shift(five(s.gap5), s.gap2);
    let tens = wrap(denominator.wrapping_mul(10));
    let mut text = DigitText::default();
    // All digits are divided by the same: one division tells them all, but for one that may be missing.
    let inverse = match u64::try_from(denominator) {
        Ok(denominator) => u64::MAX.checked_div(denominator).unwrap_or(0),
        Err(_) => 0,
    };
    let step = |b: &mut i64| {
        let (q, rest) = match u64::try_from(*b) {
            Ok(all) if inverse > 0 => {
                let (q, rest) = divided(all, denominator.unsigned_abs(), inverse);
                (q.cast_signed(), rest.cast_signed())
            }
            _ => (
                b.checked_div(denominator).unwrap_or(0),
                b.checked_rem(denominator).unwrap_or(0),
            ),
        };
        *b = wrap(rest.wrapping_mul(10));
        b'0' + u8::try_from(q).unwrap_or(9)
    };
    let first = step(&mut b);
    m = wrap(m.wrapping_mul(10));
    let mut low = b < m;
    let mut high = wrap(b.wrapping_add(m)) > tens;
    if first == b'0' && !high {
        decimal -= 1;
    } else {
        text.push(first);
    }
    if needs_two(decimal) {
        low = false;
        high = false;
    }
    while !low && !high {
        text.push(step(&mut b));
        m = wrap(m.wrapping_mul(10));
        if m > 0 {
            low = b < m;
            high = wrap(b.wrapping_add(m)) > tens;
        } else {
            low = true;
            high = true;
        }
    }
    let rest = wrap(wrap(b.wrapping_shl(1)).wrapping_sub(tens));
    finish(text, decimal, low, high, rest.cmp(&0))
}

/// Quotient and rest of a number below 2^63 by its divisor, of which `inverse` is 2^64 - 1 divided by it.
fn divided(number: u64, by: u64, inverse: u64) -> (u64, u64) {
    let q = ((u128::from(number) * u128::from(inverse)) >> 64) as u64;
    let rest = number - q * by;
    // The inverse is less than a whole too small, and so is the quotient: a half of one at most.
    match rest >= by {
        true => (q + 1, rest - by),
        false => (q, rest),
    }
}

/// As with big integers, whose bound is not strict, while the numbers fit 128 bits.
fn small(fraction: u64, s: &Scale, mut decimal: i32) -> Digits {
    let five = |power: i32| 5_u128.pow(power.unsigned_abs());
    let mut b = (u128::from(fraction) * five(s.numerator5)) << s.numerator2;
    let denominator = five(s.denominator5) << s.denominator2;
    let mut m = five(s.gap5) << s.gap2;
    let tens = denominator * 10;
    let mut text = DigitText::default();
    let step = |b: &mut u128| {
        let q = *b / denominator;
        *b = *b % denominator * 10;
        b'0' + u8::try_from(q).unwrap_or(9)
    };
    let first = step(&mut b);
    m *= 10;
    let mut low = b < m;
    let mut high = b + m >= tens;
    if first == b'0' && !high {
        decimal -= 1;
    } else {
        text.push(first);
    }
    if needs_two(decimal) {
        low = false;
        high = false;
    }
    while !low && !high {
        text.push(step(&mut b));
        m *= 10;
        low = b < m;
        high = b + m >= tens;
    }
    finish(text, decimal, low, high, (b << 1).cmp(&tens))
}

fn big(fraction: u64, s: &Scale, mut decimal: i32) -> Digits {
    let power =
        |five: i32, two: i32| BigUint::from(5_u8).pow(five.unsigned_abs()) << two.unsigned_abs();
    let denominator = power(s.denominator5, s.denominator2);
    let tens = &denominator * 10_u8;
    let mut b = power(s.numerator5, s.numerator2) * fraction;
    let mut m = power(s.gap5, s.gap2) * 10_u8;
    let step = |b: &mut BigUint| {
        let q = &*b / &denominator;
        *b = (&*b - &q * &denominator) * 10_u8;
        b'0' + u8::try_from(q).unwrap_or(9)
    };
    let mut text = DigitText::default();
    let first = step(&mut b);
    let mut low = b < m;
    let mut high = &b + &m >= tens;
    if first == b'0' && !high {
        decimal -= 1;
    } else {
        text.push(first);
    }
    if needs_two(decimal) {
        low = false;
        high = false;
    }
    while !low && !high {
        text.push(step(&mut b));
        m *= 10_u8;
        low = b < m;
        high = &b + &m >= tens;
    }
    finish(text, decimal, low, high, (b << 1_u8).cmp(&tens))
}

fn finish(
    text: DigitText,
    decimal: i32,
    low: bool,
    high: bool,
    rest: std::cmp::Ordering,
) -> Digits {
    let odd = text.digits().last().is_some_and(|digit| digit & 1 != 0);
    let mut digits = Digits {
        text,
        exponent: decimal + 1,
    };
    if high && (!low || rest.is_gt() || (rest.is_eq() && odd)) {
        digits.round_up();
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::{
        DOUBLE_FRACTION_BITS, DOUBLE_SIGNIFICANT_BITS, FLOAT_HUNDREDTHS_BELOW, digits, divided,
        float_digits, push_float_hundredths, push_hundredths,
    };

    #[test]
    fn a_division_by_the_inverse_is_a_division() {
        let edges = [
            1,
            2,
            3,
            5,
            10,
            625,
            1 << 31,
            (1 << 31) + 1,
            u64::MAX >> 2,
            u64::MAX >> 1,
        ];
        let all = edges
            .into_iter()
            .flat_map(|edge| [edge - 1, edge, edge + 1]);
        for by in all.clone().filter(|by| *by > 0) {
            let multiples = (0..10).map(|n| by.saturating_mul(n));
            let near = multiples.flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)]);
            for number in near.chain(all.clone()).filter(|n| *n <= u64::MAX >> 1) {
                let found = divided(number, by, u64::MAX / by);
                assert_eq!(found, (number / by, number % by), "{number} by {by}");
            }
        }
    }

    /// The digits as they are generated one by one.
    fn generated(value: f64) -> String {
        let bits = value.to_bits();
        let hidden = 1 << DOUBLE_FRACTION_BITS;
        let exponent = i32::try_from(bits >> DOUBLE_FRACTION_BITS).unwrap() - 1023;
        let mut out = String::new();
        let fraction = (bits & (hidden - 1)) | hidden;
        digits(fraction, exponent, DOUBLE_SIGNIFICANT_BITS).write(&mut out);
        out
    }

    #[test]
    fn hundredths_are_as_they_are_generated() {
        let near = (1..200_000).chain(99_900_000..100_000_000);
        for hundredths in near.chain((0..1_000).map(|n| 200_000 + n * 99_777)) {
            let value = f64::from(hundredths) / 100.0;
            let mut out = String::new();
            assert!(push_hundredths(&mut out, value), "{value}");
            assert_eq!(out, generated(value));
        }
    }

    /// All of them, and what is beside each.
    #[test]
    fn hundredths_of_floats_are_as_they_are_generated() {
        for hundredths in 1..1_000_000 {
            let value = (f64::from(hundredths) / 100.0) as f32;
            assert!(push_float_hundredths(&mut String::new(), value), "{value}");
            for value in [value.next_down(), value, value.next_up()] {
                let mut out = String::new();
                if push_float_hundredths(&mut out, value) {
                    let mut generated = String::new();
                    float_digits(value).write(&mut generated);
                    assert_eq!(out, generated, "{value:?}");
                }
            }
        }
        let beyond = push_float_hundredths(&mut String::new(), FLOAT_HUNDREDTHS_BELOW);
        assert!(!beyond);
    }

    #[test]
    fn others_are_no_hundredths() {
        for value in [
            1e6,
            0.001,
            0.004_999,
            1.005,
            123.456,
            0.1 + 0.2,
            12.340_000_000_000_002,
            f64::MIN_POSITIVE,
            f64::MAX,
        ] {
            let mut out = String::new();
            assert!(!push_hundredths(&mut out, value), "{value}");
            assert_eq!(out, "");
        }
    }
}
