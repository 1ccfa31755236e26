//! Decodes messages of Kafka's protocol that nobody vouches for.
//!
//! The codec (`kafka-protocol`) reserves memory for as many elements as a message announces: four bytes
//! end the process. Here a message is walked along its shape first, without allocating: every length must
//! be covered by bytes that are there, and the elements of the whole message are counted. Only then does
//! the codec see it. It knows the shapes of messages and nothing of what they mean.

mod decode;
pub mod sample;
mod shape;
mod table;
mod walk;

pub use decode::{DecodeError, decode_request, decode_response};
