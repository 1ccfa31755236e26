//! Listeners: bind first, so that the advertised address is known; serve when the worker can answer.

use std::{net::SocketAddr, sync::Arc};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use milena_config::worker::{AdminListeners, Listener, ListenerScheme, RestConfig};
use milena_rest_model::{HerderPort, LoggerPort, PluginPort};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    BasicAuth,
    call::Shared,
    cors::Cors,
    dispatch::{self, Surface},
    forward::Forwarder,
    leader::LeaderClient,
    secure,
    settings::{MAX_HEAD, RestSettings, SHUTDOWN_GRACE},
};

/// The ports through which the worker is reached.
#[derive(Clone)]
pub struct Services {
    /// The herder.
    pub herder: Arc<dyn HerderPort>,
    /// Plugins and validation.
    pub plugins: Arc<dyn PluginPort>,
    /// The loggers of this worker.
    pub loggers: Arc<dyn LoggerPort>,
}

/// A listener that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be bound.
    #[error(
        "cannot listen on {address}: {source}; is the port in use? set listeners to another one"
    )]
    Address {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// An extension that this server does not have.
    #[error(
        "rest.extension.classes names {class}, which is not built in, and no code comes from configuration; remove it, \
         or keep the REST port closed to others"
    )]
    Extension {
        /// The class.
        class: String,
    },
    /// A listener with TLS.
    #[error("cannot listen on https://{address}: {source}")]
    Https {
        /// The address.
        address: String,
        /// What is wrong with the TLS settings.
        source: milena_tls::TlsError,
    },
}

impl BindError {
    /// An extension that would not take effect: serving without it would open what it protects.
    fn extension(settings: &RestSettings) -> Option<Self> {
        let mut classes = settings.config.extensions.iter();
        let class =
            classes.find(|class| settings.basic_auth.is_none() || !BasicAuth::is_named(class))?;
        Some(Self::Extension {
            class: class.clone(),
        })
    }
}

struct Bound {
    socket: TcpListener,
    address: SocketAddr,
    scheme: ListenerScheme,
    tls: Option<TlsAcceptor>,
    is_admin: bool,
}

/// Opened listeners; connections wait until [`BoundRest::serve`].
pub struct BoundRest {
    settings: RestSettings,
    bound: Vec<Bound>,
    forwarder: Forwarder,
}

/// A running REST server.
pub struct RestServer {
    stop: CancellationToken,
    tasks: TaskTracker,
    addresses: Vec<SocketAddr>,
    advertised: String,
}

async fn open(
    listener: &Listener,
    config: &RestConfig,
    is_admin: bool,
) -> Result<Bound, BindError> {
    let address = format!("{}:{}", listener.host, listener.port);
    let tls = match listener.scheme {
        ListenerScheme::Http => None,
        ListenerScheme::Https => {
            let acceptor = secure::acceptor(config, is_admin);
            Some(acceptor.map_err(|source| BindError::Https {
                address: address.clone(),
                source,
            })?)
        }
    };
    let failed = |source| BindError::Address {
        address: address.clone(),
        source,
    };
    let socket = if listener.host.is_empty() {
        // All interfaces; machines without IPv6 get IPv4 only.
        match TcpListener::bind(("::", listener.port)).await {
            Ok(socket) => socket,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
                return Err(failed(error));
            }
            Err(_) => TcpListener::bind(("0.0.0.0", listener.port))
                .await
                .map_err(failed)?,
        }
    } else {
        TcpListener::bind((listener.host.as_str(), listener.port))
            .await
            .map_err(failed)?
    };
    let address = socket.local_addr().map_err(failed)?;
    Ok(Bound {
        socket,
        address,
        scheme: listener.scheme,
        tls,
        is_admin,
    })
}

impl BoundRest {
    /// Opens all listeners.
    ///
    /// # Errors
    /// One of them cannot be opened.
    pub async fn bind(settings: RestSettings) -> Result<Self, BindError> {
        if let Some(error) = BindError::extension(&settings) {
            return Err(error);
        }
        let mut bound = Vec::new();
        for listener in &settings.config.listeners {
            bound.push(open(listener, &settings.config, false).await?);
        }
        if let AdminListeners::Own(listeners) = &settings.config.admin_listeners {
            for listener in listeners {
                bound.push(open(listener, &settings.config, true).await?);
            }
        }
        let forwarder = Forwarder::new(secure::client(&settings.config));
        Ok(Self {
            settings,
            bound,
            forwarder,
        })
    }

    /// A client for internal requests to the leader, which signs with the given algorithm.
    #[must_use]
    pub fn leader_client(&self, algorithm: &str) -> LeaderClient {
        LeaderClient::new(algorithm, self.forwarder.clone())
    }

    /// The addresses that were bound, in order of the configuration, admin listeners last.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|bound| bound.address).collect()
    }

    /// The URL under which other workers reach this one; `/` at its end (spec 7.1).
    #[must_use]
    pub fn advertised_url(&self) -> String {
        let config = &self.settings.config;
        let fits = |bound: &&Bound| !bound.is_admin && bound.scheme == config.advertised_scheme;
        let first = self.bound.iter().find(fits);
        let address = first.map(|bound| bound.address);
        let host = match address.map(|address| address.ip()) {
            Some(ip) if !ip.is_unspecified() => ip.to_string(),
            _ => local_address(),
        };
        config.advertised_url(address.map_or(0, |address| address.port()), &host)
    }

    /// `host:port` of [`Self::advertised_url`]: the worker's id.
    #[must_use]
    pub fn worker_id(&self) -> String {
        RestConfig::worker_id(&self.advertised_url())
    }

    /// Serves requests until [`RestServer::shutdown`].
    #[must_use]
    pub fn serve(self, services: Services) -> RestServer {
        let (addresses, advertised) = (self.addresses(), self.advertised_url());
        let config = &self.settings.config;
        let cors = || Cors::new(&config.allow_origin, &config.allow_methods);
        let admin_on_main = config.admin_listeners == AdminListeners::Shared;
        let shared = Arc::new(Shared {
            services,
            settings: self.settings.clone(),
            forwarder: self.forwarder.clone(),
        });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let permits = Arc::new(Semaphore::new(self.settings.max_connections));
        for bound in self.bound {
            let surface = Arc::new(Surface {
                shared: Arc::clone(&shared),
                scheme: bound.scheme.as_str(),
                main: !bound.is_admin,
                admin: bound.is_admin || admin_on_main,
                cors: cors().filter(|_| !bound.is_admin),
            });
            tracing::info!(address = %bound.address, "the REST server listens");
            tasks.spawn(accept(
                bound.socket,
                bound.tls,
                surface,
                Arc::clone(&permits),
                stop.clone(),
                tasks.clone(),
            ));
        }
        RestServer {
            stop,
            tasks,
            addresses,
            advertised,
        }
    }
}

async fn accept(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    surface: Arc<Surface>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => return,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (surface, stop, tls) = (Arc::clone(&surface), stop.clone(), tls.clone());
                tasks.spawn(async move {
                    // Answers are small: they leave at once.
                    let _ = stream.set_nodelay(true);
                    match tls {
                        None => connection(stream, peer, surface, stop).await,
                        Some(tls) => match secure::handshake(&tls, stream, &stop).await {
                            Ok(stream) => connection(stream, peer, surface, stop).await,
                            Err(error) => {
                                tracing::debug!(%peer, %error, "a TLS handshake failed");
                            }
                        },
                    }
                    drop(permit);
                });
            }
            // Usually too many open files: the next connection may fare better.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection<S>(stream: S, peer: SocketAddr, surface: Arc<Surface>, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let head_timeout = surface.shared.settings.head_timeout;
    let service = service_fn(move |request| dispatch::handle(Arc::clone(&surface), request, peer));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}

impl RestServer {
    /// The addresses that are served, admin listeners last.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The URL under which other workers reach this one.
    #[must_use]
    pub fn advertised_url(&self) -> &str {
        &self.advertised
    }

    /// Takes no new connections, lets requests under way end (at most 60 s).
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(SHUTDOWN_GRACE, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("requests were still under way when the REST server ended");
        }
    }
}

/// The address of this machine that others most likely reach: that of the default route, without a packet
/// being sent.
fn local_address() -> String {
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    match probe {
        Ok(address) if !address.ip().is_unspecified() => address.ip().to_string(),
        _ => "localhost".to_owned(),
    }
}
