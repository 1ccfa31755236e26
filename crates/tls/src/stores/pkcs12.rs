//! PKCS#12 stores, as `keytool` and `openssl` write them.

use milena_config::Secret;
use p12_keystore::{KeyStore, KeyStoreEntry, Pkcs12ImportPolicy};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Identity, Store};

/// Parses a store; `Err` says what is wrong.
pub(super) fn parse(
    bytes: &[u8],
    password: Option<&Secret<String>>,
    key_password: Option<&Secret<String>>,
) -> Result<Store, &'static str> {
    let password = password.ok_or("the store needs its password")?;
    if key_password.is_some_and(|key| key.reveal() != password.reveal()) {
        return Err(
            "the key of a PKCS12 store must have the store's password; set ssl.key.password to it or remove it",
        );
    }
    // Trusted certificates of stores that openssl wrote lack the mark by which Java knows them.
    let store = KeyStore::from_pkcs12(bytes, password.reveal(), Pkcs12ImportPolicy::Relaxed)
        .map_err(|_| "it is no PKCS12 or JKS store, or its password is wrong")?;
    let mut found = Store::default();
    let mut entries: Vec<_> = store.entries().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    for (_, entry) in entries {
        let der = |certificate: &p12_keystore::Certificate| {
            CertificateDer::from(certificate.as_der().to_vec())
        };
        match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => {
                let key = PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec());
                found.identities.push(Identity {
                    key: Secret::new(PrivateKeyDer::Pkcs8(key)),
                    chain: chain.certs().iter().map(der).collect(),
                });
            }
            KeyStoreEntry::Certificate(certificate) => found.trusted.push(der(certificate)),
            KeyStoreEntry::Secret(_) => {}
        }
    }
    Ok(found)
}
