//! The rows of a binary `COPY … TO STDOUT`: each message has whole rows, the first one the header before them.
//!
//! They come by the chunk; rows are read where they are used, out of the memory that they came in.

use std::{ops::Range, pin::Pin, sync::Arc};

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
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

/// Rows as they come.
pub(super) struct CopyRows {
    /// Without rows, which the tap of the connection takes out: how it ends.
    answer: Pin<Box<CopyOutStream>>,
    chunks: mpsc::Receiver<Bytes>,
    begun: bool,
}

/// Whole rows one after the other.
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    /// Nothing follows: the session is free for other calls.
    pub(crate) is_last: bool,
}

impl CopyRows {
    pub(super) fn new(answer: CopyOutStream, chunks: mpsc::Receiver<Bytes>) -> Self {
        Self {
            answer: Box::pin(answer),
            chunks,
            begun: false,
        }
    }

    /// The next rows. A dropped call loses nothing.
    pub(super) async fn next(&mut self) -> Result<Chunk, DbError> {
        let Some(mut bytes) = self.chunks.recv().await else {
            return match self.answer.next().await {
                None => Ok(Chunk {
                    bytes: Bytes::new(),
                    is_last: true,
                }),
                Some(Err(error)) => Err(failed(error)),
                Some(Ok(_)) => Err(cut()),
            };
        };
        if !std::mem::replace(&mut self.begun, true) {
            bytes.advance(header(&bytes)?);
        }
        Ok(Chunk {
            bytes,
            is_last: false,
        })
    }
}

/// How long the header is, which is whole in the first message.
fn header(chunk: &[u8]) -> Result<usize, DbError> {
    let known = HEADER.get(..SIGNATURE).unwrap_or_default();
    if !chunk.starts_with(known) {
        return Err(cut());
    }
    let mut at = SIGNATURE + 4;
    let more = u32::from_be_bytes(take(chunk, &mut at)?);
    let more = usize::try_from(more).unwrap_or(usize::MAX);
    let size = at.saturating_add(more);
    (size <= chunk.len()).then_some(size).ok_or_else(cut)
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
