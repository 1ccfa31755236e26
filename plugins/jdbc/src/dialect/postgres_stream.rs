//! What comes from a PostgreSQL server: messages for the client library, but for the rows of a `COPY`, which go past it.
//!
//! The library makes a message of each row and hands it from task to task. Here the rows are taken out of the stream as they
//! come, and are given on by the chunk.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};
use tokio_util::sync::PollSender;

use super::postgres_link::Link;

/// Bytes of rows in a chunk, if there are so many: some hundred rows, which stay in a processor's cache until they are used.
const CHUNK: usize = 64 << 10;
/// Room to read into. What PostgreSQL sends at once is as much.
const ROOM: usize = 8 << 10;
/// Tag and length.
const HEAD: usize = 5;

/// Tells a stream where the rows of the next `COPY … TO STDOUT` go.
#[derive(Default)]
pub(super) struct Tap(Mutex<Option<mpsc::Sender<Bytes>>>);

impl Tap {
    /// Chunks of the next `COPY`, of whole messages; they end before its answer does, whether it fails or not.
    pub(super) fn open(&self) -> mpsc::Receiver<Bytes> {
        let (give, chunks) = mpsc::channel(1);
        self.set(Some(give));
        chunks
    }

    /// The `COPY` did not begin.
    pub(super) fn close(&self) {
        self.set(None);
    }

    fn set(&self, give: Option<mpsc::Sender<Bytes>>) -> Option<mpsc::Sender<Bytes>> {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *next, give)
    }
}

/// A connection whose rows go their own way.
pub(super) struct TappedStream {
    link: Link,
    tap: Arc<Tap>,
    /// Rows at the front, something that is done with, messages that came; all of it is initialised.
    buffer: Vec<u8>,
    /// How long the rows are.
    kept: usize,
    /// Where the messages begin.
    at: usize,
    /// Where they end for now.
    filled: usize,
    /// From `at` on they are for the library; that may be more than came.
    passable: usize,
    rows: Option<Rows>,
}

/// A `COPY` under way.
struct Rows {
    /// `None`: nobody wants them any more.
    give: Option<PollSender<Bytes>>,
    /// Bytes that came.
    taken: usize,
    /// Something came since the link was put to the clock.
    is_fresh: bool,
}

impl TappedStream {
    pub(super) fn new(link: Link, tap: Arc<Tap>) -> Self {
        Self {
            link,
            tap,
            buffer: vec![0; ROOM],
            kept: 0,
            at: 0,
            filled: 0,
            passable: 0,
            rows: None,
        }
    }

    /// Gives the rows on that there are.
    fn poll_give(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(rows) = self.rows.as_mut().filter(|_| self.kept > 0) else {
            return Poll::Ready(Ok(()));
        };
        if let Some(give) = &mut rows.give {
            match ready!(give.poll_reserve(cx)) {
                Ok(()) => {
                    let rest = self.buffer.get(self.at..self.filled).unwrap_or_default();
                    let mut next = vec![0; CHUNK + ROOM + rest.len()];
                    if let Some(place) = next.get_mut(..rest.len()) {
                        place.copy_from_slice(rest);
                    }
                    (self.at, self.filled) = (0, rest.len());
                    let mut chunk = std::mem::replace(&mut self.buffer, next);
                    chunk.truncate(std::mem::take(&mut self.kept));
                    if give.send_item(chunk.into()).is_ok() {
                        return Poll::Ready(Ok(()));
                    }
                }
                Err(_) => self.kept = 0,
            }
            rows.give = None;
        }
        self.kept = 0;
        // Without a session nothing else can be wanted from the server: it must not go on with a table for days.
        if Arc::strong_count(&self.tap) == 1 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// Looks at the next message, if its head is there; true: there is something to do before more is read.
    fn look(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let came = self.buffer.get(self.at..self.filled).unwrap_or_default();
        let Some([tag, length @ ..]) = came.first_chunk::<HEAD>() else {
            return Poll::Ready(Ok(false));
        };
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        let Some(length) = length.filter(|length| *length >= HEAD - 1) else {
            let message = "the server sends something that is no message of PostgreSQL";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, message)));
        };
        let size = length + 1;
        match (tag, &self.rows) {
            (b'd', Some(_)) => {
                if came.len() < size {
                    return Poll::Ready(Ok(false));
                }
                let row = self.at + HEAD..self.at + size;
                self.buffer.copy_within(row, self.kept);
                self.kept += size - HEAD;
                self.at += size;
                if self.kept >= CHUNK {
                    ready!(self.poll_give(cx))?;
                }
                return Poll::Ready(Ok(true));
            }
            // They come at any time: notices, notifications, parameters.
            (b'N' | b'A' | b'S', Some(_)) => {}
            (_, Some(_)) => {
                ready!(self.poll_give(cx))?;
                self.rows = None;
                self.link.unclock()?;
            }
            (b'H', None) => {
                self.rows = self.tap.set(None).map(|give| Rows {
                    give: Some(PollSender::new(give)),
                    taken: 0,
                    is_fresh: false,
                });
            }
            _ => {}
        }
        self.passable = size;
        Poll::Ready(Ok(true))
    }

    /// Room to read into.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.at > self.kept && (self.at == self.filled || self.buffer.len() < self.filled + ROOM)
        {
            self.buffer.copy_within(self.at..self.filled, self.kept);
            self.filled -= self.at - self.kept;
            self.at = self.kept;
        }
        if self.buffer.len() < self.filled + ROOM {
            ready!(self.poll_give(cx))?;
        }
        // What is left of it is one message, larger than the room.
        if self.buffer.len() < self.filled + ROOM {
            self.buffer.resize(2 * (self.filled + ROOM), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for TappedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        loop {
            let there = this.passable.min(this.filled - this.at);
            let passed = there.min(into.remaining());
            let bytes = this.buffer.get(this.at..this.at + passed);
            into.put_slice(bytes.unwrap_or_default());
            this.at += passed;
            this.passable -= passed;
            if into.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let has_passed = into.filled().len() > before;
            if this.passable == 0 {
                match this.look(cx)? {
                    Poll::Ready(true) => continue,
                    Poll::Ready(false) => {}
                    Poll::Pending if has_passed => return Poll::Ready(Ok(())),
                    Poll::Pending => return Poll::Pending,
                }
            }
            if has_passed {
                return Poll::Ready(Ok(()));
            }
            ready!(this.poll_room(cx))?;
            let room = this.buffer.get_mut(this.filled..).unwrap_or_default();
            match this.link.poll_take(cx, room)? {
                Poll::Ready(0) => return Poll::Ready(Ok(())),
                Poll::Ready(taken) => {
                    this.filled += taken;
                    if let Some(rows) = &mut this.rows {
                        rows.is_fresh = true;
                        rows.taken = rows.taken.saturating_add(taken);
                    }
                }
                Poll::Pending => {
                    // Whoever waits for rows gets what there is.
                    let _waits = this.poll_give(cx)?;
                    if let Some(rows) = &mut this.rows
                        && rows.taken >= CHUNK
                        && std::mem::take(&mut rows.is_fresh)
                        && this.link.clock()?
                    {
                        continue;
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

impl AsyncWrite for TappedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.link).poll_write(cx, from)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.link).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        task::JoinHandle,
    };

    use super::{CHUNK, Link, ROOM, Tap, TappedStream};

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag], &length.to_be_bytes()[..], body].concat()
    }

    fn row(n: usize, size: usize) -> Vec<u8> {
        let bytes = (n..n + size).map(|at| u8::try_from(at % 251).unwrap());
        bytes.collect()
    }

    /// A stream to a server that sends these parts; 40 ms after each of those named, for the clock to give up.
    async fn sent(
        parts: Vec<Vec<u8>>,
        rests: &'static [usize],
    ) -> (TappedStream, Arc<Tap>, JoinHandle<std::io::Result<()>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            for (index, part) in parts.iter().enumerate() {
                stream.write_all(part).await?;
                if rests.contains(&index) {
                    tokio::time::sleep(Duration::from_millis(40)).await;
                }
            }
            Ok(())
        });
        let link = Link::Tcp(TcpStream::connect(address).await.unwrap());
        let tap = Arc::new(Tap::default());
        (TappedStream::new(link, Arc::clone(&tap)), tap, server)
    }

    /// What the library reads, while rows are taken.
    async fn passed(mut stream: TappedStream) -> std::io::Result<Vec<u8>> {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await?;
        Ok(all)
    }

    /// Cuts what a server sends into parts of different sizes, some of one byte.
    fn parts(bytes: &[u8], mut seed: usize) -> Vec<Vec<u8>> {
        let (mut parts, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let size = match seed >> 60 {
                0 => 1,
                1..6 => seed >> 40 & 0x3f,
                _ => seed >> 40 & 0x3fff,
            };
            let end = (at + size.max(1)).min(bytes.len());
            parts.push(bytes[at..end].to_vec());
            at = end;
        }
        parts
    }

    #[tokio::test]
    async fn rows_of_a_copy_go_past_the_library_and_all_else_through_it() {
        for seed in 1..40 {
            let before = [message(b'1', b""), message(b'D', &row(3, 9000))].concat();
            let notice = message(b'N', b"a notice in the middle");
            let after = [
                message(b'c', b""),
                message(b'C', b"COPY"),
                message(b'Z', b"I"),
                // Of another answer: rows of a COPY that nobody asked for are the library's.
                message(b'H', b""),
                message(b'd', b"its own"),
            ];
            let (mut all, mut rows) = ([&before[..], &message(b'H', b"\x01")].concat(), Vec::new());
            for n in 0..3000 {
                let size = match n {
                    17 => 3 * CHUNK,
                    _ => (n * 31) % 200,
                };
                let row = row(n, size);
                all.extend(message(b'd', &row));
                rows.extend(row);
                if n == 1000 {
                    all.extend(&notice);
                }
            }
            all.extend(after.concat());
            let (stream, tap, server) = sent(parts(&all, seed), &[20, 60]).await;
            let mut chunks = tap.open();
            let library = tokio::spawn(passed(stream));
            let mut taken: Vec<u8> = Vec::new();
            while let Some(chunk) = chunks.recv().await {
                taken.extend(&chunk);
            }
            assert_eq!(taken, rows, "seed {seed}");
            let expected = [before, message(b'H', b"\x01"), notice, after.concat()].concat();
            assert_eq!(library.await.unwrap().unwrap(), expected, "seed {seed}");
            server.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn rows_that_are_there_are_given_before_more_come() {
        let first = [message(b'H', b""), message(b'd', b"one")].concat();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Link::Tcp(
            TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap(),
        );
        let (mut server, _) = listener.accept().await.unwrap();
        let tap = Arc::new(Tap::default());
        let mut chunks = tap.open();
        let library = tokio::spawn(passed(TappedStream::new(link, tap)));
        server.write_all(&first).await.unwrap();
        assert_eq!(chunks.recv().await.unwrap(), b"one"[..]);
        server.write_all(&message(b'd', b"two")).await.unwrap();
        assert_eq!(chunks.recv().await.unwrap(), b"two"[..]);
        drop(server);
        assert_eq!(chunks.recv().await, None);
        assert_eq!(library.await.unwrap().unwrap(), message(b'H', b""));
    }

    #[tokio::test]
    async fn rows_that_nobody_wants_are_skipped() {
        let mut all = message(b'H', b"");
        for n in 0..5000 {
            all.extend(message(b'd', &row(n, 100)));
        }
        let end = [message(b'c', b""), message(b'Z', b"I")].concat();
        all.extend(&end);
        let (stream, tap, server) = sent(vec![all], &[]).await;
        drop(tap.open());
        let passed = passed(stream).await.unwrap();
        assert_eq!(passed, [message(b'H', b""), end].concat());
        server.await.unwrap().unwrap();
        drop(tap);
    }

    #[tokio::test]
    async fn a_connection_ends_whose_session_left_a_copy() {
        let mut begin = message(b'H', b"");
        begin.extend(message(b'd', &row(0, ROOM)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let link = Link::Tcp(
            TcpStream::connect(listener.local_addr().unwrap())
                .await
                .unwrap(),
        );
        let (mut server, _) = listener.accept().await.unwrap();
        let tap = Arc::new(Tap::default());
        let mut chunks = tap.open();
        let library = tokio::spawn(passed(TappedStream::new(link, Arc::clone(&tap))));
        server.write_all(&begin).await.unwrap();
        assert_eq!(chunks.recv().await.unwrap().len(), ROOM);
        drop((chunks, tap));
        server.write_all(&message(b'd', b"more")).await.unwrap();
        assert!(library.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        let (stream, _tap, _server) = sent(vec![vec![b'Z', 0, 0, 0, 2, 1]], &[]).await;
        let error = passed(stream).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    }
}
