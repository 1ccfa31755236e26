//! Arbitrary precision decimals: `java.math.BigDecimal` as an unscaled integer and a scale.

use num_bigint::{BigInt, Sign};
use num_traits::{Pow, Signed, ToPrimitive, Zero};

use crate::{DataError, error::NUMBER_FORMAT_EXCEPTION, float_text};

/// The most zeros that a change of scale or a plain text may add: a scale is an `int`, and writing
/// one of 10^9 out would take gigabytes for a record of a few bytes.
pub const DECIMAL_ZEROS_MAX: u32 = 100_000;

/// An arbitrary precision decimal: `unscaled * 10^-scale`. Equality includes the scale, as in Java.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

/// How digits are dropped when a scale shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Dropping other digits than zeros is an error.
    Unnecessary,
    /// Toward zero.
    Down,
    /// To the nearest, ties away from zero.
    HalfUp,
    /// To the nearest, ties to the even digit.
    HalfEven,
}

impl Decimal {
    /// A decimal of the given unscaled value and scale (which may be negative).
    #[must_use]
    pub fn new(unscaled: BigInt, scale: i32) -> Self {
        Self { unscaled, scale }
    }

    /// `BigDecimal.valueOf(double)`: the decimal of the double's Java text.
    ///
    /// # Errors
    /// NaN and infinities: `NumberFormatException`.
    pub fn from_double(value: f64) -> Result<Self, DataError> {
        Self::parse(&float_text::double_text(value))
    }

    /// The decimal of big-endian two's complement bytes.
    ///
    /// # Errors
    /// No bytes: `NumberFormatException` `Zero length BigInteger`.
    pub fn from_bytes(bytes: &[u8], scale: i32) -> Result<Self, DataError> {
        if bytes.is_empty() {
            return Err(DataError::of(
                NUMBER_FORMAT_EXCEPTION,
                "Zero length BigInteger",
            ));
        }
        Ok(Self::new(BigInt::from_signed_bytes_be(bytes), scale))
    }

    /// The unscaled value as big-endian two's complement of minimal length; zero is one zero byte.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.unscaled.to_signed_bytes_be()
    }

    /// The unscaled integer.
    #[must_use]
    pub fn unscaled(&self) -> &BigInt {
        &self.unscaled
    }

    /// The number of digits after the decimal point; negative for multiples of powers of ten.
    #[must_use]
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// -1, 0 or 1.
    #[must_use]
    pub fn signum(&self) -> i32 {
        match self.unscaled.sign() {
            Sign::Minus => -1,
            Sign::NoSign => 0,
            Sign::Plus => 1,
        }
    }

    /// The number of digits of the unscaled value; zero has one.
    #[must_use]
    pub fn precision(&self) -> usize {
        self.digits().len()
    }

    /// The digits of the unscaled value without its sign.
    pub(crate) fn digits(&self) -> String {
        match self.unscaled.to_i64() {
            Some(small) => small.unsigned_abs().to_string(),
            None => self.unscaled.magnitude().to_str_radix(10),
        }
    }

    /// The same number at another scale.
    ///
    /// # Errors
    /// Rounding would be necessary (`ArithmeticException` in Java), or more than
    /// [`DECIMAL_ZEROS_MAX`] zeros would have to be added.
    pub fn set_scale(&self, scale: i32, rounding: Rounding) -> Result<Self, DataError> {
        let error = |text: &str| Err(DataError::of("java.lang.ArithmeticException", text));
        let up = i64::from(scale) - i64::from(self.scale);
        if self.unscaled.is_zero() || up == 0 {
            return Ok(Self::new(self.unscaled.clone(), scale));
        }
        if up > 0 {
            return match u32::try_from(up) {
                Ok(zeros) if zeros <= DECIMAL_ZEROS_MAX => {
                    Ok(Self::new(&self.unscaled * ten_power(zeros), scale))
                }
                _ => error("the scale is out of the bounds of this worker"),
            };
        }
        let dropped = u32::try_from(-up).unwrap_or(u32::MAX);
        if u64::from(dropped) > self.unscaled.bits() + 1 {
            // More digits go than there are: what is left is less than half a unit.
            return match rounding {
                Rounding::Unnecessary => error("Rounding necessary"),
                _ => Ok(Self::new(BigInt::ZERO, scale)),
            };
        }
        let power = ten_power(dropped);
        let quotient = &self.unscaled / &power;
        let rest = &self.unscaled % &power;
        let twice: BigInt = rest.abs() * 2;
        let away = match rounding {
            Rounding::Unnecessary if !rest.is_zero() => return error("Rounding necessary"),
            Rounding::Unnecessary | Rounding::Down => false,
            Rounding::HalfUp => twice >= power,
            Rounding::HalfEven => twice > power || (twice == power && quotient.bit(0)),
        };
        let quotient = if away {
            quotient + self.unscaled.signum()
        } else {
            quotient
        };
        Ok(Self::new(quotient, scale))
    }

    /// The value as 64 bits when it is mathematically an integer in their range.
    #[must_use]
    pub fn to_i64_exact(&self) -> Option<i64> {
        if self.unscaled.is_zero() {
            return Some(0);
        }
        if self.scale <= 0 {
            if self.scale < -19 {
                return None;
            }
            let whole = &self.unscaled * ten_power(self.scale.unsigned_abs());
            return whole.to_i64();
        }
        let scale = self.scale.unsigned_abs();
        // 10^n has more than 3n bits: a number with fewer cannot be a multiple.
        if u64::from(scale) * 3 > self.unscaled.bits() {
            return None;
        }
        let power = ten_power(scale);
        let whole = &self.unscaled / &power;
        (&whole * &power == self.unscaled).then(|| whole.to_i64())?
    }

    /// `BigDecimal.longValue()`: the low 64 bits of the integer part.
    #[must_use]
    pub fn long_value(&self) -> i64 {
        if self.scale == 0 {
            return low_bits(&self.unscaled);
        }
        if self.scale < 0 {
            // 10^64 is a multiple of 2^64.
            if self.scale <= -64 {
                return 0;
            }
            return low_bits(&(&self.unscaled * ten_power(self.scale.unsigned_abs())));
        }
        let scale = self.scale.unsigned_abs();
        if u64::from(scale) * 3 > self.unscaled.bits() {
            return 0;
        }
        low_bits(&(&self.unscaled / ten_power(scale)))
    }

    /// `BigDecimal.doubleValue()`.
    #[must_use]
    pub fn double_value(&self) -> f64 {
        self.float_input().parse().unwrap_or(f64::NAN)
    }

    /// `BigDecimal.floatValue()`.
    #[must_use]
    pub fn float_value(&self) -> f32 {
        self.float_input().parse().unwrap_or(f32::NAN)
    }

    fn float_input(&self) -> String {
        format!("{}e{}", self.unscaled, -i64::from(self.scale))
    }
}

fn ten_power(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

/// `BigInteger.longValue()`: the low 64 bits in two's complement.
#[must_use]
pub fn low_bits(number: &BigInt) -> i64 {
    let low = number.magnitude().iter_u64_digits().next().unwrap_or(0);
    let low = low.cast_signed();
    if number.sign() == Sign::Minus {
        low.wrapping_neg()
    } else {
        low
    }
}
