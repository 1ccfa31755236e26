//! PLAIN (RFC 4616): `[authorization id] NUL name NUL password`.

use subtle::ConstantTimeEq;

use super::{Realm, SaslError, Step};

pub(super) fn step(realm: &Realm, token: &[u8]) -> Result<Step, SaslError> {
    let refused = || SaslError::InvalidCredentials("PLAIN");
    let token = std::str::from_utf8(token).map_err(|_| refused())?;
    let mut parts = token.split('\0');
    let (Some(authorization), Some(name), Some(password), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refused());
    };
    if name.is_empty() || password.is_empty() {
        return Err(SaslError::InvalidPassword);
    }
    let known = realm.password(name).unwrap_or_default();
    let equal: bool = known.as_bytes().ct_eq(password.as_bytes()).into();
    if !equal {
        return Err(SaslError::InvalidPassword);
    }
    if !authorization.is_empty() && authorization != name {
        return Err(SaslError::OtherAuthorizationId);
    }
    Ok(Step::Done {
        token: Vec::new(),
        principal: name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{SaslConfig, SaslUser};

    fn realm() -> Realm {
        Realm::new(SaslConfig {
            mechanisms: Vec::new(),
            users: vec![SaslUser {
                name: "alice".to_owned(),
                password: "secret".to_owned(),
            }],
        })
    }

    #[test]
    fn the_right_password_lets_in_and_no_other() {
        let done = step(&realm(), b"\0alice\0secret").unwrap();
        assert!(matches!(done, Step::Done { principal, .. } if principal == "alice"));
        for wrong in [
            &b"\0alice\0secre"[..],
            b"\0alice\0secret2",
            b"\0bob\0secret",
            b"\0bob\0",
            b"\0\0",
        ] {
            assert_eq!(step(&realm(), wrong), Err(SaslError::InvalidPassword));
        }
    }

    #[test]
    fn tokens_of_another_form_are_refused() {
        for wrong in [&b""[..], b"alice", b"\0alice", b"a\0b\0c\0d", b"\0\xff\0x"] {
            assert_eq!(
                step(&realm(), wrong),
                Err(SaslError::InvalidCredentials("PLAIN"))
            );
        }
    }

    #[test]
    fn nobody_acts_for_another() {
        let token = b"bob\0alice\0secret";
        assert_eq!(step(&realm(), token), Err(SaslError::OtherAuthorizationId));
        assert!(step(&realm(), b"alice\0alice\0secret").is_ok());
    }
}
