//! Paths to fields (KIP-821, `SingleFieldPath` in Java): `a.b`, with backticks around names that hold
//! dots. There is no way into arrays.

use milena_api::ConnectError;
use milena_data::{Field, MapValue, Schema, Struct, Text, Value};

use crate::{
    copy,
    requirements::{not_a_map, not_a_struct},
};

const PURPOSE: &str = "nested field access";

/// `field.syntax.version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldSyntax {
    /// The text is the name of one field, dots included.
    V1,
    /// Names are separated by dots.
    V2,
}

/// A path from the top to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    steps: Vec<Text>,
}

impl FieldPath {
    /// Parses a path.
    ///
    /// # Errors
    /// `ConfigException`: a backtick that begins a name is not closed.
    pub fn new(path: &str, syntax: FieldSyntax) -> Result<Self, ConnectError> {
        let steps = match syntax {
            FieldSyntax::V1 => vec![path.into()],
            FieldSyntax::V2 => parse(path)?.into_iter().map(Text::from).collect(),
        };
        Ok(Self { steps })
    }

    /// The names from the top to the field.
    #[must_use]
    pub fn steps(&self) -> &[Text] {
        &self.steps
    }

    /// The field that the path leads to in a schema; `None` when there is none.
    pub(crate) fn field_in<'a>(
        &self,
        schema: &'a Schema,
    ) -> Result<Option<&'a Field>, ConnectError> {
        let (last, before) = self.split()?;
        let mut current = schema;
        for step in before {
            match copy::field(current, step)? {
                Some(field) => current = field.schema(),
                None => return Ok(None),
            }
        }
        copy::field(current, last)
    }

    /// The value that the path leads to in a struct.
    pub(crate) fn value_in(&self, top: &Struct, replace_null: bool) -> Result<Value, ConnectError> {
        let read = |current: &Struct, step: &str| -> Result<Value, ConnectError> {
            Ok(if replace_null {
                current.get(step)?.clone()
            } else {
                current.get_without_default(step)?.clone()
            })
        };
        let (last, before) = self.split()?;
        let mut held;
        let mut current = top;
        for step in before {
            held = match read(current, step)? {
                Value::Null => return Ok(Value::Null),
                Value::Struct(inner) => inner,
                other => return Err(not_a_struct(&other, PURPOSE)),
            };
            current = &held;
        }
        read(current, last)
    }

    /// The value that the path leads to in a map; null when a part of it is missing.
    pub(crate) fn value_in_map(&self, top: &MapValue) -> Result<Value, ConnectError> {
        let (last, before) = self.split()?;
        let mut current = top;
        for step in before {
            current = match current.get_str(step) {
                None | Some(Value::Null) => return Ok(Value::Null),
                Some(Value::Map(inner)) => inner,
                Some(other) => return Err(not_a_map(other, PURPOSE)),
            };
        }
        Ok(current.get_str(last).cloned().unwrap_or_default())
    }

    fn split(&self) -> Result<(&Text, &[Text]), ConnectError> {
        self.steps.split_last().ok_or_else(|| {
            ConnectError::of(
                "java.lang.IllegalArgumentException",
                "fromIndex(0) > toIndex(-1)",
            )
        })
    }
}

fn parse(path: &str) -> Result<Vec<String>, ConnectError> {
    let chars: Vec<char> = path.chars().collect();
    let mut steps = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = chars.get(at..).unwrap_or_default();
        if rest.first() == Some(&'`') {
            let (step, length) = quoted(rest).ok_or_else(|| {
                ConnectError::config(format!(
                    "Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position {at} to escape it"
                ))
            })?;
            steps.push(step);
            // The backticks, and the dot after them.
            at += length + 1;
        } else {
            let step: String = rest.iter().take_while(|c| **c != '.').collect();
            at += step.chars().count() + 1;
            steps.push(step);
        }
        // A dot at the end is followed by an empty name.
        if at == chars.len() {
            steps.push(String::new());
        }
    }
    Ok(steps)
}

/// The name between a backtick and the next one that ends it, and the length of both with it.
fn quoted(text: &[char]) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut at = 1;
    loop {
        let c = *text.get(at)?;
        let closes = c == '`' && matches!(text.get(at + 1), None | Some('.'));
        if !closes {
            name.push(c);
        } else if at > 1 && text.get(at - 1) == Some(&'\\') {
            name.pop();
            name.push('`');
        } else {
            return Some((name, at + 1));
        }
        at += 1;
    }
}
