//! Source offsets: which of them may be committed, and how they stand in the offsets topic.

mod ledger;
mod store;

pub use ledger::{OffsetLedger, PartitionIndex, Submission};
pub use store::{
    OffsetDecodeError, OffsetEncodeError, OffsetStore, encode_offset_key, encode_offset_value,
};
