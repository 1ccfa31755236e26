//! Numbers on the fast way: digits straight into integers and doubles.

use milena_data::Value;

use super::fast::{Fast, FastReader, GiveUp};

/// Integers up to this many digits surely fit 64 bits.
const INTEGER_DIGITS_MAX: usize = 18;
/// Longer numbers are left to the slow way, which knows Jackson's limit.
const NUMBER_LENGTH_MAX: usize = 300;
/// Decimal digits of which each number is a double.
const EXACT_DIGITS_MAX: usize = 15;
/// Powers of ten, which are doubles, too.
const TENS: [f64; EXACT_DIGITS_MAX + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// A number as it stands in the text.
pub(super) enum Number<'t> {
    Integer(i64),
    Real(Real<'t>),
}

/// A number with a point or an exponent.
pub(super) struct Real<'t> {
    text: &'t [u8],
    /// Its double, when one division surely gives that.
    double: Option<f64>,
}

impl<'t> Real<'t> {
    pub(super) fn text(&self) -> Fast<&'t str> {
        std::str::from_utf8(self.text).map_err(|_| GiveUp)
    }

    /// By way of a decimal, as Jackson is set up: there is no negative zero.
    pub(super) fn double(&self) -> Fast<f64> {
        let number = match self.double {
            Some(number) => number,
            None => self.text()?.parse().map_err(|_| GiveUp)?,
        };
        // Zero may be a tiny number, whose sign is kept, or a real zero, whose sign is not.
        if number == 0.0 {
            Err(GiveUp)
        } else {
            Ok(number)
        }
    }
}

impl<'t> FastReader<'t> {
    pub(super) fn narrow(&mut self) -> Fast<i32> {
        i32::try_from(self.integer()?).map_err(|_| GiveUp)
    }

    pub(super) fn integer(&mut self) -> Fast<i64> {
        match self.number()? {
            Number::Integer(n) => Ok(n),
            Number::Real(_) => Err(GiveUp),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "Java's numeric cast is the behaviour"
    )]
    pub(super) fn double(&mut self) -> Fast<f64> {
        match self.number()? {
            Number::Integer(n) => Ok(n as f64),
            Number::Real(real) => real.double(),
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "Java's numeric cast is the behaviour"
    )]
    pub(super) fn float(&mut self) -> Fast<Value> {
        Ok(Value::Float32(match self.number()? {
            Number::Integer(n) => n as f32,
            Number::Real(real) => {
                let number: f32 = real.text()?.parse().map_err(|_| GiveUp)?;
                if number == 0.0 {
                    return Err(GiveUp);
                } else {
                    number
                }
            }
        }))
    }

    /// How many digits follow, and the number that they make behind those before them.
    fn digits(&mut self, before: i64) -> (usize, i64) {
        let (mut count, mut number) = (0, before);
        for byte in self.rest() {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit));
            count += 1;
        }
        self.at += count;
        (count, number)
    }

    pub(super) fn number(&mut self) -> Fast<Number<'t>> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let (count, whole) = self.digits(0);
        if count == 0 {
            return Err(GiveUp);
        }
        let mut real = false;
        let mut double = None;
        if self.peek() == Some(b'.') {
            self.at += 1;
            real = true;
            let (places, number) = self.digits(whole);
            if places == 0 {
                return Err(GiveUp);
            }
            double = quotient(number, count + places, places);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            real = true;
            double = None;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            // A long exponent is an error of its own.
            if !(1..=4).contains(&self.digits(0).0) {
                return Err(GiveUp);
            }
        }
        if !matches!(
            self.peek(),
            None | Some(b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
        ) {
            return Err(GiveUp);
        }
        if real {
            let text = self.bytes.get(start..self.at).unwrap_or_default();
            if text.len() > NUMBER_LENGTH_MAX {
                return Err(GiveUp);
            }
            let double = double.map(|double| if negative { -double } else { double });
            return Ok(Number::Real(Real { text, double }));
        }
        if count > INTEGER_DIGITS_MAX {
            return Err(GiveUp);
        }
        Ok(Number::Integer(if negative { -whole } else { whole }))
    }
}

/// The double of so many digits, of which these are behind the point: both sides of the division are exact then, so the
/// outcome is the nearest.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of so few digits are doubles"
)]
fn quotient(number: i64, digits: usize, places: usize) -> Option<f64> {
    let tens = TENS.get(places).filter(|_| digits <= EXACT_DIGITS_MAX)?;
    Some(number as f64 / tens)
}
