//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677), the server's side.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use subtle::ConstantTimeEq;

use super::{Realm, SaslError, Step};

/// Kafka's least number of iterations.
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// The hash of a mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn mechanism(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    /// HMAC takes keys of any length, so that the error cannot come; an empty answer matches nothing.
    fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec()),
            Self::Sha512 => Hmac::<Sha512>::new_from_slice(key)
                .map(|mac| mac.chain_update(message).finalize().into_bytes().to_vec()),
        }
        .unwrap_or_default()
    }

    fn salted(self, password: &[u8], salt: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => {
                let mut out = vec![0; 32];
                pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ITERATIONS, &mut out);
                out
            }
            Self::Sha512 => {
                let mut out = vec![0; 64];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, ITERATIONS, &mut out);
                out
            }
        }
    }
}

/// What a server keeps of a password.
#[derive(Clone)]
struct Stored {
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// Stored keys by user, derived when a user first comes: deriving is slow by design.
#[derive(Default)]
pub(crate) struct Credentials(Mutex<HashMap<String, Arc<Stored>>>);

impl Credentials {
    fn of(&self, hash: Hash, name: &str, password: &str) -> Arc<Stored> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = known.entry(name.to_owned()).or_insert_with(|| {
            let salt = rand::random::<[u8; SALT_BYTES]>().to_vec();
            let salted = hash.salted(password.as_bytes(), &salt);
            Arc::new(Stored {
                salt,
                stored_key: hash.digest(&hash.hmac(&salted, b"Client Key")),
                server_key: hash.hmac(&salted, b"Server Key"),
            })
        });
        Arc::clone(stored)
    }
}

enum State {
    First,
    Final {
        name: String,
        stored: Arc<Stored>,
        nonce: String,
        gs2_header: String,
        /// `client-first-message-bare , server-first-message`.
        signed: String,
    },
    Ended,
}

/// One conversation.
pub(crate) struct Scram {
    realm: Arc<Realm>,
    hash: Hash,
    state: State,
}

impl Scram {
    pub(super) fn new(realm: Arc<Realm>, hash: Hash) -> Self {
        Self {
            realm,
            hash,
            state: State::First,
        }
    }

    pub(super) fn step(&mut self, token: &[u8]) -> Result<Step, SaslError> {
        let refused = SaslError::InvalidCredentials(self.hash.mechanism());
        // A conversation that failed cannot be taken up again.
        let state = std::mem::replace(&mut self.state, State::Ended);
        let token = std::str::from_utf8(token).ok();
        let step = match state {
            State::First => token.and_then(|token| self.first(token)),
            State::Final {
                name,
                stored,
                nonce,
                gs2_header,
                signed,
            } => token.and_then(|token| {
                let proven = prove(self.hash, &stored, &nonce, &gs2_header, &signed, token)?;
                Some(Step::Done {
                    token: proven,
                    principal: name,
                })
            }),
            State::Ended => None,
        };
        step.ok_or(refused)
    }

    /// `n,[a=id],n=name,r=nonce[,extensions]`.
    fn first(&mut self, token: &str) -> Option<Step> {
        let mut parts = token.splitn(3, ',');
        let (flag, authorization, bare) = (parts.next()?, parts.next()?, parts.next()?);
        // Channel binding is not offered; a client that can but believes we cannot ("y") is right.
        if flag != "n" && flag != "y" {
            return None;
        }
        let mut fields = bare.split(',');
        let name = unescaped(fields.next()?.strip_prefix("n=")?)?;
        let client_nonce = fields.next()?.strip_prefix("r=")?;
        if client_nonce.is_empty() || fields.any(|field| field == "tokenauth=true") {
            return None;
        }
        if !authorization.is_empty() && unescaped(authorization.strip_prefix("a=")?)? != name {
            return None;
        }
        let password = self.realm.password(&name)?;
        let credentials = match self.hash {
            Hash::Sha256 => &self.realm.sha256,
            Hash::Sha512 => &self.realm.sha512,
        };
        let stored = credentials.of(self.hash, &name, password);
        let own = BASE64.encode(rand::random::<[u8; NONCE_BYTES]>());
        let nonce = format!("{client_nonce}{own}");
        let salt = BASE64.encode(&stored.salt);
        let server_first = format!("r={nonce},s={salt},i={ITERATIONS}");
        self.state = State::Final {
            name,
            stored,
            nonce,
            gs2_header: format!("{flag},{authorization},"),
            signed: format!("{bare},{server_first}"),
        };
        Some(Step::Continue(server_first.into_bytes()))
    }
}

/// `c=binding,r=nonce,p=proof`: the server's signature when the client knows the password.
fn prove(
    hash: Hash,
    stored: &Stored,
    nonce: &str,
    gs2_header: &str,
    signed: &str,
    token: &str,
) -> Option<Vec<u8>> {
    let (without_proof, proof) = token.rsplit_once(",p=")?;
    let mut fields = without_proof.split(',');
    let binding = fields.next()?.strip_prefix("c=")?;
    if BASE64.decode(binding).ok()? != gs2_header.as_bytes() {
        return None;
    }
    // The whole nonce, as Kafka 4.3 compares it: librdkafka 2.0 sends its own part twice and is refused by both.
    if fields.next()?.strip_prefix("r=")? != nonce {
        return None;
    }
    let message = format!("{signed},{without_proof}");
    let signature = hash.hmac(&stored.stored_key, message.as_bytes());
    let proof = BASE64.decode(proof).ok()?;
    if proof.len() != signature.len() {
        return None;
    }
    let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    let known: bool = hash.digest(&client_key).ct_eq(&stored.stored_key).into();
    known.then(|| {
        let verifier = hash.hmac(&stored.server_key, message.as_bytes());
        format!("v={}", BASE64.encode(verifier)).into_bytes()
    })
}

/// `=2C` and `=3D` stand for comma and equals sign; anything else after `=` is an error.
fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        if let Some(rest) = part.strip_prefix("2C") {
            out.push(',');
            out.push_str(rest);
        } else {
            out.push('=');
            out.push_str(part.strip_prefix("3D")?);
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SaslConfig, SaslUser};

    fn realm(name: &str, password: &str) -> Arc<Realm> {
        Arc::new(Realm::new(SaslConfig {
            mechanisms: Vec::new(),
            users: vec![SaslUser {
                name: name.to_owned(),
                password: password.to_owned(),
            }],
        }))
    }

    /// The client's side: its last message and the signature it expects.
    fn client(hash: Hash, password: &str, bare: &str, server_first: &str) -> (String, String) {
        let field = |key: &str| {
            server_first
                .split(',')
                .find_map(|f| f.strip_prefix(key))
                .unwrap()
        };
        let salted = hash.salted(password.as_bytes(), &BASE64.decode(field("s=")).unwrap());
        let client_key = hash.hmac(&salted, b"Client Key");
        let last = format!("c=biws,r={}", field("r="));
        let message = format!("{bare},{server_first},{last}");
        let signature = hash.hmac(&hash.digest(&client_key), message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let server = hash.hmac(&hash.hmac(&salted, b"Server Key"), message.as_bytes());
        (
            format!("{last},p={}", BASE64.encode(proof)),
            format!("v={}", BASE64.encode(server)),
        )
    }

    fn exchange(
        hash: Hash,
        realm: Arc<Realm>,
        escaped: &str,
        password: &str,
    ) -> Result<(Step, String), SaslError> {
        let mut server = Scram::new(realm, hash);
        let bare = format!("n={escaped},r=abc");
        let Step::Continue(first) = server.step(format!("n,,{bare}").as_bytes())? else {
            panic!("done after the first message");
        };
        let (last, signature) = client(hash, password, &bare, std::str::from_utf8(&first).unwrap());
        server.step(last.as_bytes()).map(|step| (step, signature))
    }

    #[test]
    fn the_right_password_lets_in_and_the_server_proves_itself() {
        for hash in [Hash::Sha256, Hash::Sha512] {
            let (step, signature) =
                exchange(hash, realm("alice", "secret"), "alice", "secret").unwrap();
            let expected = Step::Done {
                token: signature.into_bytes(),
                principal: "alice".to_owned(),
            };
            assert_eq!(step, expected);
        }
    }

    #[test]
    fn a_wrong_password_or_name_is_refused_alike() {
        let refused = SaslError::InvalidCredentials("SCRAM-SHA-256");
        for (name, password) in [("alice", "wrong"), ("bob", "secret")] {
            let got = exchange(Hash::Sha256, realm("alice", "secret"), name, password);
            assert_eq!(got.unwrap_err(), refused);
        }
    }

    #[test]
    fn names_may_hold_commas_and_equals_signs() {
        let got = exchange(
            Hash::Sha256,
            realm("a,b=c", "secret"),
            "a=2Cb=3Dc",
            "secret",
        );
        assert!(matches!(got.unwrap().0, Step::Done { principal, .. } if principal == "a,b=c"));
        assert_eq!(unescaped("a=2"), None);
    }

    #[test]
    fn a_client_that_repeats_its_nonce_is_refused_as_by_kafka() {
        let hash = Hash::Sha256;
        let mut server = Scram::new(realm("alice", "secret"), hash);
        let Ok(Step::Continue(first)) = server.step(b"n,,n=alice,r=abc") else {
            panic!("no first message");
        };
        let first = String::from_utf8(first).unwrap();
        let nonce = first.split(',').next().unwrap().strip_prefix("r=").unwrap();
        let salt = BASE64
            .decode(
                first
                    .split(",s=")
                    .nth(1)
                    .unwrap()
                    .split(',')
                    .next()
                    .unwrap(),
            )
            .unwrap();
        let client_key = hash.hmac(&hash.salted(b"secret", &salt), b"Client Key");
        let last = format!("c=biws,r=abc{nonce}");
        let message = format!("n=alice,r=abc,{first},{last}");
        let signature = hash.hmac(&hash.digest(&client_key), message.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature)
            .map(|(a, b)| a ^ b)
            .collect();
        let last = format!("{last},p={}", BASE64.encode(proof));
        assert!(server.step(last.as_bytes()).is_err());
    }

    #[test]
    fn a_proof_is_good_for_its_own_nonce_only() {
        let realm = realm("alice", "secret");
        let mut server = Scram::new(realm, Hash::Sha256);
        let Ok(Step::Continue(first)) = server.step(b"n,,n=alice,r=abc") else {
            panic!("no first message");
        };
        let first = String::from_utf8(first).unwrap().replace("r=abc", "r=abd");
        let (last, _) = client(Hash::Sha256, "secret", "n=alice,r=abc", &first);
        assert!(server.step(last.as_bytes()).is_err());
        // And the conversation is over.
        assert!(server.step(last.as_bytes()).is_err());
    }
}
