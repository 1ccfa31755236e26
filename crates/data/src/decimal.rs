//! Arbitrary precision decimals: `java.math.BigDecimal` as an unscaled integer and a scale.

use num_bigint::BigInt;

/// An arbitrary precision decimal: `unscaled * 10^-scale`. Equality includes the scale, as in Java.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    unscaled: BigInt,
    scale: i32,
}

impl Decimal {
    /// A decimal of the given unscaled value and scale (which may be negative).
    #[must_use]
    pub fn new(unscaled: BigInt, scale: i32) -> Self {
        Self { unscaled, scale }
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
}
