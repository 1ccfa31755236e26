//! Signatures of internal requests (KIP-507, spec 6.2): a MAC over the exact bytes of the body, compared in
//! constant time.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use http::HeaderMap;
use milena_config::worker::MAC_ALGORITHMS;
use milena_rest_model::{HerderError, SignatureCheck};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::{call::Call, error::RestError};

/// The header with the signature.
pub(crate) const SIGNATURE: &str = "X-Connect-Authorization";
/// The header with the algorithm.
pub(crate) const ALGORITHM: &str = "X-Connect-Request-Signature-Algorithm";

/// A request that cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Algorithm {algorithm} not available")]
pub struct SignError {
    /// The algorithm that is not known.
    pub algorithm: String,
}

/// The MAC of a body under a key.
///
/// # Errors
/// The algorithm is not known here.
pub fn sign(algorithm: &str, key: &[u8], body: &[u8]) -> Result<Vec<u8>, SignError> {
    let unknown = || SignError {
        algorithm: algorithm.to_owned(),
    };
    macro_rules! mac {
        ($hash:ty) => {{
            let mut mac = <Hmac<$hash> as Mac>::new_from_slice(key).map_err(|_| unknown())?;
            mac.update(body);
            Ok(mac.finalize().into_bytes().to_vec())
        }};
    }
    match algorithm.to_ascii_lowercase().as_str() {
        "hmacsha256" => mac!(Sha256),
        "hmacsha384" => mac!(Sha384),
        "hmacsha512" => mac!(Sha512),
        _ => Err(unknown()),
    }
}

/// Refuses an internal request that is not signed as this cluster signs.
pub(crate) async fn check(call: &Call) -> Result<(), RestError> {
    let header = |name: &str| text(&call.headers, name);
    let (signature, algorithm) = (header(SIGNATURE), header(ALGORITHM));
    if let Some(algorithm) = algorithm
        && !MAC_ALGORITHMS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(algorithm))
    {
        return Err(RestError::bad_request(format!(
            "Algorithm {algorithm} not available"
        )));
    }
    let signature = match signature.filter(|_| algorithm.is_some()) {
        Some(text) => Some(
            STANDARD
                .decode(text)
                .map_err(|_| RestError::bad_request(not_base64(text)))?,
        ),
        None => None,
    };
    let key = match call.herder_says(call.herder().signature_check()).await? {
        SignatureCheck::NotNeeded => return Ok(()),
        SignatureCheck::NoKey => None,
        SignatureCheck::Key(key) => Some(key),
    };
    let (Some(signature), Some(algorithm)) = (signature, algorithm) else {
        return Err(RestError::bad_request(
            "Internal request missing required signature",
        ));
    };
    let allowed = &call.shared.settings.verification_algorithms;
    if !allowed.iter().any(|one| one == algorithm) {
        return Err(RestError::bad_request(format!(
            "This worker does not support the '{algorithm}' key signing algorithm used by other workers. This worker \
             is currently configured to use: [{}]. Check that all workers' configuration files permit the same set of \
             signature algorithms, and correct any misconfigured worker and restart it.",
            allowed.join(", ")
        )));
    }
    let Some(key) = key else {
        return Err(RestError::of(
            503,
            "This worker is still starting up and has not been able to read a session key from the config topic yet",
        ));
    };
    let expected = sign(algorithm, key.reveal(), &call.body)
        .map_err(|error| RestError::from(HerderError::BadRequest(error.to_string())))?;
    match bool::from(expected.ct_eq(&signature)) {
        true => Ok(()),
        false => Err(RestError::of(
            403,
            "Internal request contained invalid signature.",
        )),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Java's words about text that is no Base64: the first character that is none, in hexadecimal.
pub(crate) fn not_base64(text: &str) -> String {
    let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    match text.bytes().find(|byte| !is_known(byte)) {
        Some(byte) => format!("Illegal base64 character {byte:x}"),
        None => "Input byte array has wrong 4-byte ending unit".to_owned(),
    }
}
