//! The way to a PostgreSQL server: its hosts in turn, TLS where it is asked for, and reading by the clock while rows rush in.

use std::{
    io::{self, Read as _},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rustls_pki_types::ServerName;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tokio_rustls::client::TlsStream;

use super::{DbError, DbErrorKind};
use crate::tls::Tls;

/// What asks a server for TLS: the length of the message, and a version that no protocol has.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// How often a socket is looked at by the clock.
const LOOK: Duration = Duration::from_millis(1);
/// After so many looks in vain the socket is waited for again.
const LOOKS_IN_VAIN: u32 = 20;

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Never,
    /// If the server can.
    Preferred,
    Required,
}

/// How a server is reached.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) encryption: Encryption,
    pub(super) tls: Tls,
    /// For one address.
    pub(super) timeout: Duration,
}

impl Way {
    /// A connection to a host, whose addresses are tried in turn.
    pub(super) async fn link(&self, host: &str, port: u16) -> Result<Link, DbError> {
        let addresses = tokio::net::lookup_host((host, port)).await;
        let mut failure = None;
        for address in addresses.map_err(|error| unreachable(&error))? {
            let connecting = TcpStream::connect(address);
            let connected = match tokio::time::timeout(self.timeout, connecting).await {
                Ok(Ok(stream)) => self.encrypted(stream, host).await,
                Ok(Err(error)) => Err(unreachable(&error)),
                Err(_) => Err(unreachable(&"connection timed out")),
            };
            match connected {
                Ok(link) => return Ok(link),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.unwrap_or_else(|| unreachable(&"the name of the host has no address")))
    }

    async fn encrypted(&self, mut stream: TcpStream, host: &str) -> Result<Link, DbError> {
        let prepare = || {
            stream.set_nodelay(true)?;
            SockRef::from(&stream).set_keepalive(true)
        };
        prepare().map_err(|error| unreachable(&error))?;
        if self.encryption == Encryption::Never {
            return Ok(Link::Tcp(stream));
        }
        let mut answer = [0];
        let asked = async {
            stream.write_all(&TLS_REQUEST).await?;
            stream.read_exact(&mut answer).await
        };
        asked.await.map_err(|error| lost(&error))?;
        match (answer, self.encryption) {
            ([b'S'], _) => {
                let refuse = |error: &dyn std::fmt::Display| {
                    let message = format!("error performing TLS handshake: {error}");
                    DbError::new(DbErrorKind::Connection, message)
                };
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| refuse(&format_args!("'{host}' is no name of a server")))?;
                let stream = self.tls.connect(name, stream).await;
                Ok(Link::Tls(Box::new(stream.map_err(|error| refuse(&error))?)))
            }
            (_, Encryption::Required) => Err(DbError::new(
                DbErrorKind::Connection,
                "error performing TLS handshake: server does not support TLS: set ssl=on there, or sslmode=prefer here",
            )),
            _ => Ok(Link::Tcp(stream)),
        }
    }
}

fn unreachable(error: &dyn std::fmt::Display) -> DbError {
    let message = format!("error connecting to server: {error}");
    DbError::new(DbErrorKind::Connection, message)
}

fn lost(error: &io::Error) -> DbError {
    let message = format!("error communicating with the server: {error}");
    DbError::new(DbErrorKind::Connection, message)
}

/// A connection.
pub(super) enum Link {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Looked at by the clock. PostgreSQL sends 8 KiB at a time, and each of them would wake a thread.
    Clocked(Clocked),
    /// It changed from one to the other, and could not.
    Gone,
}

/// A socket that nothing is told of.
pub(super) struct Clocked {
    socket: std::net::TcpStream,
    look: Pin<Box<Sleep>>,
    /// Looks since anything was there.
    in_vain: u32,
}

impl Link {
    /// Reads from now on by the clock, until nothing comes any more; whether that is a change. Under TLS it stays as it is.
    pub(super) fn clock(&mut self) -> io::Result<bool> {
        match std::mem::replace(self, Self::Gone) {
            Self::Tcp(stream) => {
                *self = Self::Clocked(Clocked {
                    socket: stream.into_std()?,
                    look: Box::pin(tokio::time::sleep(LOOK)),
                    in_vain: 0,
                });
                Ok(true)
            }
            other => {
                *self = other;
                Ok(false)
            }
        }
    }

    /// Waits for the socket again.
    pub(super) fn unclock(&mut self) -> io::Result<()> {
        match std::mem::replace(self, Self::Gone) {
            Self::Clocked(clocked) => *self = Self::Tcp(TcpStream::from_std(clocked.socket)?),
            other => *self = other,
        }
        Ok(())
    }

    /// Reads into a place; 0: the server is gone.
    pub(super) fn poll_take(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if let Self::Clocked(clocked) = self {
            if let Poll::Ready(taken) = clocked.poll_take(cx, into) {
                return Poll::Ready(taken);
            }
            if clocked.in_vain < LOOKS_IN_VAIN {
                return Poll::Pending;
            }
            self.unclock()?;
        }
        let mut into = ReadBuf::new(into);
        ready!(match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut into),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, &mut into),
            Self::Clocked(_) | Self::Gone => return Poll::Ready(Err(gone())),
        })?;
        Poll::Ready(Ok(into.filled().len()))
    }
}

impl Clocked {
    fn poll_take(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.socket.read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                taken => {
                    self.in_vain = 0;
                    return Poll::Ready(taken);
                }
            }
            // A look that was due is made once more, behind the moment that it was due at.
            ready!(self.look.as_mut().poll(cx));
            self.in_vain += 1;
            self.look.as_mut().reset(Instant::now() + LOOK);
            if self.in_vain >= LOOKS_IN_VAIN {
                return Poll::Pending;
            }
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let taken = ready!(self.poll_take(cx, into.initialize_unfilled()))?;
        into.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        // What is written while rows come is the end of the connection.
        self.unclock()?;
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, from),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, from),
            Self::Clocked(_) | Self::Gone => Poll::Ready(Err(gone())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
            // What a socket took is on its way.
            Self::Tcp(_) | Self::Clocked(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unclock()?;
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            Self::Clocked(_) | Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
