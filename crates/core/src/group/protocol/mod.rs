//! The bytes that group members exchange through the coordinator: Connect's versions 0 to 2 (KIP-415, KIP-507)
//! and the consumer protocol's versions 0 to 3 (KIP-429, KIP-792, KIP-881).
//!
//! Readers are tolerant as Java's are: the version inside the bytes counts, a higher one is read with the
//! highest known layout, fields that are not there take their default. Nothing is allocated by a length read.

pub mod connect;
pub mod consumer;
mod wire;

pub use wire::{ReadError, Reader, Writer};

#[cfg(test)]
mod tests;
