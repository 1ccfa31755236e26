//! Decoding with bounded memory.

use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, Request};

use crate::{
    table::{Side, shape},
    walk::walk,
};

/// The most elements of arrays, and tagged fields, in a request. An element may take a hundred times its
/// bytes; a fetch or commit of every partition of a large cluster stays far below.
const REQUEST_ELEMENTS_MAX: usize = 1_000_000;
/// The same for responses: metadata of 200,000 partitions with their replicas has some millions.
const RESPONSE_ELEMENTS_MAX: usize = 10_000_000;

/// Why a message is not decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A length that nothing covers.
    #[error("a length of {count} with {left} bytes left")]
    Length {
        /// Bytes or elements.
        count: usize,
        /// What is left of the message.
        left: usize,
    },
    /// A tagged field is longer or shorter than it says.
    #[error("tagged field {0} is not as long as it says")]
    TagSize(u32),
    /// More than any client or broker means.
    #[error("too many elements")]
    TooManyElements,
    /// There is no shape for it.
    #[error("the shape of messages with key {0} is not known")]
    UnknownShape(i16),
    /// What the codec says.
    #[error("{0}")]
    Codec(String),
}

/// Decodes the body of a request.
///
/// # Errors
/// It is malformed, or announces more than is there.
pub fn decode_request<R: Request>(mut body: Bytes, version: i16) -> Result<R, DecodeError> {
    check(Side::Request, R::KEY, version, &body)?;
    R::decode(&mut body, version).map_err(|error| DecodeError::Codec(error.to_string()))
}

/// Decodes the body of the response to a request `R`.
///
/// # Errors
/// It is malformed, or announces more than is there.
pub fn decode_response<R: Request>(
    mut body: Bytes,
    version: i16,
) -> Result<R::Response, DecodeError> {
    check(Side::Response, R::KEY, version, &body)?;
    R::Response::decode(&mut body, version).map_err(|error| DecodeError::Codec(error.to_string()))
}

fn check(side: Side, key: i16, version: i16, body: &[u8]) -> Result<(), DecodeError> {
    let shape = shape(side, key).ok_or(DecodeError::UnknownShape(key))?;
    let elements_max = match side {
        Side::Request => REQUEST_ELEMENTS_MAX,
        Side::Response => RESPONSE_ELEMENTS_MAX,
    };
    walk(shape, version, body, elements_max)
}
