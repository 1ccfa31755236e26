//! `org.apache.kafka.connect.json.JsonConverter` (spec `data.md` 2.1, corrections in the oracle's notes).
//!
//! Well-formed messages take the fast way, straight from bytes into the record under the cached
//! schema ([`fast`]). Whatever is unusual makes the fast way give up, and the message is read again
//! into a tree ([`tree`]) with Jackson's rules and texts: every error comes from there.

mod cache;
mod config;
mod converter;
mod decode;
mod encode;
mod fast;
mod fast_numbers;
mod scan;
mod schema_json;
mod schema_read;
mod shapes;
mod tree;
mod tree_error;
mod tree_input;
mod tree_names;
mod tree_tokens;

pub use config::JsonConfig;
pub use converter::JsonConverter;
