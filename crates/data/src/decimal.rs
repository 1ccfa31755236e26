//! Arbitrary precision decimals: `java.math.BigDecimal` as an unscaled integer and a scale.

use std::borrow::Cow;

use num_bigint::{BigInt, Sign};
use num_traits::{Pow, Signed, ToPrimitive, Zero};

use crate::{DataError, error::NUMBER_FORMAT_EXCEPTION, float_text};

/// The most zeros that a change of scale or a plain text may add: a scale is an `int`, and writing
/// one of 10^9 out would take gigabytes for a record of a few bytes.
pub const DECIMAL_ZEROS_MAX: u32 = 100_000;

/// An arbitrary precision decimal: `unscaled * 10^-scale`. Equality includes the scale, as in Java.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    unscaled: Unscaled,
    scale: i32,
}

/// Nearly all fit a machine word: these take no memory of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Unscaled {
    Small(i64),
    /// Beyond 64 bits, never within: there is one form of each number.
    Big(Box<BigInt>),
}

/// Two's complement of minimal length, in place where the number is small; see [`Decimal::bytes`].
pub type DecimalBytes = [u8; 8];

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
        let unscaled = match unscaled.to_i64() {
            Some(small) => Unscaled::Small(small),
            None => Unscaled::Big(Box::new(unscaled)),
        };
        Self { unscaled, scale }
    }

    /// A decimal whose unscaled value fits 64 bits.
    #[must_use]
    pub fn small(unscaled: i64, scale: i32) -> Self {
        Self {
            unscaled: Unscaled::Small(unscaled),
            scale,
        }
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
        if bytes.len() <= 8 {
            let sign = if bytes.first().is_some_and(|first| *first >= 0x80) {
                -1
            } else {
                0
            };
            let small = bytes
                .iter()
                .fold(sign, |all, byte| all << 8 | i64::from(*byte));
            return Ok(Self::small(small, scale));
        }
        Ok(Self::new(BigInt::from_signed_bytes_be(bytes), scale))
    }

    /// The unscaled value as big-endian two's complement of minimal length; zero is one zero byte.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes(&mut [0; 8]).into_owned()
    }

    /// As [`Self::to_bytes`]; a small number lies in `place`.
    #[must_use]
    pub fn bytes<'p>(&self, place: &'p mut DecimalBytes) -> Cow<'p, [u8]> {
        let small = match &self.unscaled {
            Unscaled::Small(small) => *small,
            Unscaled::Big(big) => return Cow::Owned(big.to_signed_bytes_be()),
        };
        *place = small.to_be_bytes();
        // The first bit that is kept is the sign.
        let spare = match small < 0 {
            true => small.leading_ones(),
            false => small.leading_zeros(),
        };
        let skipped = (spare.saturating_sub(1) / 8) as usize;
        Cow::Borrowed(place.get(skipped..).unwrap_or_default())
    }

    /// The unscaled integer.
    #[must_use]
    pub fn unscaled(&self) -> Cow<'_, BigInt> {
        match &self.unscaled {
            Unscaled::Small(small) => Cow::Owned(BigInt::from(*small)),
            Unscaled::Big(big) => Cow::Borrowed(big),
        }
    }

    /// The unscaled integer, if it fits 64 bits.
    #[must_use]
    pub fn unscaled_i64(&self) -> Option<i64> {
        match &self.unscaled {
            Unscaled::Small(small) => Some(*small),
            Unscaled::Big(_) => None,
        }
    }

    /// The number of digits after the decimal point; negative for multiples of powers of ten.
    #[must_use]
    pub fn scale(&self) -> i32 {
        self.scale
    }

    /// -1, 0 or 1.
    #[must_use]
    pub fn signum(&self) -> i32 {
        match &self.unscaled {
            Unscaled::Small(small) => small.signum() as i32,
            Unscaled::Big(big) if big.is_negative() => -1,
            Unscaled::Big(_) => 1,
        }
    }

    /// The number of digits of the unscaled value; zero has one.
    #[must_use]
    pub fn precision(&self) -> usize {
        self.digits().len()
    }

    /// The digits of the unscaled value without its sign.
    pub(crate) fn digits(&self) -> String {
        match &self.unscaled {
            Unscaled::Small(small) => small.unsigned_abs().to_string(),
            Unscaled::Big(big) => big.magnitude().to_str_radix(10),
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
        if self.is_zero() || up == 0 {
            let unscaled = self.unscaled.clone();
            return Ok(Self { unscaled, scale });
        }
        let unscaled = &*self.unscaled();
        if up > 0 {
            return match u32::try_from(up) {
                Ok(zeros) if zeros <= DECIMAL_ZEROS_MAX => {
                    Ok(Self::new(unscaled * ten_power(zeros), scale))
                }
                _ => error("the scale is out of the bounds of this worker"),
            };
        }
        let dropped = u32::try_from(-up).unwrap_or(u32::MAX);
        if u64::from(dropped) > unscaled.bits() + 1 {
            // More digits go than there are: what is left is less than half a unit.
            return match rounding {
                Rounding::Unnecessary => error("Rounding necessary"),
                _ => Ok(Self::new(BigInt::ZERO, scale)),
            };
        }
        let power = ten_power(dropped);
        let quotient = unscaled / &power;
        let rest = unscaled % &power;
        let twice: BigInt = rest.abs() * 2;
        let away = match rounding {
            Rounding::Unnecessary if !rest.is_zero() => return error("Rounding necessary"),
            Rounding::Unnecessary | Rounding::Down => false,
            Rounding::HalfUp => twice >= power,
            Rounding::HalfEven => twice > power || (twice == power && quotient.bit(0)),
        };
        let quotient = if away {
            quotient + unscaled.signum()
        } else {
            quotient
        };
        Ok(Self::new(quotient, scale))
    }

    /// The value as 64 bits when it is mathematically an integer in their range.
    #[must_use]
    pub fn to_i64_exact(&self) -> Option<i64> {
        if self.is_zero() {
            return Some(0);
        }
        let unscaled = &*self.unscaled();
        if self.scale <= 0 {
            if self.scale < -19 {
                return None;
            }
            let whole = unscaled * ten_power(self.scale.unsigned_abs());
            return whole.to_i64();
        }
        let scale = self.scale.unsigned_abs();
        // 10^n has more than 3n bits: a number with fewer cannot be a multiple.
        if u64::from(scale) * 3 > unscaled.bits() {
            return None;
        }
        let power = ten_power(scale);
        let whole = unscaled / &power;
        (&whole * &power == *unscaled).then(|| whole.to_i64())?
    }

    /// `BigDecimal.longValue()`: the low 64 bits of the integer part.
    #[must_use]
    pub fn long_value(&self) -> i64 {
        let unscaled = &*self.unscaled();
        if self.scale == 0 {
            return low_bits(unscaled);
        }
        if self.scale < 0 {
            // 10^64 is a multiple of 2^64.
            if self.scale <= -64 {
                return 0;
            }
            return low_bits(&(unscaled * ten_power(self.scale.unsigned_abs())));
        }
        let scale = self.scale.unsigned_abs();
        if u64::from(scale) * 3 > unscaled.bits() {
            return 0;
        }
        low_bits(&(unscaled / ten_power(scale)))
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

    fn is_zero(&self) -> bool {
        self.signum() == 0
    }

    fn float_input(&self) -> String {
        format!("{}e{}", self.unscaled(), -i64::from(self.scale))
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

#[cfg(test)]
mod tests {
    use num_bigint::BigInt;

    use super::Decimal;

    #[test]
    fn small_and_big_numbers_are_one_kind() {
        let edges = [
            0, 1, -1, 127, 128, -128, -129, 255, 256, 32_767, 32_768, -32_768, -32_769,
        ];
        let wide = [
            i64::MAX,
            i64::MIN,
            i64::MAX / 256,
            i64::MIN / 256,
            i64::MIN / 256 - 1,
        ];
        for small in edges.into_iter().chain(wide) {
            let number = BigInt::from(small);
            let decimal = Decimal::new(number.clone(), 3);
            assert_eq!(decimal, Decimal::small(small, 3));
            assert_eq!(decimal.to_bytes(), number.to_signed_bytes_be(), "{small}");
            assert_eq!(
                Decimal::from_bytes(&decimal.to_bytes(), 3).unwrap(),
                decimal
            );
            assert_eq!(*decimal.unscaled(), number);
            assert_eq!(decimal.unscaled_i64(), Some(small));
            // Longer than it need be.
            let mut long = vec![if small < 0 { 0xff } else { 0 }; 9];
            long.extend(decimal.to_bytes());
            assert_eq!(Decimal::from_bytes(&long, 3).unwrap(), decimal);
        }
        for beyond in [i128::from(i64::MAX) + 1, i128::from(i64::MIN) - 1] {
            let number = BigInt::from(beyond);
            let decimal = Decimal::new(number.clone(), 0);
            assert_eq!(decimal.unscaled_i64(), None);
            assert_eq!(*decimal.unscaled(), number);
            assert_eq!(decimal.to_string(), beyond.to_string());
            assert_eq!(
                Decimal::from_bytes(&decimal.to_bytes(), 0).unwrap(),
                decimal
            );
        }
    }
}
