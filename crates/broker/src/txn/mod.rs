//! Transactions: producer ids, epochs, and the two phases of their end (KIP-98, KIP-360, KIP-447).
//!
//! State lies in `__transaction_state` in Kafka's own record format and survives `kill -9`: a transaction
//! that was being completed is completed at the next start.

mod codec;
mod coordinator;
mod ending;
mod producer_ids;

pub(crate) use coordinator::{InitProducer, Joining, Listing, Phase, Transactions, TxnError};
