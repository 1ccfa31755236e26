//! Key and trust stores in the formats that Java's workers are configured with.

mod jks;
pub(crate) mod pem;
mod pkcs12;

use milena_config::Secret;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::TlsError;

/// The largest store that is read: a system's whole trust bundle is a quarter of it.
const STORE_BYTES_MAX: u64 = 4 << 20;

/// The format of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Java's own old format. As with Java, a file of this type may be PKCS12 in truth, and the other way round.
    Jks,
    /// PKCS#12.
    Pkcs12,
    /// PEM text.
    Pem,
}

/// A private key with its certificates.
#[derive(Debug)]
pub struct Identity {
    /// The private key.
    pub key: Secret<PrivateKeyDer<'static>>,
    /// The chain, own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            key: Secret::new(self.key.reveal().clone_key()),
            chain: self.chain.clone(),
        }
    }
}

/// What a store holds.
#[derive(Debug, Default)]
pub struct Store {
    /// Private keys, in the store's order.
    pub identities: Vec<Identity>,
    /// Certificates that are trusted.
    pub trusted: Vec<CertificateDer<'static>>,
}

/// Reads a store. `property` is named in errors; `key_password` is that of private keys when it is another one.
///
/// # Errors
/// The file cannot be read, is no such store, or the password is wrong.
pub fn read_store(
    property: &str,
    kind: StoreKind,
    path: &str,
    password: Option<&Secret<String>>,
    key_password: Option<&Secret<String>>,
) -> Result<Store, TlsError> {
    let unreadable = |error: std::io::Error| {
        TlsError::new(property, format!("the file cannot be read: {error}"))
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > STORE_BYTES_MAX {
        return Err(TlsError::new(property, "the file is larger than 4 MiB"));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let parsed = match kind {
        StoreKind::Pem => return pem::store(property, &bytes, key_password.or(password)),
        StoreKind::Jks | StoreKind::Pkcs12 if bytes.starts_with(&jks::MAGIC) => {
            jks::parse(&bytes, password, key_password)
        }
        StoreKind::Jks | StoreKind::Pkcs12 => pkcs12::parse(&bytes, password, key_password),
    };
    parsed.map_err(|what| TlsError::new(property, what))
}
