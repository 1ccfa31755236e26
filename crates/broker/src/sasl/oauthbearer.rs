//! OAUTHBEARER (RFC 7628) with unsecured tokens (RFC 7515, `alg` none), as Java's
//! `OAuthBearerUnsecuredValidatorCallbackHandler` takes them. For development: nobody signs them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use super::{SaslError, Step};

const SEPARATOR: char = '\u{1}';

/// One conversation. A refused token is answered with its error, and the client with a lone separator.
#[derive(Default)]
pub(crate) struct OauthBearer {
    refused: bool,
}

impl OauthBearer {
    pub(super) fn step(&mut self, token: &[u8], now_ms: i64) -> Result<Step, SaslError> {
        if self.refused {
            return Err(SaslError::InvalidToken("invalid_token"));
        }
        let message = std::str::from_utf8(token).ok();
        let Some((authorization, token)) = message.and_then(parsed) else {
            return Err(SaslError::InvalidCredentials("OAUTHBEARER"));
        };
        match subject(token, now_ms) {
            Some(name) if authorization.is_empty() || authorization == name => Ok(Step::Done {
                token: Vec::new(),
                principal: name,
            }),
            Some(_) => Err(SaslError::OtherAuthorizationId),
            None => {
                self.refused = true;
                let answer = SaslError::InvalidToken("invalid_token").to_string();
                Ok(Step::Continue(answer.into_bytes()))
            }
        }
    }
}

/// `n,[a=id],^Aauth=Bearer token^A[key=value^A]^A`: the id and the token.
fn parsed(message: &str) -> Option<(&str, &str)> {
    let (header, rest) = message.split_once(SEPARATOR)?;
    let mut header = header.split(',');
    if header.next()? != "n" {
        return None;
    }
    let authorization = header.next()?;
    let authorization = match authorization {
        "" => "",
        id => id.strip_prefix("a=")?,
    };
    let bearer = rest
        .split(SEPARATOR)
        .find_map(|pair| pair.strip_prefix("auth="))?;
    let (scheme, token) = bearer.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some((authorization, token.trim()))
}

/// Whom a token names, when it is unsigned, has not expired and is not from the future.
fn subject(token: &str, now_ms: i64) -> Option<String> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if !signature.is_empty() || parts.next().is_some() {
        return None;
    }
    let part = |text: &str| -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    if part(header)?.get("alg")?.as_str()? != "none" {
        return None;
    }
    let claims = part(claims)?;
    let now = now_ms as f64 / 1000.0;
    if claims.get("exp")?.as_f64()? <= now {
        return None;
    }
    if claims
        .get("iat")
        .is_some_and(|iat| iat.as_f64().is_none_or(|iat| iat > now))
    {
        return None;
    }
    let name = claims.get("sub")?.as_str()?;
    (!name.trim().is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(header: &str, claims: &str) -> Vec<u8> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!(
            "n,,\u{1}auth=Bearer {}.{}.\u{1}\u{1}",
            part(header),
            part(claims)
        )
        .into_bytes()
    }

    #[test]
    fn an_unsecured_token_names_the_client() {
        let token = message(r#"{"alg":"none"}"#, r#"{"sub":"alice","iat":1,"exp":100}"#);
        let step = OauthBearer::default().step(&token, 50_000).unwrap();
        assert!(matches!(step, Step::Done { principal, .. } if principal == "alice"));
    }

    #[test]
    fn an_expired_future_signed_or_nameless_token_is_refused_in_two_steps() {
        for (header, claims) in [
            (r#"{"alg":"none"}"#, r#"{"sub":"alice","exp":50}"#),
            (r#"{"alg":"none"}"#, r#"{"sub":"alice","iat":51,"exp":100}"#),
            (r#"{"alg":"RS256"}"#, r#"{"sub":"alice","exp":100}"#),
            (r#"{"alg":"none"}"#, r#"{"exp":100}"#),
            (r#"{"alg":"none"}"#, "[]"),
        ] {
            let mut conversation = OauthBearer::default();
            let first = conversation.step(&message(header, claims), 50_000).unwrap();
            assert_eq!(
                first,
                Step::Continue(br#"{"status":"invalid_token"}"#.to_vec())
            );
            assert!(conversation.step(b"\x01", 50_000).is_err());
        }
    }

    #[test]
    fn nonsense_is_refused_at_once() {
        for nonsense in [
            &b""[..],
            b"n,,",
            b"p=x,,\x01auth=Bearer a.b.\x01\x01",
            b"\xff",
        ] {
            assert!(OauthBearer::default().step(nonsense, 0).is_err());
        }
    }
}
