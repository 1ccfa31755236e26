//! The rows of a binary `COPY … TO STDOUT`: each message has whole rows, the first one the header before them.
//!
//! Who waits for messages only gathers them; rows are read where they are used, out of the memory that they came in.

use std::{ops::Range, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_postgres::CopyOutStream;

use super::{
    DbError, DbErrorKind,
    postgres::failed,
    postgres_binary::HEADER,
    postgres_decode::{Decoder, Form},
};
use crate::cell::Cell;

/// Bytes of the signature, which the flags and the length of an extension follow.
const SIGNATURE: usize = 11;
/// How much is gathered: some hundred rows, which stay in a processor's cache until they are used.
const CHUNK: usize = 64 << 10;
/// Room for the last message of a chunk.
const CHUNK_ROOM: usize = CHUNK + (8 << 10);

/// Messages as they come.
pub(super) struct CopyRows {
    stream: Pin<Box<CopyOutStream>>,
    gathered: Vec<u8>,
    begun: bool,
}

/// Whole rows one after the other.
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// Nothing follows: the session is free for other calls.
    pub(crate) is_last: bool,
}

impl CopyRows {
    pub(super) fn new(stream: CopyOutStream) -> Self {
        Self {
            stream: Box::pin(stream),
            gathered: Vec::new(),
            begun: false,
        }
    }

    /// The next rows. A dropped call loses nothing.
    pub(super) async fn next(&mut self) -> Result<Chunk, DbError> {
        let mut is_last = false;
        while self.gathered.len() < CHUNK {
            let Some(message) = self.stream.next().await else {
                is_last = true;
                break;
            };
            let message = message.map_err(failed)?;
            let rows = match self.begun {
                true => &message,
                false => behind_header(&message)?,
            };
            self.begun = true;
            if self.gathered.capacity() == 0 {
                self.gathered.reserve(rows.len().max(CHUNK_ROOM));
            }
            self.gathered.extend_from_slice(rows);
        }
        Ok(Chunk {
            bytes: std::mem::take(&mut self.gathered).into(),
            is_last,
        })
    }
}

/// What follows the header of a first message.
fn behind_header(message: &[u8]) -> Result<&[u8], DbError> {
    let known = HEADER.get(..SIGNATURE).unwrap_or_default();
    if !message.starts_with(known) {
        return Err(cut());
    }
    let mut at = SIGNATURE + 4;
    let more = u32::from_be_bytes(take(message, &mut at)?);
    let more = usize::try_from(more).unwrap_or(usize::MAX);
    message.get(at.saturating_add(more)..).ok_or_else(cut)
}

/// How the columns of a query are read out of its chunks.
pub(crate) struct LaidOutColumns {
    columns: Vec<(Decoder, String)>,
}

impl LaidOutColumns {
    pub(super) fn new(columns: Vec<(Decoder, String)>) -> Self {
        Self { columns }
    }

    /// What the columns hold, in order.
    pub(crate) fn forms(&self) -> impl Iterator<Item = &Form> {
        self.columns.iter().map(|(decoder, _)| decoder.form())
    }
}

/// The rows of a chunk, and how far it is read.
pub(crate) struct LaidOutRows {
    columns: Arc<LaidOutColumns>,
    chunk: Bytes,
    at: usize,
}

impl LaidOutRows {
    /// Without a row yet.
    pub(crate) fn new(columns: Arc<LaidOutColumns>) -> Self {
        Self {
            columns,
            chunk: Bytes::new(),
            at: 0,
        }
    }

    /// Goes on with a chunk, when there is none of the last one left.
    pub(crate) fn go_on(&mut self, chunk: Bytes) {
        (self.chunk, self.at) = (chunk, 0);
    }

    /// The next row of the chunk, whose cells must all be taken; `None`: there is none.
    pub(crate) fn next(&mut self) -> Result<Option<LaidOutRow<'_>>, DbError> {
        if self.at >= self.chunk.len() {
            return Ok(None);
        }
        let count = i16::from_be_bytes(take(&self.chunk, &mut self.at)?);
        // The trailer, behind which nothing follows.
        if count < 0 {
            self.go_on(Bytes::new());
            return Ok(None);
        }
        if usize::try_from(count) != Ok(self.columns.columns.len()) {
            return Err(cut());
        }
        Ok(Some(LaidOutRow {
            columns: &self.columns.columns,
            chunk: &self.chunk,
            at: &mut self.at,
        }))
    }
}

/// The cells of one row; texts and bytes share the memory of the chunk.
pub(crate) struct LaidOutRow<'a> {
    columns: &'a [(Decoder, String)],
    chunk: &'a Bytes,
    at: &'a mut usize,
}

impl<'a> LaidOutRow<'a> {
    /// What the fields lie in.
    pub(crate) fn chunk(&self) -> &'a Bytes {
        self.chunk
    }

    /// Where the next field lies; `None`: null.
    #[inline]
    pub(crate) fn place(&mut self) -> Result<Option<Range<usize>>, DbError> {
        let length = i32::from_be_bytes(take(self.chunk, self.at)?);
        let Ok(length) = usize::try_from(length) else {
            return Ok(None);
        };
        let begin = *self.at;
        if self.chunk.len() - begin < length {
            return Err(cut());
        }
        *self.at = begin + length;
        Ok(Some(begin..*self.at))
    }
}

impl LaidOutRow<'_> {
    /// The cell of a field of the column with this index.
    pub(crate) fn cell(&self, index: usize, place: Range<usize>) -> Result<Cell, DbError> {
        let (decoder, name) = self.columns.get(index).ok_or_else(cut)?;
        let cell = decoder.cell_of(self.chunk, place);
        cell.map_err(|error| error.in_column(name))
    }

    /// All cells.
    pub(crate) fn cells(mut self) -> Result<Vec<Cell>, DbError> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for index in 0..self.columns.len() {
            cells.push(match self.place()? {
                Some(place) => self.cell(index, place)?,
                None => Cell::Null,
            });
        }
        Ok(cells)
    }
}

/// The next bytes of a message.
#[inline]
fn take<const N: usize>(message: &[u8], at: &mut usize) -> Result<[u8; N], DbError> {
    let bytes = message.get(*at..).and_then(<[u8]>::first_chunk);
    *at += N;
    bytes.copied().ok_or_else(cut)
}

#[cold]
fn cut() -> DbError {
    DbError::new(
        DbErrorKind::Data,
        "the server sends a COPY of another form than PostgreSQL's",
    )
}
