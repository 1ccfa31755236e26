//! How an answer gets onto a connection. Records in files go from the system's cache to the socket within the
//! system where it can do that (Linux, no TLS); otherwise they are copied in small parts, so that an answer
//! takes no memory in proportion to its records.
//!
//! Answers to Java's `TransportLayer.transferFrom`.

use std::{io, os::unix::fs::FileExt, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::{api::Reply, log::FileSlice};

/// What is copied at a time where records cannot go directly.
const PART: usize = 64 * 1024;

/// A connection of a client.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// Writes an answer whole.
    fn send(&mut self, reply: Reply) -> impl Future<Output = io::Result<()>> + Send;
}

impl Wire for TcpStream {
    async fn send(&mut self, reply: Reply) -> io::Result<()> {
        if reply.rest.is_empty() {
            return self.write_all(&reply.head).await;
        }
        direct::send(self, reply).await
    }
}

impl Wire for TlsStream<TcpStream> {
    async fn send(&mut self, reply: Reply) -> io::Result<()> {
        copied(self, reply).await?;
        // TLS keeps what was written until it is flushed.
        self.flush().await
    }
}

async fn copied(stream: &mut (impl AsyncWrite + Unpin), reply: Reply) -> io::Result<()> {
    stream.write_all(&reply.head).await?;
    let mut part = Vec::new();
    for (slice, after) in reply.rest {
        let FileSlice {
            file,
            mut position,
            mut len,
        } = slice;
        while len > 0 {
            part.resize(len.min(PART), 0);
            file.read_exact_at(&mut part, position)?;
            stream.write_all(&part).await?;
            position += part.len() as u64;
            len -= part.len();
        }
        stream.write_all(&after).await?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod direct {
    //! With `sendfile`.
    //!
    //! The socket is not corked around it: measured over loopback, that takes twice the processor time, most of it for
    //! waking the reader more often.

    use std::num::NonZeroUsize;

    use socket2::SockRef;
    use tokio::io::Interest;

    use super::{Arc, AsyncWriteExt, FileSlice, Reply, TcpStream, io};

    pub(super) async fn send(stream: &mut TcpStream, reply: Reply) -> io::Result<()> {
        stream.write_all(&reply.head).await?;
        let mut rest = reply.rest.into_iter().peekable();
        while let Some((slice, after)) = rest.next() {
            file(stream, slice).await?;
            if rest.peek().is_some() {
                before_a_file(stream, &after).await?;
            } else {
                stream.write_all(&after).await?;
            }
        }
        Ok(())
    }

    /// The small parts between files go in the same packets as what follows.
    async fn before_a_file(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let socket = SockRef::from(stream);
            let sent = stream
                .async_io(Interest::WRITABLE, || {
                    socket.send_with_flags(bytes, libc::MSG_MORE)
                })
                .await?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    async fn file(stream: &TcpStream, slice: FileSlice) -> io::Result<()> {
        let mut position = usize::try_from(slice.position).map_err(io::Error::other)?;
        let mut left = slice.len;
        let file = Arc::clone(&slice.file);
        while let Some(len) = NonZeroUsize::new(left) {
            let socket = SockRef::from(stream);
            let sent = stream
                .async_io(Interest::WRITABLE, || {
                    socket.sendfile(&*file, position, Some(len))
                })
                .await?;
            if sent == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            position += sent;
            left -= sent;
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod direct {
    //! Other systems copy.

    pub(super) use super::copied as send;
}
