//! The rustls server for TLS settings.

use std::sync::Arc;

use rustls::{ServerConfig, server::WebPkiClientVerifier};

use crate::{TlsError, TlsSettings};

/// Whether clients must show a certificate (`ssl.client.auth`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// They are not asked.
    None,
    /// They are asked; one that is shown must be good.
    Requested,
    /// They must show one.
    Required,
}

/// A server with these settings.
///
/// # Errors
/// No identity is configured, or rustls cannot use what is.
pub fn server_config(
    settings: &TlsSettings,
    clients: ClientCertificates,
) -> Result<ServerConfig, TlsError> {
    let Some(identity) = &settings.identity else {
        return Err(TlsError::new(
            "ssl.keystore.location",
            "it must be set: a listener with TLS needs a private key and a certificate",
        ));
    };
    let bad = |name: &'static str| {
        move |error: &dyn std::fmt::Display| TlsError::new(name, error.to_string())
    };
    let provider = settings.provider()?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&settings.versions)
        .map_err(|error| bad("ssl.enabled.protocols")(&error))?;
    let builder = match clients {
        ClientCertificates::None => builder.with_no_client_auth(),
        ClientCertificates::Requested | ClientCertificates::Required => {
            let roots = Arc::new(settings.roots()?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = match clients {
                ClientCertificates::Required => verifier,
                _ => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| bad("ssl.truststore.location")(&error))?,
            )
        }
    };
    let mut config = builder
        .with_single_cert(identity.chain.clone(), identity.key.reveal().clone_key())
        .map_err(|error| bad("ssl.keystore.location")(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
