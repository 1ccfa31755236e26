//! PEM: certificates and private keys as text, keys encrypted or not (KIP-651).

use milena_config::Secret;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::{PemObject, SectionKind},
};

use super::{Identity, Store};
use crate::TlsError;

/// The certificates of a text; at least one.
pub(crate) fn certificates(
    property: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match list {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err(TlsError::new(property, "it must hold certificates in PEM")),
    }
}

/// The private key of a text.
pub(crate) fn private_key(
    property: &str,
    pem: &[u8],
    password: Option<&Secret<String>>,
) -> Result<Secret<PrivateKeyDer<'static>>, TlsError> {
    if let Some(encrypted) = encrypted(pem) {
        let Some(password) = password else {
            return Err(TlsError::new(
                property,
                "the private key is encrypted: set ssl.key.password",
            ));
        };
        let wrong = || {
            TlsError::new(
                property,
                "the private key cannot be decrypted: is ssl.key.password right?",
            )
        };
        let info =
            EncryptedPrivateKeyInfoRef::try_from(encrypted.as_slice()).map_err(|_| wrong())?;
        let plain = info.decrypt(password.reveal()).map_err(|_| wrong())?;
        let key = PrivatePkcs8KeyDer::from(plain.as_bytes().to_vec());
        return Ok(Secret::new(PrivateKeyDer::Pkcs8(key)));
    }
    PrivateKeyDer::from_pem_slice(pem)
        .map(Secret::new)
        .map_err(|_| TlsError::new(property, "it must hold a private key in PEM (PKCS#8)"))
}

/// The bytes of `ENCRYPTED PRIVATE KEY`, which rustls does not know.
fn encrypted(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END ENCRYPTED PRIVATE KEY-----")?;
    // The same body under a name that the reader knows.
    let renamed = format!("-----BEGIN PRIVATE KEY-----{body}-----END PRIVATE KEY-----\n");
    let (kind, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(renamed.as_bytes()).ok()?;
    (kind == SectionKind::PrivateKey).then_some(der)
}

/// A file: a key with its chain, or certificates that are trusted.
pub(super) fn store(
    property: &str,
    pem: &[u8],
    password: Option<&Secret<String>>,
) -> Result<Store, TlsError> {
    let certificates = certificates(property, pem)?;
    let has_key = b"PRIVATE KEY-----";
    if pem.windows(has_key.len()).any(|window| window == has_key) {
        let key = private_key(property, pem, password)?;
        return Ok(Store {
            identities: vec![Identity {
                key,
                chain: certificates,
            }],
            trusted: Vec::new(),
        });
    }
    Ok(Store {
        identities: Vec::new(),
        trusted: certificates,
    })
}
