//! The rows of a binary `COPY … TO STDOUT`: each message has whole rows, the first one the header before them.

use std::pin::Pin;

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use tokio_postgres::CopyOutStream;

use super::{DbError, DbErrorKind, postgres::failed, postgres_binary::HEADER};

/// Bytes of the signature, which the flags and the length of an extension follow.
const SIGNATURE: usize = 11;

/// Rows as they come.
pub(super) struct CopyRows {
    stream: Pin<Box<CopyOutStream>>,
    /// What is left of the last message.
    rest: Bytes,
    begun: bool,
}

impl CopyRows {
    pub(super) fn new(stream: CopyOutStream) -> Self {
        Self {
            stream: Box::pin(stream),
            rest: Bytes::new(),
            begun: false,
        }
    }

    /// The fields of the next row, which must all be taken; `None` at the end. A dropped call loses nothing.
    pub(super) async fn next(&mut self) -> Result<Option<Fields<'_>>, DbError> {
        while self.rest.is_empty() {
            match self.stream.next().await {
                Some(message) => self.rest = message.map_err(failed)?,
                None => return Ok(None),
            }
            if !self.begun {
                self.begun = true;
                self.header()?;
            }
        }
        let count = self.rest.try_get_i16().map_err(|_| cut())?;
        if count < 0 {
            // The trailer; what follows is the end of the stream, which frees the connection.
            self.rest.clear();
            while let Some(message) = self.stream.next().await {
                message.map_err(failed)?;
            }
            return Ok(None);
        }
        Ok(Some(Fields {
            rest: &mut self.rest,
        }))
    }

    fn header(&mut self) -> Result<(), DbError> {
        let known = HEADER.get(..SIGNATURE).unwrap_or_default();
        if !self.rest.starts_with(known) || self.rest.len() < HEADER.len() {
            return Err(cut());
        }
        self.rest.advance(SIGNATURE + 4);
        let more = self.rest.try_get_u32().map_err(|_| cut())?;
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        if self.rest.len() < more {
            return Err(cut());
        }
        self.rest.advance(more);
        Ok(())
    }
}

/// The fields of one row.
pub(super) struct Fields<'a> {
    rest: &'a mut Bytes,
}

impl Fields<'_> {
    /// The next field; `None`: null.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, DbError> {
        let length = self.rest.try_get_i32().map_err(|_| cut())?;
        let Ok(length) = usize::try_from(length) else {
            return Ok(None);
        };
        if self.rest.len() < length {
            return Err(cut());
        }
        Ok(Some(self.rest.split_to(length)))
    }
}

fn cut() -> DbError {
    DbError::new(
        DbErrorKind::Data,
        "the server sends a COPY of another form than PostgreSQL's",
    )
}
