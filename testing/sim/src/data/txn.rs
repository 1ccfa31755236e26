//! A model of a partition with transactions and of the coordinator of one transactional id, before KIP-890: an EndTxn names
//! its epoch and nothing else, so one that comes late ends whatever is open.

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// The record of the source with this number.
    Data(u64),
    /// The source goes on at this number.
    Offset(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Committed,
    Aborted,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A newer producer has the id.
    Fenced,
    /// CONCURRENT_TRANSACTIONS: the end of the last one is still being written.
    Concurrent,
}

/// `transaction.timeout.ms`.
const TIMEOUT: u64 = 60_000;

/// The partition and its coordinator.
#[derive(Debug, Default)]
pub struct Broker {
    log: Vec<(Item, State)>,
    first_open: usize,
    epoch: i32,
    open_since: Option<u64>,
    settles_at: u64,
    /// The records before this one are in committed transactions, each once and in order.
    pub committed: u64,
    /// The last committed offset.
    pub offset: u64,
}

impl Broker {
    /// InitProducerId, of the task or of the one that fences it: what is open is aborted first, which takes a while.
    ///
    /// # Errors
    /// As the broker refuses.
    pub fn init(&mut self, now: u64, settle: u64) -> Result<i32, Refusal> {
        self.tick(now);
        if now < self.settles_at {
            return Err(Refusal::Concurrent);
        }
        if self.open_since.is_some() {
            self.epoch += 1;
            self.close(State::Aborted);
            self.settles_at = now + settle;
            return Err(Refusal::Concurrent);
        }
        self.epoch += 1;
        Ok(self.epoch)
    }

    /// Appends within the transaction of this epoch.
    ///
    /// # Errors
    /// As the broker refuses.
    pub fn produce(&mut self, now: u64, epoch: i32, items: &[Item]) -> Result<(), Refusal> {
        self.tick(now);
        if epoch != self.epoch {
            return Err(Refusal::Fenced);
        }
        if now < self.settles_at {
            return Err(Refusal::Concurrent);
        }
        self.open_since.get_or_insert(now);
        self.log
            .extend(items.iter().map(|item| (*item, State::Open)));
        Ok(())
    }

    /// EndTxn with commit. Answers what broke, if a transaction is not whole.
    ///
    /// # Errors
    /// As the broker refuses.
    pub fn commit(&mut self, now: u64, epoch: i32, settle: u64) -> Result<Option<String>, Refusal> {
        self.tick(now);
        if epoch != self.epoch {
            return Err(Refusal::Fenced);
        }
        if self.open_since.is_none() {
            return Ok(None);
        }
        self.settles_at = now + settle;
        let broken = self.check();
        self.close(State::Committed);
        Ok(broken)
    }

    /// `ExactlyOnce`: the records of a transaction follow the committed ones without gap, and its offset is theirs.
    fn check(&mut self) -> Option<String> {
        let open = self.log.get(self.first_open..).unwrap_or_default();
        let mut offset = None;
        for (item, state) in open {
            match item {
                _ if *state != State::Open => {}
                Item::Data(number) if *number == self.committed => self.committed += 1,
                Item::Data(number) => {
                    return Some(format!(
                        "record {number} is committed where {} was due",
                        self.committed
                    ));
                }
                Item::Offset(next) => offset = Some(*next),
            }
        }
        match offset {
            Some(next) if next == self.committed => self.offset = next,
            other => {
                return Some(format!(
                    "records up to {} are committed with the offset {other:?}",
                    self.committed
                ));
            }
        }
        None
    }

    fn close(&mut self, to: State) {
        for (_, state) in self.log.iter_mut().skip(self.first_open) {
            if *state == State::Open {
                *state = to;
            }
        }
        self.first_open = self.log.len();
        self.open_since = None;
    }

    fn tick(&mut self, now: u64) {
        if self.open_since.is_some_and(|since| now - since > TIMEOUT) {
            self.epoch += 1;
            self.close(State::Aborted);
        }
    }

    /// What a reader of committed records gets: all before the first that is open, but what was aborted.
    pub fn readable(&self) -> impl Iterator<Item = Item> {
        let ended = self
            .log
            .iter()
            .take_while(|(_, state)| *state != State::Open);
        let kept = ended.filter(|(_, state)| *state == State::Committed);
        kept.map(|(item, _)| *item)
    }

    /// The epoch of the newest producer.
    #[must_use]
    pub const fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Whether a reader of committed records would wait for the end of an open transaction.
    pub fn is_open(&mut self, now: u64) -> bool {
        self.tick(now);
        self.open_since.is_some() || now < self.settles_at
    }
}
