//! A listener that is bound: what its connections are told and asked for.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{broker::StartError, config::ListenerConfig, sasl::Realm, tls};

/// What the connections of a listener share.
pub(crate) struct Listener {
    pub(crate) name: String,
    /// Where it listens.
    pub(crate) local: SocketAddr,
    /// What clients are told to connect to.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) realm: Option<Arc<Realm>>,
}

impl Listener {
    /// Binds it; nothing is accepted yet.
    pub(crate) async fn bind(
        config: &ListenerConfig,
    ) -> Result<(Arc<Self>, TcpListener), StartError> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let addr = config.listen;
        let failed = |source| StartError::Listen { addr, source };
        let socket = TcpListener::bind(addr).await.map_err(failed)?;
        let local = socket.local_addr().map_err(failed)?;
        let (host, port) = match &config.advertised {
            Some((host, port)) => (host.clone(), *port),
            None => (local.ip().to_string(), local.port()),
        };
        let listener = Self {
            name: config.name.clone(),
            local,
            host,
            port,
            tls,
            realm: config.sasl.clone().map(|sasl| Arc::new(Realm::new(sasl))),
        };
        Ok((Arc::new(listener), socket))
    }
}
