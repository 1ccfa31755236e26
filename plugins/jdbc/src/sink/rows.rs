//! Rows that await their statement: as cells, which every database takes, or laid out in binary as they will go.

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
                let count = rows.count + next.count;
                rows.close();
                rows.parts.append(&mut next.take());
                rows.count = count;
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
}

impl LaidOut {
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
