//! Part of Milena.
fn main() {}
