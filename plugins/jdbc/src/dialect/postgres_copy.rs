//! The rows of a binary `COPY … TO STDOUT`: each message has whole rows, the first one the header before them.

use std::{ops::Range, pin::Pin};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio_postgres::CopyOutStream;

use super::{DbError, DbErrorKind, postgres::failed, postgres_binary::HEADER};

/// Bytes of the signature, which the flags and the length of an extension follow.
const SIGNATURE: usize = 11;

/// Rows as they come.
pub(super) struct CopyRows {
    stream: Pin<Box<CopyOutStream>>,
    /// The last message, and how far it is read. Fields are taken out of it where they lie: a slice of its own for each of
    /// them would count its holders up and down.
    message: Bytes,
    at: usize,
    begun: bool,
}

impl CopyRows {
    pub(super) fn new(stream: CopyOutStream) -> Self {
        Self {
            stream: Box::pin(stream),
            message: Bytes::new(),
            at: 0,
            begun: false,
        }
    }

    /// The fields of the next row, which must all be taken; `None` at the end. A dropped call loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Fields<'_>>, DbError> {
        while self.at >= self.message.len() {
            match self.stream.next().await {
                Some(message) => self.message = message.map_err(failed)?,
                None => return Ok(None),
            }
            self.at = 0;
            if !self.begun {
                self.begun = true;
                self.header()?;
            }
        }
        let count = i16::from_be_bytes(take(&self.message, &mut self.at)?);
        if count < 0 {
            // The trailer; what follows is the end of the stream, which frees the connection.
            self.message = Bytes::new();
            self.at = 0;
            while let Some(message) = self.stream.next().await {
                message.map_err(failed)?;
            }
            return Ok(None);
        }
        Ok(Some(Fields {
            message: &self.message,
            at: &mut self.at,
        }))
    }

    fn header(&mut self) -> Result<(), DbError> {
        let known = HEADER.get(..SIGNATURE).unwrap_or_default();
        if !self.message.starts_with(known) || self.message.len() < HEADER.len() {
            return Err(cut());
        }
        self.at = SIGNATURE + 4;
        let more = u32::from_be_bytes(take(&self.message, &mut self.at)?);
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        if self.message.len() - self.at < more {
            return Err(cut());
        }
        self.at += more;
        Ok(())
    }
}

/// The fields of one row.
pub(super) struct Fields<'a> {
    message: &'a Bytes,
    at: &'a mut usize,
}

impl<'a> Fields<'a> {
    /// The message that they lie in.
    pub(super) fn message(&self) -> &'a Bytes {
        self.message
    }

    /// Where the next field lies; `None`: null.
    pub(super) fn next(&mut self) -> Result<Option<Range<usize>>, DbError> {
        let length = i32::from_be_bytes(take(self.message, self.at)?);
        let Ok(length) = usize::try_from(length) else {
            return Ok(None);
        };
        let begin = *self.at;
        if self.message.len() - begin < length {
            return Err(cut());
        }
        *self.at = begin + length;
        Ok(Some(begin..*self.at))
    }
}

/// The next bytes of a message.
fn take<const N: usize>(message: &Bytes, at: &mut usize) -> Result<[u8; N], DbError> {
    let bytes = message.get(*at..).and_then(<[u8]>::first_chunk);
    *at += N;
    bytes.copied().ok_or_else(cut)
}

fn cut() -> DbError {
    DbError::new(
        DbErrorKind::Data,
        "the server sends a COPY of another form than PostgreSQL's",
    )
}
