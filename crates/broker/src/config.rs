//! How a broker is started.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use crate::log::LogConfig;

/// The settings of an embedded broker.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// Where topics and state lie.
    pub data_dir: PathBuf,
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `broker.id`.
    pub node_id: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `num.partitions`.
    pub default_partitions: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub group_initial_rebalance_delay: Duration,
    /// Aborts every open transaction at start. For a broker that shares its process with all its
    /// producers: they died with it, and nobody should wait for their transactions to time out.
    pub abort_transactions_at_start: bool,
    /// Topic defaults.
    pub log: LogConfig,
    /// `max.connections`: beyond it new connections are closed at once.
    pub connections_max: usize,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`.
    pub connection_idle: Duration,
}

impl BrokerConfig {
    /// The defaults for a data directory and an address.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data_dir: data_dir.into(),
            listen,
            node_id: 1,
            auto_create_topics: true,
            default_partitions: 1,
            group_initial_rebalance_delay: Duration::ZERO,
            abort_transactions_at_start: false,
            log: LogConfig::default(),
            connections_max: 4096,
            request_bytes_max: 100 * 1024 * 1024,
            connection_idle: Duration::from_secs(600),
        }
    }
}
