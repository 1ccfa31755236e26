//! TLS settings for a client that reads PEM only, whatever the stores were that they came from.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use milena_config::Secret;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{TlsError, TlsSettings};

/// The length of a line of PEM (RFC 7468).
const LINE: usize = 64;

impl TlsSettings {
    /// Trust and identity as the properties of Java's clients that hold PEM in themselves. The system's trust is
    /// spelled out, so that every client trusts the same certificates.
    ///
    /// # Errors
    /// A trusted certificate is none.
    pub fn to_pem_props(&self) -> Result<Vec<(&'static str, Secret<String>)>, TlsError> {
        let trusted: String = self.trusted()?.iter().map(certificate).collect();
        let mut props = vec![
            ("ssl.truststore.type", Secret::new("PEM".to_owned())),
            ("ssl.truststore.certificates", Secret::new(trusted)),
        ];
        if let Some(identity) = &self.identity {
            let (label, der) = match identity.key.reveal() {
                PrivateKeyDer::Pkcs1(key) => ("RSA PRIVATE KEY", key.secret_pkcs1_der()),
                PrivateKeyDer::Sec1(key) => ("EC PRIVATE KEY", key.secret_sec1_der()),
                PrivateKeyDer::Pkcs8(key) => ("PRIVATE KEY", key.secret_pkcs8_der()),
                _ => {
                    let remedy = "the kind of its private key is not known; use PKCS#8";
                    return Err(TlsError::new("ssl.keystore.location", remedy));
                }
            };
            let chain = identity.chain.iter().map(certificate).collect();
            props.extend([
                ("ssl.keystore.type", Secret::new("PEM".to_owned())),
                ("ssl.keystore.key", Secret::new(pem(label, der))),
                ("ssl.keystore.certificate.chain", Secret::new(chain)),
            ]);
        }
        Ok(props)
    }
}

fn certificate(der: &CertificateDer<'_>) -> String {
    pem("CERTIFICATE", der)
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let encoded = BASE64_STANDARD.encode(der);
    let mut rest = encoded.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}
