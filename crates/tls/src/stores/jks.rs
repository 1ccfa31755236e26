//! JKS, Java's own store: certificates in the clear, private keys under a keystream of SHA-1, a digest over all.
//!
//! Every length is checked against what is left of the file before anything is taken.

use milena_config::Secret;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use super::{Identity, Store};

/// The first bytes of a store.
pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// What is hashed between the password and the content.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// The bytes of a SHA-1 digest.
const DIGEST: usize = 20;
/// The DER of the algorithm of JKS keys, 1.3.6.1.4.1.42.2.17.1.1, with its tag and length.
const KEY_PROTECTOR: [u8; 12] = [
    0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x2a, 0x02, 0x11, 0x01, 0x01,
];

const BROKEN: &str = "it is a broken JKS store";
const PASSWORD: &str = "its password is wrong, or the store was changed";

/// Parses a store; `Err` says what is wrong.
pub(super) fn parse(
    bytes: &[u8],
    password: Option<&Secret<String>>,
    key_password: Option<&Secret<String>>,
) -> Result<Store, &'static str> {
    let at = bytes.len().checked_sub(DIGEST).ok_or(BROKEN)?;
    let (content, digest) = bytes.split_at_checked(at).ok_or(BROKEN)?;
    // As Java: without a password the store is read, but not proven.
    if let Some(password) = password {
        let proof = Sha1::new()
            .chain_update(utf16(password))
            .chain_update(WHITENER)
            .chain_update(content)
            .finalize();
        if !bool::from(proof.as_slice().ct_eq(digest)) {
            return Err(PASSWORD);
        }
    }
    let mut rest = Reader(content);
    rest.take(MAGIC.len())?;
    let version = rest.u32()?;
    if !matches!(version, 1 | 2) {
        return Err(BROKEN);
    }
    let mut found = Store::default();
    for _ in 0..rest.u32()? {
        let tag = rest.u32()?;
        let _alias = rest.text()?;
        let _created = rest.take(8)?;
        match tag {
            1 => {
                let len = rest.u32()?;
                let protected = rest.take(usize::try_from(len).map_err(|_| BROKEN)?)?;
                let mut chain = Vec::new();
                for _ in 0..rest.u32()? {
                    chain.push(rest.certificate(version)?);
                }
                let password = key_password
                    .or(password)
                    .ok_or("the store needs its password")?;
                let key = unprotected(protected, password)?;
                found.identities.push(Identity {
                    key: Secret::new(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key))),
                    chain,
                });
            }
            2 => found.trusted.push(rest.certificate(version)?),
            _ => return Err(BROKEN),
        }
    }
    Ok(found)
}

/// `EncryptedPrivateKeyInfo`: salt, key under the keystream, digest of password and key.
fn unprotected(info: &[u8], password: &Secret<String>) -> Result<Vec<u8>, &'static str> {
    let (outer, _) = der(info, 0x30)?;
    let (algorithm, rest) = der(outer, 0x30)?;
    if !algorithm.starts_with(&KEY_PROTECTOR) {
        return Err(
            "its private key is protected in a way that is not known; convert it with keytool -importkeystore",
        );
    }
    let (data, _) = der(rest, 0x04)?;
    let (salt, rest) = data.split_at_checked(DIGEST).ok_or(BROKEN)?;
    let at = rest.len().checked_sub(DIGEST).ok_or(BROKEN)?;
    let (hidden, check) = rest.split_at_checked(at).ok_or(BROKEN)?;
    let password = utf16(password);
    let mut block = salt.to_vec();
    let mut plain = Vec::with_capacity(hidden.len());
    for chunk in hidden.chunks(DIGEST) {
        block = Sha1::new()
            .chain_update(&password)
            .chain_update(&block)
            .finalize()
            .to_vec();
        plain.extend(chunk.iter().zip(&block).map(|(hidden, key)| hidden ^ key));
    }
    let proof = Sha1::new()
        .chain_update(&password)
        .chain_update(&plain)
        .finalize();
    if bool::from(proof.as_slice().ct_eq(check)) {
        Ok(plain)
    } else {
        Err("the password of its private key is wrong; set ssl.key.password")
    }
}

/// The content of an element with this tag, and what follows it.
fn der(bytes: &[u8], tag: u8) -> Result<(&[u8], &[u8]), &'static str> {
    let (&first, rest) = bytes.split_first().ok_or(BROKEN)?;
    let (&length, rest) = rest.split_first().ok_or(BROKEN)?;
    if first != tag {
        return Err(BROKEN);
    }
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let count = usize::from(length & 0x7f);
        if !(1..=4).contains(&count) {
            return Err(BROKEN);
        }
        let (digits, rest) = rest.split_at_checked(count).ok_or(BROKEN)?;
        let length = digits
            .iter()
            .fold(0usize, |sum, digit| sum << 8 | usize::from(*digit));
        (length, rest)
    };
    rest.split_at_checked(length).ok_or(BROKEN)
}

/// Passwords are hashed as UTF-16, high bytes first.
fn utf16(password: &Secret<String>) -> Vec<u8> {
    password
        .reveal()
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(BROKEN)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        let bytes = self.take(4)?.try_into().map_err(|_| BROKEN)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn text(&mut self) -> Result<&'a [u8], &'static str> {
        let bytes = self.take(2)?.try_into().map_err(|_| BROKEN)?;
        self.take(usize::from(u16::from_be_bytes(bytes)))
    }

    fn certificate(&mut self, version: u32) -> Result<CertificateDer<'static>, &'static str> {
        if version == 2 && self.text()? != b"X.509" {
            return Err(BROKEN);
        }
        let len = usize::try_from(self.u32()?).map_err(|_| BROKEN)?;
        Ok(CertificateDer::from(self.take(len)?.to_vec()))
    }
}
