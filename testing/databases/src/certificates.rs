//! An authority of our own and a server's certificate for `localhost` and 127.0.0.1.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::server::{folder, give};

/// Certificates in a folder of their own, which goes with this value.
pub struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    /// Makes them, readable by the user that the server runs as (`postgres`, `mysql`).
    ///
    /// # Panics
    /// When they cannot be made or written.
    #[must_use]
    pub fn new(user: &str) -> Self {
        let dir = folder(user);
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(authority, authority_key);
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let made = Self { dir };
        let texts = [
            (made.authority(), authority_certificate.pem()),
            (made.certificate(), certificate.pem()),
            (made.key(), key.serialize_pem()),
        ];
        for (path, text) in texts {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            give(&path, user);
        }
        made
    }

    fn at(&self, name: &str) -> PathBuf {
        Path::new(self.dir.path()).join(name)
    }

    /// The certificate of the authority (PEM).
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.at("authority.pem")
    }

    /// The certificate of the server (PEM).
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.at("server.pem")
    }

    /// The key of the server (PEM).
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.at("server.key")
    }
}
