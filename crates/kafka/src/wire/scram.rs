//! SCRAM-SHA-256 and SCRAM-SHA-512, the client's side (RFC 5802, without channel binding).
//!
//! No I/O: messages in, messages out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use crate::security::ScramHash;

/// Below, a password is too cheap to guess (RFC 7677); Kafka refuses to store fewer.
const ITERATIONS_MIN: u32 = 4096;
/// Above, a hostile server would only burn our processor; Kafka stores at most 16384.
const ITERATIONS_MAX: u32 = 1_000_000;

/// Why a login failed on our side.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScramError {
    #[error("the server's SCRAM message is malformed")]
    Malformed,
    #[error("the server's SCRAM nonce does not continue ours")]
    Nonce,
    #[error(
        "the server asks for {0} SCRAM iterations; between {ITERATIONS_MIN} and {ITERATIONS_MAX} are accepted"
    )]
    Iterations(u32),
    #[error("the server does not know the password either: its SCRAM signature is wrong")]
    Signature,
    #[error("the server refuses the login: {0}")]
    Refused(String),
}

/// A login that waits for the server's first message.
pub(crate) struct Scram<'a> {
    hash: ScramHash,
    password: &'a str,
    nonce: String,
    first_bare: String,
}

/// A login that waits for the server's last message.
#[derive(Debug)]
pub(crate) struct ScramFinal {
    server_signature: Vec<u8>,
}

impl<'a> Scram<'a> {
    /// Starts a login with a fresh nonce (printable, without commas).
    pub(crate) fn new(hash: ScramHash, username: &str, password: &'a str, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        Self {
            hash,
            password,
            first_bare: format!("n={name},r={nonce}"),
            nonce,
        }
    }

    /// The first message.
    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.first_bare)
    }

    /// Answers the server's first message: the last message to send, and what to expect.
    pub(crate) fn answer(self, server_first: &[u8]) -> Result<(String, ScramFinal), ScramError> {
        let text = std::str::from_utf8(server_first).map_err(|_| ScramError::Malformed)?;
        if let Some(error) = attribute(text, "e=") {
            return Err(ScramError::Refused(error.to_owned()));
        }
        let part = |name| attribute(text, name).ok_or(ScramError::Malformed);
        let (nonce, salt, iterations) = (part("r=")?, part("s=")?, part("i=")?);
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Nonce);
        }
        let salt = STANDARD.decode(salt).map_err(|_| ScramError::Malformed)?;
        let iterations: u32 = iterations.parse().map_err(|_| ScramError::Malformed)?;
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(ScramError::Iterations(iterations));
        }
        let without_proof = format!("c=biws,r={nonce}");
        let signed = format!("{},{text},{without_proof}", self.first_bare);
        let (proof, server_signature) =
            proofs(self.hash, self.password, &salt, iterations, &signed)
                .ok_or(ScramError::Malformed)?;
        Ok((
            format!("{without_proof},p={}", STANDARD.encode(proof)),
            ScramFinal { server_signature },
        ))
    }
}

impl ScramFinal {
    /// Checks that the server knows the password too.
    pub(crate) fn check(&self, server_final: &[u8]) -> Result<(), ScramError> {
        let text = std::str::from_utf8(server_final).map_err(|_| ScramError::Malformed)?;
        if let Some(error) = attribute(text, "e=") {
            return Err(ScramError::Refused(error.to_owned()));
        }
        let signature = attribute(text, "v=").ok_or(ScramError::Malformed)?;
        let signature = STANDARD
            .decode(signature)
            .map_err(|_| ScramError::Malformed)?;
        if bool::from(signature.ct_eq(&self.server_signature)) {
            Ok(())
        } else {
            Err(ScramError::Signature)
        }
    }
}

fn attribute<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.split(',').find_map(|part| part.strip_prefix(name))
}

/// The client's proof and the server's signature; `None` cannot happen with these hashes.
fn proofs(
    hash: ScramHash,
    password: &str,
    salt: &[u8],
    iterations: u32,
    signed: &str,
) -> Option<(Vec<u8>, Vec<u8>)> {
    match hash {
        ScramHash::Sha256 => {
            let mut salted = [0; 32];
            pbkdf2::pbkdf2::<Hmac<Sha256>>(password.as_bytes(), salt, iterations, &mut salted)
                .ok()?;
            let keyed = |key: &[u8], text: &[u8]| {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
                mac.update(text);
                Some(mac.finalize().into_bytes().to_vec())
            };
            combine(&salted, signed, keyed, |data| Sha256::digest(data).to_vec())
        }
        ScramHash::Sha512 => {
            let mut salted = [0; 64];
            pbkdf2::pbkdf2::<Hmac<Sha512>>(password.as_bytes(), salt, iterations, &mut salted)
                .ok()?;
            let keyed = |key: &[u8], text: &[u8]| {
                let mut mac = Hmac::<Sha512>::new_from_slice(key).ok()?;
                mac.update(text);
                Some(mac.finalize().into_bytes().to_vec())
            };
            combine(&salted, signed, keyed, |data| Sha512::digest(data).to_vec())
        }
    }
}

fn combine(
    salted: &[u8],
    signed: &str,
    keyed: impl Fn(&[u8], &[u8]) -> Option<Vec<u8>>,
    digest: impl Fn(&[u8]) -> Vec<u8>,
) -> Option<(Vec<u8>, Vec<u8>)> {
    let client_key = keyed(salted, b"Client Key")?;
    let client_signature = keyed(&digest(&client_key), signed.as_bytes())?;
    let proof = client_key
        .iter()
        .zip(&client_signature)
        .map(|(key, signature)| key ^ signature)
        .collect();
    let server_key = keyed(salted, b"Server Key")?;
    Some((proof, keyed(&server_key, signed.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_example_of_the_rfc() {
        let nonce = "rOprNGfwEbeRWgbNEkqO".to_owned();
        let scram = Scram::new(ScramHash::Sha256, "user", "pencil", nonce);
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (last, expect) = scram
            .answer(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
            .unwrap();
        assert_eq!(
            last,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        expect
            .check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
            .unwrap();
        assert_eq!(
            expect.check(b"v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
            Err(ScramError::Signature)
        );
    }

    #[test]
    fn hostile_servers_are_refused() {
        let start = || Scram::new(ScramHash::Sha512, "a,b=c", "p", "abc".to_owned());
        assert_eq!(start().first(), "n,,n=a=2Cb=3Dc,r=abc");
        let answer = |text: &str| start().answer(text.as_bytes()).unwrap_err();
        assert_eq!(answer("r=xyz,s=AAAA,i=4096"), ScramError::Nonce);
        assert_eq!(answer("r=abc,s=AAAA,i=4096"), ScramError::Nonce);
        assert_eq!(answer("r=abcd,s=AAAA,i=1"), ScramError::Iterations(1));
        assert_eq!(
            answer("r=abcd,s=AAAA,i=2000000"),
            ScramError::Iterations(2_000_000)
        );
        assert_eq!(answer("hello"), ScramError::Malformed);
        assert_eq!(
            answer("e=unknown-user"),
            ScramError::Refused("unknown-user".into())
        );
    }
}
