//! What the REST server is told, and its limits.

use std::time::Duration;

use milena_config::worker::RestConfig;

use crate::BasicAuth;

/// How long a request may wait for the herder (spec 4.3).
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How long `/health` waits for the herder.
pub(crate) const HEALTH_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest body; the broker refuses larger records anyway.
pub(crate) const MAX_BODY: usize = 16 << 20;
/// How long the head of a request may take to arrive, so that a slow client holds no connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a body may take to arrive.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The bytes of a request's head; Jetty takes 8 KiB of headers.
pub(crate) const MAX_HEAD: usize = 16 << 10;
/// Connections at once, over all listeners.
pub(crate) const MAX_CONNECTIONS: usize = 1024;
/// How long requests under way may take when the server ends (spec 1).
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(60);

/// What the REST server is told.
#[derive(Clone, Debug)]
pub struct RestSettings {
    /// Listeners, CORS, headers.
    pub config: RestConfig,
    /// `inter.worker.verification.algorithms`.
    pub verification_algorithms: Vec<String>,
    /// The users of the basic auth extension, when it is configured.
    pub basic_auth: Option<BasicAuth>,
    /// Whether requests that a page of another site may have sent are refused.
    pub browser_guard: bool,
    /// How long a request may wait for the herder; 90 s unless a test says otherwise.
    pub request_timeout: Duration,
    /// How long `/health` waits for the herder; 10 s unless a test says otherwise.
    pub health_timeout: Duration,
    /// How long the head of a request may take to arrive; 20 s unless a test says otherwise.
    pub head_timeout: Duration,
    /// How long a body may take to arrive; 30 s unless a test says otherwise.
    pub body_timeout: Duration,
    /// Connections at once, over all listeners; 1,024 unless a test says otherwise.
    pub max_connections: usize,
}

impl RestSettings {
    /// Java's limits, no users.
    #[must_use]
    pub fn new(config: RestConfig) -> Self {
        Self {
            config,
            verification_algorithms: vec!["HmacSHA256".to_owned()],
            basic_auth: None,
            browser_guard: false,
            request_timeout: REQUEST_TIMEOUT,
            health_timeout: HEALTH_TIMEOUT,
            head_timeout: HEAD_TIMEOUT,
            body_timeout: BODY_TIMEOUT,
            max_connections: MAX_CONNECTIONS,
        }
    }
}
