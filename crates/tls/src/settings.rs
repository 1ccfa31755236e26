//! The `ssl.*` properties, parsed once.

use std::sync::Arc;

use milena_config::{Props, Secret};
use rustls::{
    RootCertStore, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    Identity, StoreKind, TlsError,
    stores::{self, read_store},
};

/// Where systems keep the certificates they trust, as one PEM file.
const SYSTEM_TRUST: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Whom we trust.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The system's certificates.
    System,
    /// These certificates.
    Certificates(Vec<CertificateDer<'static>>),
}

/// TLS settings; files were read, passwords are gone.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// Who we are.
    pub identity: Option<Identity>,
    /// Whom we trust.
    pub trust: Trust,
    /// Whether a server's certificate must name its host (`ssl.endpoint.identification.algorithm=https`).
    pub verify_host: bool,
    /// `ssl.enabled.protocols`, those that are safe.
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// `ssl.cipher.suites`; empty: all safe ones.
    pub cipher_suites: Vec<String>,
}

impl TlsSettings {
    /// Parses the `ssl.*` properties and reads the files they name.
    ///
    /// # Errors
    /// A property that cannot be honoured, by name.
    pub fn from_props(props: &Props) -> Result<Self, TlsError> {
        if text(props, "ssl.engine.factory.class").is_some() {
            return Err(TlsError::new(
                "ssl.engine.factory.class",
                "no code comes from configuration; remove it",
            ));
        }
        // Unlike other settings, the empty text has a meaning here: do not check the host.
        let algorithm = props
            .get("ssl.endpoint.identification.algorithm")
            .map_or("https", |value| value.trim());
        let verify_host = match algorithm.to_ascii_lowercase().as_str() {
            "https" => true,
            "" => false,
            _ => {
                return Err(TlsError::new(
                    "ssl.endpoint.identification.algorithm",
                    "it must be https, or empty to accept any host name",
                ));
            }
        };
        let protocols = text(props, "ssl.enabled.protocols").unwrap_or("TLSv1.2,TLSv1.3");
        let has = |version: &str| protocols.split(',').any(|one: &str| one.trim() == version);
        let known = [("TLSv1.3", &TLS13), ("TLSv1.2", &TLS12)];
        let versions: Vec<_> = known
            .into_iter()
            .filter(|(name, _)| has(name))
            .map(|(_, version)| version)
            .collect();
        if versions.is_empty() {
            return Err(TlsError::new(
                "ssl.enabled.protocols",
                "it must hold TLSv1.2 or TLSv1.3",
            ));
        }
        let suites = text(props, "ssl.cipher.suites").unwrap_or_default();
        Ok(Self {
            identity: identity(props)?,
            trust: trust(props)?,
            verify_host,
            versions,
            cipher_suites: suites
                .split(',')
                .map(str::trim)
                .filter(|one| !one.is_empty())
                .map(ToOwned::to_owned)
                .collect(),
        })
    }

    /// The certificates that are trusted.
    pub(crate) fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.trusted()? {
            let added = roots.add(certificate);
            added.map_err(|error| TlsError::new("ssl.truststore.location", error.to_string()))?;
        }
        Ok(roots)
    }

    /// The certificates that are trusted, one by one. A system's list may hold some that rustls does not take; the rest
    /// is good.
    pub(crate) fn trusted(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let list = match &self.trust {
            Trust::Certificates(list) => return Ok(list.clone()),
            Trust::System => SYSTEM_TRUST
                .iter()
                .find_map(|path| std::fs::read(path).ok()),
        };
        let list = list.ok_or_else(|| {
            TlsError::new(
                "ssl.truststore.location",
                "it must be set: this system has no list of trusted certificates",
            )
        })?;
        let taken = |certificate: &CertificateDer<'static>| {
            RootCertStore::empty().add(certificate.clone()).is_ok()
        };
        let all = CertificateDer::pem_slice_iter(&list).flatten();
        Ok(all.filter(taken).collect())
    }

    /// The implementation, with the cipher suites that were asked for.
    pub(crate) fn provider(&self) -> Result<Arc<CryptoProvider>, TlsError> {
        let mut provider = aws_lc_rs::default_provider();
        if !self.cipher_suites.is_empty() {
            provider.cipher_suites.retain(|suite| {
                // Java has the name of the standard for suites of TLS 1.3 too.
                let name = format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1);
                self.cipher_suites.contains(&name)
            });
            if provider.cipher_suites.is_empty() {
                return Err(TlsError::new(
                    "ssl.cipher.suites",
                    "none of them is safe; name at least one of TLS_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, \
                     TLS_CHACHA20_POLY1305_SHA256 or the ECDHE suites of TLS 1.2, or remove it",
                ));
            }
        }
        Ok(Arc::new(provider))
    }
}

fn identity(props: &Props) -> Result<Option<Identity>, TlsError> {
    let kind = kind(props, "ssl.keystore.type")?;
    let key_password = text(props, "ssl.key.password").map(secret);
    let inline = (
        text(props, "ssl.keystore.key"),
        text(props, "ssl.keystore.certificate.chain"),
    );
    match inline {
        (Some(key), Some(chain)) => {
            needs_pem(kind, "ssl.keystore.type")?;
            let key = stores::pem::private_key(
                "ssl.keystore.key",
                &unescaped(key),
                key_password.as_ref(),
            )?;
            let chain =
                stores::pem::certificates("ssl.keystore.certificate.chain", &unescaped(chain))?;
            return Ok(Some(Identity { key, chain }));
        }
        (None, None) => {}
        _ => {
            return Err(TlsError::new(
                "ssl.keystore.key",
                "it must be set together with ssl.keystore.certificate.chain",
            ));
        }
    }
    let Some(path) = text(props, "ssl.keystore.location") else {
        return Ok(None);
    };
    let password = text(props, "ssl.keystore.password").map(secret);
    let name = "ssl.keystore.location";
    let store = read_store(name, kind, path, password.as_ref(), key_password.as_ref())?;
    match store.identities.into_iter().next() {
        Some(identity) => Ok(Some(identity)),
        None => Err(TlsError::new(name, "the store holds no private key")),
    }
}

fn trust(props: &Props) -> Result<Trust, TlsError> {
    let kind = kind(props, "ssl.truststore.type")?;
    if let Some(pem) = text(props, "ssl.truststore.certificates") {
        needs_pem(kind, "ssl.truststore.type")?;
        let list = stores::pem::certificates("ssl.truststore.certificates", &unescaped(pem))?;
        return Ok(Trust::Certificates(list));
    }
    let Some(path) = text(props, "ssl.truststore.location") else {
        return Ok(Trust::System);
    };
    let password = text(props, "ssl.truststore.password").map(secret);
    let name = "ssl.truststore.location";
    let store = read_store(name, kind, path, password.as_ref(), None)?;
    if store.trusted.is_empty() {
        return Err(TlsError::new(
            name,
            "the store holds no trusted certificate",
        ));
    }
    Ok(Trust::Certificates(store.trusted))
}

/// Java's default is JKS: a location without a type is a JKS store.
fn kind(props: &Props, name: &str) -> Result<StoreKind, TlsError> {
    let kind = text(props, name).unwrap_or("JKS").to_ascii_uppercase();
    match kind.as_str() {
        "JKS" => Ok(StoreKind::Jks),
        "PKCS12" => Ok(StoreKind::Pkcs12),
        "PEM" => Ok(StoreKind::Pem),
        _ => Err(TlsError::new(name, "it must be JKS, PKCS12 or PEM")),
    }
}

fn needs_pem(kind: StoreKind, name: &str) -> Result<(), TlsError> {
    match kind {
        StoreKind::Pem => Ok(()),
        _ => Err(TlsError::new(
            name,
            "it must be PEM when keys or certificates are given as text",
        )),
    }
}

/// The text of a property; empty text counts as not set.
fn text<'a>(props: &'a Props, name: &str) -> Option<&'a str> {
    let value = props.get(name).map(|value| value.trim());
    value.filter(|value| !value.is_empty())
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// A line of properties may hold the PEM with `\n` written as two characters.
fn unescaped(pem: &str) -> Vec<u8> {
    pem.replace("\\n", "\n").into_bytes()
}
