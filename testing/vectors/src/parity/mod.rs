//! Parity with the Java classes: generated cases, answered by both sides, compared as text.
//!
//! A case is a line of tab-separated parts in the notation of [`dump`]; the Java program in `java/`
//! answers each with a line. Everything is generated from a seed, which a report names.

mod answer;
pub mod cases;
pub mod dump;
pub mod generate;
mod java;
mod random;
pub mod transforms;

pub use answer::{answer, error_text};
pub use java::{Summary, compare};
pub use random::Random;
