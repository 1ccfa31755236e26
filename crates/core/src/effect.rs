//! How a state machine asks the shell to act: effects with tokens, in the order in which they must begin.
//!
//! The shell executes effects in order and answers each one that carries a [`Token`] exactly once, with the
//! outcome. *Unknown* (the time ran out) is an outcome of its own: the act may or may not have happened.

/// Names one effect of one state machine, for the answer to refer to. Never reused by that machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Gives out tokens.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    last: u64,
}

impl Tokens {
    /// Starts with 1.
    #[must_use]
    pub const fn new() -> Self {
        Self { last: 0 }
    }

    /// Starts with the number after `last`.
    #[must_use]
    pub const fn starting_after(last: u64) -> Self {
        Self { last }
    }

    /// The next token.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless sequence, not an iterator"
    )]
    pub fn next(&mut self) -> Token {
        self.last = self.last.wrapping_add(1);
        Token(self.last)
    }
}

/// The effects of one or more steps, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects<E> {
    items: Vec<E>,
}

impl<E> Default for Effects<E> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<E> Effects<E> {
    /// No effects yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for one more effect, after all that were asked for before.
    pub fn push(&mut self, effect: E) {
        self.items.push(effect);
    }

    /// Takes all effects, oldest first.
    pub fn drain(&mut self) -> std::vec::Drain<'_, E> {
        self.items.drain(..)
    }

    /// The effects asked for so far, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[E] {
        &self.items
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<E> IntoIterator for Effects<E> {
    type Item = E;
    type IntoIter = std::vec::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}
