//! What happens next, in order of time.

use std::collections::BTreeMap;

/// Events by their moment, in milliseconds; of one moment in the order in which they were put.
#[derive(Debug)]
pub(super) struct Queue<E> {
    events: BTreeMap<(u64, u64), E>,
    sequence: u64,
    pub(super) now: u64,
}

impl<E> Queue<E> {
    pub(super) const fn new() -> Self {
        Self {
            events: BTreeMap::new(),
            sequence: 0,
            now: 0,
        }
    }

    pub(super) fn after(&mut self, delay: u64, event: E) {
        self.sequence += 1;
        self.events.insert((self.now + delay, self.sequence), event);
    }

    /// The next event; the time is then its moment.
    pub(super) fn pop(&mut self) -> Option<E> {
        let ((at, _), event) = self.events.pop_first()?;
        self.now = at;
        Some(event)
    }
}
