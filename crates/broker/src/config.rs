//! How a broker is started.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use crate::log::LogConfig;

/// The PEM files of a TLS listener.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, followed by those that signed it.
    pub certificate_chain: PathBuf,
    /// Its key, not encrypted.
    pub private_key: PathBuf,
    /// Who must have signed a client's certificate; without it clients need none (`ssl.client.auth`).
    pub client_ca: Option<PathBuf>,
}

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// PLAIN: name and password.
    Plain,
    /// SCRAM-SHA-256 (RFC 5802, RFC 7677).
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
    /// OAUTHBEARER with unsecured tokens: for development, only their form and time are looked at.
    OauthBearerUnsecured,
}

impl SaslMechanism {
    /// Every mechanism there is.
    pub const ALL: [Self; 4] = [
        Self::Plain,
        Self::ScramSha256,
        Self::ScramSha512,
        Self::OauthBearerUnsecured,
    ];

    /// The name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearerUnsecured => "OAUTHBEARER",
        }
    }
}

/// The mechanisms of the listener and who may come in.
#[derive(Clone, Debug, Default)]
pub struct SaslConfig {
    /// `sasl.enabled.mechanisms`.
    pub mechanisms: Vec<SaslMechanism>,
    /// For PLAIN and SCRAM.
    pub users: Vec<SaslUser>,
}

/// A user of PLAIN and SCRAM.
#[derive(Clone)]
pub struct SaslUser {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for SaslUser {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslUser")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// An address that is listened on, and how safely.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// Its name, as in `listeners`; for logs.
    pub name: String,
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The host and port that clients of this listener are told (`advertised.listeners`); without it, the
    /// address that is listened on.
    pub advertised: Option<(String, u16)>,
    /// With it the listener speaks TLS.
    pub tls: Option<TlsFiles>,
    /// With it clients must authenticate.
    pub sasl: Option<SaslConfig>,
}

impl ListenerConfig {
    /// A listener without TLS or authentication.
    #[must_use]
    pub fn plaintext(listen: SocketAddr) -> Self {
        Self {
            name: "PLAINTEXT".to_owned(),
            listen,
            advertised: None,
            tls: None,
            sasl: None,
        }
    }
}

/// Between two rounds of maintenance, where nobody asks otherwise: a round looks at every open partition.
const MAINTENANCE: Duration = Duration::from_secs(15);

/// The settings of an embedded broker.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where topics and state lie.
    pub data_dir: PathBuf,
    /// Where clients connect; the first is [`RunningBroker::bootstrap`](crate::RunningBroker::bootstrap).
    pub listeners: Vec<ListenerConfig>,
    /// `broker.id`.
    pub node_id: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `num.partitions`.
    pub default_partitions: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub group_initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`.
    pub group_min_session_timeout: Duration,
    /// `group.max.session.timeout.ms`.
    pub group_max_session_timeout: Duration,
    /// Aborts every open transaction at start. For a broker that shares its process with all its
    /// producers: they died with it, and nobody should wait for their transactions to time out.
    pub abort_transactions_at_start: bool,
    /// Topic defaults.
    pub log: LogConfig,
    /// Between two rounds of retention, compaction and flushing.
    pub maintenance: Duration,
    /// `max.connections`: beyond it new connections are closed at once.
    pub connections_max: usize,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// What requests that are being received and answered may take together beyond 64 KiB each
    /// (`queued.max.request.bytes`). Whose request would take more is disconnected: it may come again.
    pub request_memory_max: usize,
    /// `connections.max.idle.ms`.
    pub connection_idle: Duration,
}

impl BrokerConfig {
    /// Kafka's defaults for a data directory and one plaintext listener, but for one that makes a developer wait:
    /// `group.initial.rebalance.delay.ms` is 0.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data_dir: data_dir.into(),
            listeners: vec![ListenerConfig::plaintext(listen)],
            node_id: 1,
            auto_create_topics: true,
            default_partitions: 1,
            group_initial_rebalance_delay: Duration::ZERO,
            group_min_session_timeout: Duration::from_secs(6),
            group_max_session_timeout: Duration::from_secs(30 * 60),
            abort_transactions_at_start: false,
            log: LogConfig::default(),
            maintenance: MAINTENANCE,
            connections_max: 4096,
            request_bytes_max: 100 * 1024 * 1024,
            request_memory_max: 512 * 1024 * 1024,
            connection_idle: Duration::from_secs(600),
        }
    }
}
