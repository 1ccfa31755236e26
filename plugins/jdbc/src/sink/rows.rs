//! Rows that await their statement: as cells, which every database takes, or laid out in binary as they will go.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    ops::Range,
};

use bytes::Bytes;

use crate::cell::Cell;

/// How much is laid out in one piece.
const PART: usize = 128 * 1024;
/// Room for the row that goes beyond it.
const SPARE: usize = 4096;

/// Rows of one shape.
pub(crate) enum Rows {
    Cells(Vec<Vec<Cell>>),
    LaidOut(LaidOut),
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Cells(rows) => rows.len(),
            Self::LaidOut(rows) => rows.count,
        }
    }

    /// Whether the other rows can go behind these.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Cells(_), Self::Cells(_)) | (Self::LaidOut(_), Self::LaidOut(_))
        )
    }

    /// Takes rows behind its own, which are like them.
    pub(crate) fn append(&mut self, next: Self) {
        match (self, next) {
            (Self::Cells(rows), Self::Cells(mut next)) => rows.append(&mut next),
            (Self::LaidOut(rows), Self::LaidOut(mut next)) => {
                rows.count += next.count;
                rows.close();
                next.close();
                rows.parts.append(&mut next.parts);
                rows.keys.meet(next.keys);
            }
            _ => {}
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Cells(rows) => rows.clear(),
            Self::LaidOut(rows) => *rows = LaidOut::default(),
        }
    }
}

/// Rows in binary, one behind the other; a row is never in two parts.
#[derive(Default)]
pub(crate) struct LaidOut {
    parts: Vec<Bytes>,
    open: Vec<u8>,
    count: usize,
    keys: Keys,
}

/// The keys of rows. Two of one hash pass for one.
#[derive(Default)]
enum Keys {
    /// Nobody asks, or some came twice, or may have.
    #[default]
    Unknown,
    Differ(HashSet<u64>),
}

impl Keys {
    fn meet(&mut self, others: Self) {
        let all = match (&mut *self, others) {
            (Self::Differ(keys), Self::Differ(others)) => {
                others.into_iter().all(|key| keys.insert(key))
            }
            _ => false,
        };
        if !all {
            *self = Self::Unknown;
        }
    }
}

impl LaidOut {
    /// Without rows; their keys will be told by [`Self::key`].
    pub(crate) fn with_keys(rows: usize) -> Self {
        Self {
            keys: Keys::Differ(HashSet::with_capacity(rows)),
            ..Self::default()
        }
    }

    /// Where the key of the last row lies.
    pub(crate) fn key(&mut self, place: Range<usize>) {
        if let Keys::Differ(keys) = &mut self.keys {
            let mut hasher = DefaultHasher::new();
            self.open.get(place).hash(&mut hasher);
            if !keys.insert(hasher.finish()) {
                self.keys = Keys::Unknown;
            }
        }
    }

    /// Whether it is known that no two rows have one key.
    pub(crate) fn differ(&self) -> bool {
        matches!(self.keys, Keys::Differ(_))
    }

    /// Where the next row goes.
    pub(crate) fn next(&mut self) -> &mut Vec<u8> {
        if self.open.len() >= PART {
            self.close();
        }
        if self.open.capacity() == 0 {
            self.open.reserve(PART + SPARE);
        }
        self.count += 1;
        &mut self.open
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.parts.push(std::mem::take(&mut self.open).into());
        }
    }

    /// All of it.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        self.close();
        self.count = 0;
        std::mem::take(&mut self.parts)
    }
}
