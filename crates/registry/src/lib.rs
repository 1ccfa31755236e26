//! Part of Milena.
