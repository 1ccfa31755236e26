//! TLS: trust, identity and versions from the `ssl.*` properties, as a rustls client.
//!
//! PEM, inline or in a file. Java key stores (JKS, PKCS12) are refused by name with the command that
//! converts them.

use std::sync::Arc;

use milena_config::Secret;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::aws_lc_rs,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};

use super::{refused, text};
use crate::ports::{ClientProps, KafkaError};

/// The largest PEM file that is read: a system's whole trust bundle is a quarter of it.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Where systems keep the certificates they trust, as one PEM file.
const SYSTEM_TRUST: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Whom we trust.
#[derive(Debug)]
pub enum Trust {
    /// The system's certificates.
    System,
    /// These certificates.
    Certificates(Vec<CertificateDer<'static>>),
}

/// Who we are, for mutual TLS.
#[derive(Debug)]
pub struct TlsIdentity {
    /// The chain, own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: Secret<PrivateKeyDer<'static>>,
}

/// TLS settings of a client.
#[derive(Debug)]
pub struct Tls {
    /// Whom we trust.
    pub trust: Trust,
    /// Who we are.
    pub identity: Option<TlsIdentity>,
    /// Whether the certificate must name the host (`ssl.endpoint.identification.algorithm=https`).
    pub verify_host: bool,
    /// Whether TLS 1.2 may be used.
    pub tls12: bool,
    /// Whether TLS 1.3 may be used.
    pub tls13: bool,
}

impl Tls {
    pub(super) fn from_props(props: &ClientProps) -> Result<Self, KafkaError> {
        for name in [
            "ssl.engine.factory.class",
            "ssl.provider",
            "ssl.cipher.suites",
            "security.providers",
        ] {
            if text(props, name).is_some() {
                return Err(refused(name, "it is not available; remove it"));
            }
        }
        // Unlike other settings, the empty text has a meaning here: do not check the host.
        let algorithm = props
            .get("ssl.endpoint.identification.algorithm")
            .map_or("https", |value| value.trim());
        let verify_host = match algorithm.to_ascii_lowercase().as_str() {
            "https" => true,
            "" => false,
            _ => {
                return Err(refused(
                    "ssl.endpoint.identification.algorithm",
                    "it must be https, or empty to accept any host name",
                ));
            }
        };
        let versions = text(props, "ssl.enabled.protocols").unwrap_or("TLSv1.2,TLSv1.3");
        let has = |version| versions.split(',').any(|v| v.trim() == version);
        let (tls12, tls13) = (has("TLSv1.2"), has("TLSv1.3"));
        if !tls12 && !tls13 {
            return Err(refused(
                "ssl.enabled.protocols",
                "it must hold TLSv1.2 or TLSv1.3",
            ));
        }
        Ok(Self {
            trust: trust(props)?,
            identity: identity(props)?,
            verify_host,
            tls12,
            tls13,
        })
    }
}

fn trust(props: &ClientProps) -> Result<Trust, KafkaError> {
    if let Some(pem) = text(props, "ssl.truststore.certificates") {
        let type_ = text(props, "ssl.truststore.type").unwrap_or("JKS");
        if !type_.eq_ignore_ascii_case("PEM") {
            return Err(refused(
                "ssl.truststore.type",
                "it must be PEM when ssl.truststore.certificates is set",
            ));
        }
        let list = certificates("ssl.truststore.certificates", &inline(pem))?;
        return Ok(Trust::Certificates(list));
    }
    let Some(path) = text(props, "ssl.truststore.location") else {
        return Ok(Trust::System);
    };
    only_pem(props, "ssl.truststore.type")?;
    let pem = read("ssl.truststore.location", path)?;
    let list = certificates("ssl.truststore.location", &pem)?;
    Ok(Trust::Certificates(list))
}

fn identity(props: &ClientProps) -> Result<Option<TlsIdentity>, KafkaError> {
    let inline_key = text(props, "ssl.keystore.key");
    let inline_chain = text(props, "ssl.keystore.certificate.chain");
    let (key_pem, chain_pem, key_name, chain_name) = match (inline_key, inline_chain) {
        (Some(key), Some(chain)) => {
            only_pem(props, "ssl.keystore.type")?;
            (
                inline(key),
                inline(chain),
                "ssl.keystore.key",
                "ssl.keystore.certificate.chain",
            )
        }
        (None, None) => {
            let Some(path) = text(props, "ssl.keystore.location") else {
                return Ok(None);
            };
            only_pem(props, "ssl.keystore.type")?;
            let name = "ssl.keystore.location";
            let pem = read(name, path)?;
            (pem.clone(), pem, name, name)
        }
        _ => {
            return Err(refused(
                "ssl.keystore.key",
                "it must be set together with ssl.keystore.certificate.chain",
            ));
        }
    };
    let encrypted = b"ENCRYPTED PRIVATE KEY";
    if key_pem.windows(encrypted.len()).any(|w| w == encrypted) {
        return Err(refused(
            key_name,
            "an encrypted private key is not available yet; decrypt it with: openssl pkcs8 -in KEY.pem -out PLAIN.pem",
        ));
    }
    let key = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|_| refused(key_name, "it must hold a private key in PEM (PKCS#8)"))?;
    Ok(Some(TlsIdentity {
        chain: certificates(chain_name, &chain_pem)?,
        key: Secret::new(key),
    }))
}

/// A line of properties may hold the PEM with `\n` written as two characters.
fn inline(pem: &str) -> Vec<u8> {
    pem.replace("\\n", "\n").into_bytes()
}

fn only_pem(props: &ClientProps, name: &str) -> Result<(), KafkaError> {
    // Java's default is JKS: a location without a type is a JKS store.
    let type_ = text(props, name).unwrap_or("JKS");
    if type_.eq_ignore_ascii_case("PEM") {
        return Ok(());
    }
    Err(refused(
        name,
        "only PEM is available yet; convert the store (keytool -importkeystore … -deststoretype PKCS12, then openssl \
         pkcs12 -nodes) and set the type to PEM",
    ))
}

fn read(name: &str, path: &str) -> Result<Vec<u8>, KafkaError> {
    let size = std::fs::metadata(path)
        .map_err(|error| refused(name, &format!("the file cannot be read: {error}")))?
        .len();
    if size > PEM_BYTES_MAX {
        return Err(refused(name, "the file is larger than 1 MiB"));
    }
    std::fs::read(path).map_err(|error| refused(name, &format!("the file cannot be read: {error}")))
}

fn certificates(name: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, KafkaError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match list {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(refused(name, "it must hold certificates in PEM")),
    }
}

/// The rustls client for these settings.
pub(crate) fn client_config(tls: &Tls) -> Result<ClientConfig, KafkaError> {
    let bad = |what: &'static str| move |error: rustls::Error| refused(what, &error.to_string());
    let mut roots = RootCertStore::empty();
    match &tls.trust {
        Trust::System => {
            let bundle = SYSTEM_TRUST
                .iter()
                .find_map(|path| std::fs::read(path).ok());
            let bundle = bundle.ok_or_else(|| {
                refused(
                    "ssl.truststore.location",
                    "it must be set: this system has no list of trusted certificates",
                )
            })?;
            // A system's list may hold certificates that rustls does not take; the rest is good.
            roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&bundle).flatten());
        }
        Trust::Certificates(list) => {
            for certificate in list {
                roots
                    .add(certificate.clone())
                    .map_err(bad("ssl.truststore.location"))?;
            }
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut versions = Vec::new();
    if tls.tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if tls.tls12 {
        versions.push(&rustls::version::TLS12);
    }
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions)
        .map_err(bad("ssl.enabled.protocols"))?;
    let builder = if tls.verify_host {
        builder.with_root_certificates(roots)
    } else {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| refused("ssl.truststore.location", &error.to_string()))?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyHost { inner }))
    };
    match &tls.identity {
        None => Ok(builder.with_no_client_auth()),
        Some(identity) => builder
            .with_client_auth_cert(identity.chain.clone(), identity.key.reveal().clone_key())
            .map_err(bad("ssl.keystore.location")),
    }
}

/// Verifies the chain but not the host name, as an empty `ssl.endpoint.identification.algorithm` asks.
#[derive(Debug)]
struct AnyHost {
    inner: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
