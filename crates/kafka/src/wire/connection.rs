//! One connection to a broker: frames, correlation ids, negotiated versions, timeouts.
//!
//! A request that was handed to the socket and not answered ends as *unknown*, never as failed. The broker
//! answers the requests of a connection in order, so a join that waits for a rebalance holds up what is sent
//! after it: the group channel uses a second connection for heartbeats.

use std::{
    collections::{HashMap, VecDeque},
    io::IoSlice,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiVersionsRequest, RequestHeader, ResponseHeader,
        api_versions_response::FinalizedFeatureKey,
    },
    protocol::{Decodable as _, Encodable as _, HeaderVersion, Request, StrBytes},
};
use milena_protocol::decode_response;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream, lookup_host},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{
    codes::{self, TIMEOUT_CLASS},
    sasl,
    settings::{Address, WireSettings},
    traffic::Line,
};
use crate::ports::{KafkaError, KafkaErrorKind};

/// The largest answer that is read. Java's limit for what a client receives is of the same order.
const RESPONSE_BYTES_MAX: usize = 100 * 1024 * 1024;
/// Requests that wait for the socket; callers beyond wait.
const QUEUED_MAX: usize = 64;
/// An answer to ApiVersions is understood in version 3 by every broker since 2.4.
const API_VERSIONS: i16 = 3;
/// The part of a login's lifetime after which a connection is replaced (KIP-368).
const LIFETIME_USED: f64 = 0.85;

const NETWORK_CLASS: &str = "org.apache.kafka.common.errors.DisconnectException";

/// Who waits for which answer; `None` once the connection has ended, so that nobody waits in vain.
type Pending = Arc<Mutex<Option<HashMap<i32, oneshot::Sender<Bytes>>>>>;

/// A logged-in connection.
pub(crate) struct Connection {
    address: Address,
    client_id: StrBytes,
    outgoing: mpsc::Sender<Frame>,
    pending: Pending,
    correlation: AtomicI32,
    versions: HashMap<i16, (i16, i16)>,
    /// The level of `transaction.version` that the broker says is finalised.
    transaction_version: i16,
    expires: Option<Instant>,
    line: Option<Line>,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

impl Connection {
    /// Connects, negotiates versions and logs in.
    pub(crate) async fn open(
        settings: &WireSettings,
        address: &Address,
        node: i32,
    ) -> Result<Self, KafkaError> {
        let done = Self::set_up(settings, address, node);
        match tokio::time::timeout(settings.connect_timeout, done).await {
            Ok(done) => {
                if let (Err(error), Some(traffic)) = (&done, &settings.traffic)
                    && error.kind == KafkaErrorKind::Unauthorized
                {
                    traffic.refused();
                }
                done
            }
            Err(_) => Err(retriable(format!(
                "connection to {address} was not set up within {:?}",
                settings.connect_timeout
            ))
            .class(TIMEOUT_CLASS)),
        }
    }

    async fn set_up(
        settings: &WireSettings,
        address: &Address,
        node: i32,
    ) -> Result<Self, KafkaError> {
        let failed =
            |error: std::io::Error| retriable(format!("connection to {address} failed: {error}"));
        let stream = dial(settings, address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let client_id = StrBytes::from_string(settings.client_id.clone());
        let mut connection = match &settings.tls {
            None => Self::over(address.clone(), client_id, stream),
            Some(connector) => {
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|error| retriable(format!("connection to {address}: {error}")))?;
                let stream = connector.connect(name, stream).await.map_err(|error| {
                    if error.kind() != std::io::ErrorKind::InvalidData {
                        // It went away meanwhile: nobody refused anything.
                        return failed(error);
                    }
                    KafkaError::new(
                        KafkaErrorKind::Unauthorized,
                        format!("TLS handshake with {address} failed: {error}"),
                    )
                    .class("org.apache.kafka.common.errors.SslAuthenticationException")
                })?;
                Self::over(address.clone(), client_id, stream)
            }
        };
        connection.negotiate(settings.request_timeout).await?;
        if let Some(login) = &settings.security.sasl {
            let lifetime = sasl::log_in(&connection, login, settings.request_timeout).await?;
            connection.expires = lifetime.map(|l| Instant::now() + l.mul_f64(LIFETIME_USED));
        }
        let logged_in = settings.security.sasl.is_some() || settings.tls.is_some();
        let line = |traffic| Line::open(traffic, node, logged_in);
        connection.line = settings.traffic.as_ref().map(line);
        Ok(connection)
    }

    fn over<S>(address: Address, client_id: StrBytes, stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        let (outgoing, queue) = mpsc::channel(QUEUED_MAX);
        let pending = Arc::new(Mutex::new(Some(HashMap::new())));
        let tasks = [
            tokio::spawn(read_loop(reader, Arc::clone(&pending))),
            tokio::spawn(write_loop(writer, queue, Arc::clone(&pending))),
        ];
        Self {
            address,
            client_id,
            outgoing,
            pending,
            correlation: AtomicI32::new(0),
            versions: HashMap::new(),
            transaction_version: 0,
            expires: None,
            line: None,
            tasks,
        }
    }

    async fn negotiate(&mut self, timeout: Duration) -> Result<(), KafkaError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("milena"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let answer = self.exchange(&request, API_VERSIONS, timeout).await?;
        codes::check(answer.error_code, "apiVersions", None)?;
        self.versions = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, (api.min_version, api.max_version)))
            .collect();
        let transactions =
            |feature: &&FinalizedFeatureKey| feature.name.as_str() == "transaction.version";
        self.transaction_version = answer
            .finalized_features
            .iter()
            .find(transactions)
            .map_or(0, |feature| feature.max_version_level);
        Ok(())
    }

    /// The level of `transaction.version` that is finalised (KIP-890 from 2 on).
    pub(crate) const fn transaction_version(&self) -> i16 {
        self.transaction_version
    }

    /// The highest version that both sides know, up to this one.
    pub(crate) fn version<R: Request>(&self, highest: i16) -> Option<i16> {
        let &(min, max) = self.versions.get(&R::KEY)?;
        let version = max.min(R::VERSIONS.max).min(highest);
        (version >= min && version >= R::VERSIONS.min).then_some(version)
    }

    /// Whether requests may be sent: not closed by either side, the login not about to end.
    pub(crate) fn is_usable(&self) -> bool {
        self.lock().is_some() && self.expires.is_none_or(|end| Instant::now() < end)
    }

    /// Sends the request made for the negotiated version and waits for the answer.
    ///
    /// # Errors
    /// `Unknown` when it was sent and not answered, `Retriable` when it was not sent.
    pub(crate) async fn call<R: Request>(
        &self,
        make: impl FnOnce(i16) -> R,
        timeout: Duration,
    ) -> Result<R::Response, KafkaError> {
        self.call_up_to(i16::MAX, make, timeout).await
    }

    /// The same in a version up to this one.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(crate) async fn call_up_to<R: Request>(
        &self,
        highest: i16,
        make: impl FnOnce(i16) -> R,
        timeout: Duration,
    ) -> Result<R::Response, KafkaError> {
        let version = self.version::<R>(highest).ok_or_else(|| {
            let text = format!(
                "broker {} does not know API {} in a version that we know",
                self.address,
                R::KEY
            );
            codes::error(codes::UNSUPPORTED_VERSION, "request", Some(&text))
        })?;
        self.exchange(&make(version), version, timeout).await
    }

    async fn exchange<R: Request>(
        &self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<R::Response, KafkaError> {
        let correlation = self.correlation.fetch_add(1, Ordering::Relaxed);
        let frame = self.frame(request, version, correlation)?;
        let (reply, answer) = oneshot::channel();
        let closed = || retriable(format!("connection to {} is closed", self.address));
        match self.lock().as_mut() {
            Some(pending) => drop(pending.insert(correlation, reply)),
            None => return Err(closed()),
        }
        let (begun, length) = (Instant::now(), frame.len());
        if self.outgoing.send(Frame::from(frame)).await.is_err() {
            return Err(closed());
        }
        if let Some(line) = &self.line {
            line.sent(length);
        }
        let bytes = self.answer(Posted { answer, begun }, timeout).await?;
        self.decode::<R>(bytes, version)
    }

    fn frame<R: Request>(
        &self,
        request: &R,
        version: i16,
        correlation: i32,
    ) -> Result<Bytes, KafkaError> {
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(correlation)
            .with_client_id(Some(self.client_id.clone()));
        let mut buffer = BytesMut::new();
        buffer.put_i32(0);
        let coded = header
            .encode(&mut buffer, R::header_version(version))
            .and_then(|()| request.encode(&mut buffer, version));
        let length = i32::try_from(buffer.len() - 4);
        let (Ok(()), Ok(length)) = (coded, length) else {
            return Err(KafkaError::new(
                KafkaErrorKind::Fatal,
                format!(
                    "request of API {} cannot be encoded in version {version}",
                    R::KEY
                ),
            ));
        };
        if let Some(prefix) = buffer.first_chunk_mut::<4>() {
            *prefix = length.to_be_bytes();
        }
        Ok(buffer.freeze())
    }

    /// Reads an answer.
    pub(crate) fn decode<R: Request>(
        &self,
        bytes: Bytes,
        version: i16,
    ) -> Result<R::Response, KafkaError> {
        let mut bytes = bytes;
        let header = R::Response::header_version(version);
        ResponseHeader::decode(&mut bytes, header)
            .map_err(|error| error.to_string())
            .and_then(|_| decode_response::<R>(bytes, version).map_err(|error| error.to_string()))
            .map_err(|error| {
                self.close();
                // The broker did act on it.
                KafkaError::new(
                    KafkaErrorKind::Unknown,
                    format!(
                        "answer of {} to API {} in version {version} is malformed: {error}",
                        self.address,
                        R::KEY
                    ),
                )
            })
    }

    /// Hands over a request that was encoded by hand, in parts, without waiting; requests go out in the order of these calls.
    ///
    /// # Errors
    /// Retriable: nothing was sent.
    pub(crate) fn post(
        &self,
        key: i16,
        version: i16,
        header: i16,
        parts: impl IntoIterator<Item = Bytes>,
        answered: bool,
    ) -> Result<Posted, KafkaError> {
        let correlation = self.correlation.fetch_add(1, Ordering::Relaxed);
        let closed = || retriable(format!("connection to {} is closed", self.address));
        let head = RequestHeader::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(correlation)
            .with_client_id(Some(self.client_id.clone()));
        let mut front = BytesMut::new();
        front.put_i32(0);
        head.encode(&mut front, header).map_err(|_| closed())?;
        let mut frame = Frame::from(front.split_off(4).freeze());
        frame.parts.extend(parts);
        let bytes = frame.remaining();
        front.clear();
        front.put_i32(i32::try_from(bytes).map_err(|_| closed())?);
        frame.parts.push_front(front.freeze());
        let (reply, answer) = oneshot::channel();
        if answered {
            match self.lock().as_mut() {
                Some(pending) => drop(pending.insert(correlation, reply)),
                None => return Err(closed()),
            }
        } else {
            frame.written = Some(reply);
        }
        // What cannot be queued is not sent: the answer that nobody will give must not be waited for.
        if self.outgoing.try_send(frame).is_err() {
            if let Some(pending) = self.lock().as_mut() {
                pending.remove(&correlation);
            }
            return Err(closed());
        }
        if let Some(line) = &self.line {
            line.sent(bytes);
        }
        Ok(Posted {
            answer,
            begun: Instant::now(),
        })
    }

    /// Waits for the answer to what was posted; without one, until it is written.
    ///
    /// # Errors
    /// `Unknown` when there is none in time; the connection is then closed.
    pub(crate) async fn answer(
        &self,
        posted: Posted,
        timeout: Duration,
    ) -> Result<Bytes, KafkaError> {
        match tokio::time::timeout(timeout, posted.answer).await {
            Ok(Ok(bytes)) => {
                if let Some(line) = &self.line {
                    line.received(bytes.len(), posted.begun.elapsed());
                }
                Ok(bytes)
            }
            Ok(Err(_)) => Err(KafkaError::new(
                KafkaErrorKind::Unknown,
                format!("connection to {} was lost before the answer", self.address),
            )
            .class(NETWORK_CLASS)),
            Err(_) => {
                // An answer that comes later must not be taken for that of another request.
                self.close();
                Err(KafkaError::new(
                    KafkaErrorKind::Unknown,
                    format!("no answer from {} within {timeout:?}", self.address),
                )
                .class(TIMEOUT_CLASS))
            }
        }
    }

    /// Ends the connection; what waits for an answer ends as unknown.
    pub(crate) fn close(&self) {
        for task in &self.tasks {
            task.abort();
        }
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<HashMap<i32, oneshot::Sender<Bytes>>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request on its way.
pub(crate) struct Posted {
    answer: oneshot::Receiver<Bytes>,
    begun: Instant,
}

/// A request as it is written, in parts, so that nothing large is copied.
struct Frame {
    parts: VecDeque<Bytes>,
    /// Who wants to hear that it is written, where the broker does not answer.
    written: Option<oneshot::Sender<Bytes>>,
}

impl From<Bytes> for Frame {
    fn from(bytes: Bytes) -> Self {
        Self {
            parts: VecDeque::from([bytes]),
            written: None,
        }
    }
}

impl Buf for Frame {
    fn remaining(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        let mut parts = self.parts.iter();
        parts.find(|part| !part.is_empty()).map_or(&[], |part| part)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let parts = self.parts.iter().filter(|part| !part.is_empty());
        let mut filled = 0;
        for (slot, part) in into.iter_mut().zip(parts) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, written: usize) {
        let mut left = written;
        while let Some(part) = self.parts.front_mut() {
            let step = left.min(part.len());
            part.advance(step);
            left -= step;
            if !part.is_empty() {
                break;
            }
            self.parts.pop_front();
        }
    }
}

/// Connects to the first of the host's addresses that answers, with the buffers that are wished for.
async fn dial(settings: &WireSettings, address: &Address) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::other("the host has no address");
    for one in lookup_host((address.host.as_str(), address.port)).await? {
        let socket = match one {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(bytes) = settings.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = settings.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        match socket.connect(one).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn end(pending: &Pending) {
    *pending.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn retriable(message: String) -> KafkaError {
    KafkaError::new(KafkaErrorKind::Retriable, message).class(NETWORK_CLASS)
}

async fn read_loop<S: AsyncRead + Unpin>(mut stream: S, pending: Pending) {
    while let Ok(length) = stream.read_i32().await {
        let Ok(length) = usize::try_from(length) else {
            break;
        };
        if !(4..=RESPONSE_BYTES_MAX).contains(&length) {
            tracing::warn!(length, "an answer of impossible size ends the connection");
            break;
        }
        // Large ones are read without moving them again and again; what is not written to takes no memory, so a length
        // alone costs none.
        let mut frame = Vec::with_capacity(length);
        match (&mut stream)
            .take(length as u64)
            .read_to_end(&mut frame)
            .await
        {
            Ok(read) if read == length => {}
            _ => break,
        }
        let Some(correlation) = frame.first_chunk::<4>().map(|b| i32::from_be_bytes(*b)) else {
            break;
        };
        let waiting = pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_mut()
            .and_then(|pending| pending.remove(&correlation));
        match waiting {
            // The caller may have gone.
            Some(reply) => drop(reply.send(Bytes::from(frame))),
            None => {
                tracing::warn!(
                    correlation,
                    "an answer nobody asked for ends the connection"
                );
                break;
            }
        }
    }
    end(&pending);
}

async fn write_loop<S: AsyncWrite + Unpin>(
    mut stream: S,
    mut queue: mpsc::Receiver<Frame>,
    pending: Pending,
) {
    while let Some(mut frame) = queue.recv().await {
        if stream.write_all_buf(&mut frame).await.is_err() || stream.flush().await.is_err() {
            break;
        }
        if let Some(written) = frame.written {
            // Whoever asked may have gone.
            drop(written.send(Bytes::new()));
        }
    }
    end(&pending);
}
