//! Groups of the classic protocol, of any protocol type (`consumer`, `connect`).
//!
//! Members live in memory only: a broker that was restarted knows no member, which each of them learns by
//! UNKNOWN_MEMBER_ID and joins anew. Committed offsets live in `__consumer_offsets`.

mod codes;
mod manager;
mod member;
mod offsets;
mod state;

pub(crate) use codes::*;
pub(crate) use manager::Groups;
pub(crate) use member::{Join, JoinAnswer, MemberDescription, SyncAnswer};
pub(crate) use offsets::{CommittedOffset, OFFSETS_TOPIC};
pub(crate) use state::GroupState;
