//! The notation of `*.shapes` and what it means.
//!
//! A message is a line `key name flexible` (`-`: never flexible) and its fields, indented. A field is
//! `name:type@versions#tag`; without versions it is there in all of them, without a tag it is no tagged field.
//! A type is a number of bytes (`1` also for booleans), `s` a string, `y` bytes or records, `[type]` an
//! array, `(fields)` a struct, `?(fields)` a struct that may be null. Null strings, bytes and arrays are the
//! codec's to judge.

use std::str::FromStr;

/// What a field is made of.
#[derive(Debug)]
pub(crate) enum Type {
    /// So many bytes.
    Fixed(usize),
    /// A string: length of 16 bits, or compact.
    Text,
    /// Bytes: length of 32 bits, or compact.
    Blob,
    Array(Box<Type>),
    Struct(Vec<Field>),
    /// A struct behind a byte that tells whether it is there.
    Optional(Vec<Field>),
}

/// A field and the versions that have it.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) of: Type,
    pub(crate) since: i16,
    pub(crate) until: i16,
    pub(crate) tag: Option<u32>,
}

impl Field {
    pub(crate) fn is_in(&self, version: i16) -> bool {
        (self.since..=self.until).contains(&version)
    }
}

/// A message.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The first version with compact lengths and tagged fields.
    pub(crate) flexible: i16,
    pub(crate) fields: Vec<Field>,
}

/// Reads a table: key and shape of each message. `Err` holds what cannot be read.
pub(crate) fn parse(table: &str) -> Result<Vec<(i16, Shape)>, String> {
    let mut messages: Vec<(&str, String)> = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        match messages.last_mut() {
            Some((_, fields)) if line.starts_with(' ') => {
                fields.push_str(line.trim());
                fields.push(' ');
            }
            _ => messages.push((line, String::new())),
        }
    }
    let shapes = messages.into_iter().map(|(head, fields)| {
        let message = message(head, &fields);
        message.ok_or_else(|| format!("{head}: {fields}"))
    });
    shapes.collect()
}

fn message(head: &str, fields: &str) -> Option<(i16, Shape)> {
    let mut words = head.split(' ');
    let key = words.next()?.parse().ok()?;
    let flexible = match words.nth(1)? {
        "-" => i16::MAX,
        version => version.parse().ok()?,
    };
    let mut reader = Reader(fields);
    let fields = reader.fields()?;
    reader
        .0
        .is_empty()
        .then_some((key, Shape { flexible, fields }))
}

/// What is left of the text.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn skip(&mut self, expected: char) -> bool {
        let rest = self.0.strip_prefix(expected);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn number<T: FromStr>(&mut self) -> Option<T> {
        let end = self.0.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        digits.parse().ok()
    }

    /// Up to the end or a bracket that closes.
    fn fields(&mut self) -> Option<Vec<Field>> {
        let mut fields = Vec::new();
        loop {
            self.0 = self.0.trim_start();
            if self.0.is_empty() || self.0.starts_with(')') {
                return Some(fields);
            }
            let (_name, rest) = self.0.split_once(':')?;
            self.0 = rest;
            fields.push(self.field()?);
        }
    }

    fn field(&mut self) -> Option<Field> {
        let of = self.of()?;
        let (mut since, mut until) = (0, i16::MAX);
        if self.skip('@') {
            since = self.number()?;
            if self.skip('-') {
                until = self.number()?;
            }
        }
        let tag = if self.skip('#') {
            Some(self.number()?)
        } else {
            None
        };
        Some(Field {
            of,
            since,
            until,
            tag,
        })
    }

    fn of(&mut self) -> Option<Type> {
        if self.skip('s') {
            Some(Type::Text)
        } else if self.skip('y') {
            Some(Type::Blob)
        } else if self.skip('[') {
            let element = Box::new(self.of()?);
            self.skip(']').then_some(Type::Array(element))
        } else if self.skip('?') {
            match self.of()? {
                Type::Struct(fields) => Some(Type::Optional(fields)),
                _ => None,
            }
        } else if self.skip('(') {
            let fields = self.fields()?;
            self.skip(')').then_some(Type::Struct(fields))
        } else {
            self.number().map(Type::Fixed)
        }
    }
}
