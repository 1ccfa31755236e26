//! Record batches as they are on the wire (format 2 of KIP-98, the message sets before it for reading): written from records
//! of the ports and read into them, without an object per record in between.

pub(crate) mod completed;
mod decompress;
mod legacy;
pub(crate) mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::HEADER_BYTES;
pub(crate) use write::{BatchWriter, Compression, LZ4_DEFAULT, Stamp, halves, size_bound, stamp};
