//! A small client of a Connect REST API, Milena's or Java's, for the command line and the quickstart: one
//! connection per call, http or https, bounded in time and size. It never follows a redirect, so credentials
//! go nowhere else, and nothing it says holds one.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::settings::MAX_BODY;

/// How long a call may take; longer than a worker's own limit of 90 s, so that its answer is seen.
const CALL: Duration = Duration::from_secs(95);
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(10);

/// A call that brought no answer. No variant holds credentials.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL cannot be used.
    #[error("{url:?} is not the URL of a worker: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// The certificates that a server is checked against cannot be used.
    #[error("the certificates of authorities cannot be used: {reason}")]
    Authorities {
        /// Why.
        reason: String,
    },
    /// Nobody listens there.
    #[error("cannot connect to {url}: {reason}")]
    Connect {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// The server's certificate is not accepted, or it speaks no TLS.
    #[error("no TLS connection to {url}: {reason}")]
    Tls {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// It took too long.
    #[error("no answer from {url} within {seconds} s")]
    Late {
        /// The URL.
        url: String,
        /// How long it was waited.
        seconds: u64,
    },
    /// A connection, but no answer of HTTP.
    #[error("no answer from {url}: {reason}")]
    Answer {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A client of one worker.
#[derive(Clone)]
pub struct RestClient {
    base: String,
    authorization: Option<HeaderValue>,
    tls: Option<Arc<ClientConfig>>,
    limit: Duration,
}

impl RestClient {
    /// A client of the worker at this URL.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            base: url.trim_end_matches('/').to_owned(),
            authorization: None,
            tls: None,
            limit: CALL,
        }
    }

    /// With these credentials in every call (HTTP basic authentication).
    #[must_use]
    pub fn with_user(mut self, user: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        let mut value = HeaderValue::from_str(&format!("Basic {pair}")).ok();
        if let Some(value) = &mut value {
            value.set_sensitive(true);
        }
        self.authorization = value;
        self
    }

    /// With this limit to the time of a call.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Trusts the authorities of this PEM text, and only those, when the URL is https.
    ///
    /// # Errors
    /// There is no certificate in it.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self, ClientError> {
        let unusable = |reason: String| ClientError::Authorities { reason };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
            // A bundle may hold one that is too old for us; the others still count.
            let _ = roots.add(certificate);
        }
        if roots.is_empty() {
            return Err(unusable("there is none that can be used".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        self.tls = Some(Arc::new(config));
        Ok(self)
    }

    /// The URL without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// `GET`; the status and the body.
    ///
    /// # Errors
    /// No answer came.
    pub async fn get(&self, path: &str) -> Result<(u16, String), ClientError> {
        self.call(Method::GET, path, None).await
    }

    /// `PUT` with a JSON body; the status and the body of the answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn put(
        &self,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<(u16, String), ClientError> {
        self.call(Method::PUT, path, Some(body.to_string())).await
    }

    /// Any call; `path` is encoded and begins with a slash, a body is JSON. The status and the body of the
    /// answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, String), ClientError> {
        let late = || ClientError::Late {
            url: self.base.clone(),
            seconds: self.limit.as_secs(),
        };
        tokio::time::timeout(self.limit, self.exchange(method, path, body))
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
    ) -> Result<(u16, String), ClientError> {
        let wrong = |reason: &str| ClientError::Url {
            url: self.base.clone(),
            reason: reason.to_owned(),
        };
        let url: Uri = format!("{}{path}", self.base)
            .parse()
            .map_err(|error: http::uri::InvalidUri| wrong(&error.to_string()))?;
        let authority = url
            .authority()
            .ok_or_else(|| wrong("it names no host"))?
            .clone();
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let secure = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it begins with neither http:// nor https://")),
        };
        let port = authority
            .port_u16()
            .unwrap_or(if secure { 443 } else { 80 });
        let target = url.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, authority.as_str())
            .header(header::ACCEPT, "application/json");
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value.clone());
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| wrong(&error.to_string()))?;
        let stream = self.connect(&host, port).await?;
        if !secure {
            return self.ask(stream, request).await;
        }
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => {
                return Err(ClientError::Authorities {
                    reason: "none are known".to_owned(),
                });
            }
        };
        let failed = |reason: String| ClientError::Tls {
            url: self.base.clone(),
            reason,
        };
        let name = ServerName::try_from(host).map_err(|error| failed(error.to_string()))?;
        let stream = TlsConnector::from(config).connect(name, stream).await;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        self.ask(stream, request).await
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ClientError> {
        let failed = |reason: String| ClientError::Connect {
            url: self.base.clone(),
            reason,
        };
        let opening = tokio::time::timeout(CONNECT, TcpStream::connect((host, port))).await;
        match opening {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Err(failed("nobody listens there".to_owned()))
            }
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!(
                "no connection within {} s",
                CONNECT.as_secs()
            ))),
        }
    }

    async fn ask<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
    ) -> Result<(u16, String), ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let failed = |reason: String| ClientError::Answer {
            url: self.base.clone(),
            reason,
        };
        let opened = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = opened.map_err(|error| failed(error.to_string()))?;
        let exchange = async {
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| failed(error.to_string()))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
            let bytes = body.map_err(|error| failed(error.to_string()))?.to_bytes();
            Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
        };
        tokio::pin!(exchange, connection);
        // The connection is driven here, so that nothing is left behind when the call ends.
        tokio::select! {
            biased;
            answer = &mut exchange => answer,
            ended = &mut connection => match ended {
                Ok(()) => exchange.await,
                Err(error) => Err(failed(error.to_string())),
            },
        }
    }
}
