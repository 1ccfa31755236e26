//! The only source of chance: a small generator whose whole state is one number, so that a seed is a history.

/// SplitMix64 (Steele, Lea, Flood 2014): enough for choosing faults, not for secrets.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `from` to `to`, both possible.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.number() % (to.saturating_sub(from) + 1)
    }

    /// True this many times in a thousand.
    pub fn permille(&mut self, of: u64) -> bool {
        self.number() % 1000 < of
    }

    /// One of these; `None` of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let index = self.number() % u64::try_from(of.len().max(1)).unwrap_or(1);
        of.get(usize::try_from(index).unwrap_or(0))
    }
}
