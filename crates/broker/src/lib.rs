//! Part of Milena.
pub mod log;
