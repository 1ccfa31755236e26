//! Connections, with TLS where it is set: frames in, answers out, one request of a connection at a time, as Kafka does it.
//!
//! A client that sends nonsense, or never reads, hurts itself alone: its frame is bounded before it is
//! read, and its answer waits in its own task.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tracing::{debug, warn};

use crate::{api, broker::Shared, listener::Listener, sasl::TOKEN_BYTES_MAX, wire::Wire};

/// How long a client may take for its TLS handshake.
const TLS_HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// What a request takes without asking, and the unit in which more is reserved.
const BLOCK: usize = 64 * 1024;

/// The memory of all requests together. Nobody waits for it: those who hold it may never let go of it.
pub(crate) struct Memory(Arc<Semaphore>);

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / BLOCK)))
    }

    fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// A request as it came; the memory it takes is given back with it.
struct Frame {
    bytes: Bytes,
    _reserved: Option<OwnedSemaphorePermit>,
}

/// Accepts until the broker stops.
pub(crate) async fn accept(shared: Arc<Shared>, listener: Arc<Listener>, socket: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = shared.stopping.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, for example: others go on, and this passes.
                warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // A connection counts until its task is gone, however it ends.
        if shared.serving.len() >= shared.config.connections_max {
            warn!(%peer, max = shared.config.connections_max, "too many connections, closing the new one");
            continue;
        }
        let (shared, listener) = (Arc::clone(&shared), Arc::clone(&listener));
        let serving = shared.serving.clone();
        serving.spawn(async move {
            let ended = tokio::select! {
                () = shared.stopping.cancelled() => Ok(()),
                ended = open(&shared, &listener, stream, peer.to_string()) => ended,
            };
            match ended {
                Ok(()) => debug!(%peer, listener = listener.name, "connection ended"),
                Err(error) => warn!(%peer, listener = listener.name, %error, "connection closed"),
            }
        });
    }
}

async fn open(
    shared: &Arc<Shared>,
    listener: &Arc<Listener>,
    stream: TcpStream,
    peer: String,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(tls) = &listener.tls else {
        return serve(shared, listener, stream, peer).await;
    };
    let Ok(stream) = tokio::time::timeout(TLS_HANDSHAKE_MAX, tls.accept(stream)).await else {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "no TLS handshake in time",
        ));
    };
    serve(shared, listener, stream?, peer).await
}

async fn serve(
    shared: &Arc<Shared>,
    listener: &Arc<Listener>,
    mut stream: impl Wire,
    peer: String,
) -> io::Result<()> {
    let login = match &listener.realm {
        Some(realm) => api::Login::Awaited(Arc::clone(realm)),
        None => api::Login::NotNeeded,
    };
    let mut client = api::Client {
        listener: Arc::clone(listener),
        login,
        host: format!(
            "/{}",
            peer.rsplit_once(':').map_or(peer.as_str(), |(h, _)| h)
        ),
    };
    loop {
        let idle = shared.config.connection_idle;
        // A stranger gets to send tokens, not requests of the greatest length.
        let max = if client.login.is_complete() {
            shared.config.request_bytes_max
        } else {
            shared.config.request_bytes_max.min(TOKEN_BYTES_MAX)
        };
        let Ok(frame) =
            tokio::time::timeout(idle, read_frame(&mut stream, max, &shared.request_memory)).await
        else {
            return Ok(());
        };
        let Some(frame) = frame? else { return Ok(()) };
        let Frame { bytes, _reserved } = frame;
        match api::answer(shared, &mut client, bytes).await {
            Ok(Some(answer)) => {
                // A client that never reads holds its answer no longer than an idle one its connection.
                match tokio::time::timeout(idle, stream.send(answer)).await {
                    Ok(written) => written?,
                    Err(_) => {
                        return Err(io::Error::new(
                            io::ErrorKind::TimedOut,
                            format!("the client does not read its answer within {idle:?}"),
                        ));
                    }
                }
                if client.login.is_refused() {
                    return stream.shutdown().await;
                }
            }
            Ok(None) => {}
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
}

/// One frame; `None` when the client has closed. The length is judged before anything is taken in.
async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    max: usize,
    memory: &Memory,
) -> io::Result<Option<Frame>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let length = i32::from_be_bytes(length);
    let length = usize::try_from(length).ok().filter(|length| *length <= max);
    let length = length.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a request of an absurd length (at most {max} bytes)"),
        )
    })?;
    // Grows with what arrives: a client that only announces much costs nothing.
    let mut frame = BytesMut::with_capacity(length.min(BLOCK));
    let mut reserved: Option<OwnedSemaphorePermit> = None;
    let mut allowed = BLOCK;
    let mut limited = stream.take(length as u64);
    while frame.len() < length {
        if frame.len() >= allowed {
            let Some(more) = memory.take() else {
                return Err(io::Error::other(
                    "the requests that are being received take too much memory together",
                ));
            };
            match &mut reserved {
                Some(reserved) => reserved.merge(more),
                None => reserved = Some(more),
            }
            allowed += BLOCK;
            continue;
        }
        if limited.read_buf(&mut frame).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(Frame {
        bytes: frame.freeze(),
        _reserved: reserved,
    }))
}
