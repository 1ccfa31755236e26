//! A parsed configuration value.

use crate::Secret;

/// A value after parsing by its key's type.
#[derive(Clone, Debug)]
pub enum ConfigValue {
    /// No value (a null default).
    Null,
    /// `BOOLEAN`.
    Boolean(bool),
    /// `STRING`.
    String(String),
    /// `INT`.
    Int(i32),
    /// `SHORT`.
    Short(i16),
    /// `LONG`.
    Long(i64),
    /// `DOUBLE`.
    Double(f64),
    /// `LIST`: comma separated, trimmed.
    List(Vec<String>),
    /// `CLASS`: a class name or alias, looked up in the registry only.
    Class(String),
    /// `PASSWORD`.
    Password(Secret<String>),
}
