//! TLS of listeners and of requests to other workers (Connect's `SSLUtils`, spec 7.2).

use std::{io, sync::Arc};

use milena_config::worker::{ClientAuth, RestConfig};
use milena_tls::{ClientCertificates, TlsError, TlsSettings, client_config, server_config};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::settings::HEAD_TIMEOUT;

/// What speaks TLS on a listener.
pub(crate) fn acceptor(config: &RestConfig, is_admin: bool) -> Result<TlsAcceptor, TlsError> {
    let (tls, auth) = if is_admin {
        (&config.admin_tls, config.admin_client_auth)
    } else {
        (&config.tls, config.client_auth)
    };
    let clients = match auth {
        ClientAuth::None => ClientCertificates::None,
        ClientAuth::Requested => ClientCertificates::Requested,
        ClientAuth::Required => ClientCertificates::Required,
    };
    let settings = TlsSettings::from_props(&tls.0)?;
    Ok(TlsAcceptor::from(Arc::new(server_config(
        &settings, clients,
    )?)))
}

/// How other workers are spoken to over https: by the settings of the listeners. Settings that cannot be used
/// matter only when https is.
pub(crate) fn client(config: &RestConfig) -> Option<ClientConfig> {
    let configured = TlsSettings::from_props(&config.tls.0).and_then(|tls| client_config(&tls));
    configured
        .inspect_err(|error| tracing::debug!(%error, "requests to other workers cannot use https"))
        .ok()
}

/// The handshake, in the time that a request's head has.
pub(crate) async fn handshake(
    tls: &TlsAcceptor,
    stream: TcpStream,
    stop: &CancellationToken,
) -> io::Result<TlsStream<TcpStream>> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "it took too long");
    tokio::select! {
        () = stop.cancelled() => Err(io::Error::other("the server ends")),
        done = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)) => {
            done.unwrap_or_else(|_| Err(late()))
        }
    }
}
