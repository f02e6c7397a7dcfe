//! Who may vouch for the certificate of the provider.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// Certificate authorities that are believed beside the public ones.
#[derive(Clone)]
pub struct Authorities(Arc<RootCertStore>);

/// Why a file names no authorities. Texts follow the file's name.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAuthorities {
    /// It begins like PEM and does not go on so.
    #[error("is no proper PEM: {0}")]
    Malformed(pem::Error),
    /// There is no section `CERTIFICATE` in it.
    #[error("holds no certificate in PEM")]
    Empty,
    /// A certificate in it is none.
    #[error("holds a certificate that cannot be read: {0}")]
    Unusable(rustls::Error),
}

impl Authorities {
    /// The public authorities alone.
    pub fn public() -> Self {
        Self(RootCertStore::empty().into())
    }

    /// Those of a PEM file as well; sections that are no certificates are passed over.
    ///
    /// # Errors
    ///
    /// There is no certificate in it, or one that cannot be read.
    pub fn with_pem(pem: &[u8]) -> Result<Self, InvalidAuthorities> {
        let mut more = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(InvalidAuthorities::Malformed)?;
            more.add(certificate).map_err(InvalidAuthorities::Unusable)?;
        }
        if more.is_empty() {
            return Err(InvalidAuthorities::Empty);
        }
        Ok(Self(more.into()))
    }

    /// How connections to a provider are protected whose certificate one of these vouches for.
    pub(super) fn tls(&self) -> ClientConfig {
        let mut roots = RootCertStore::clone(&self.0);
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("ring offers the default protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({} beside the public ones)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (pem, reason) in [
            ("", "no certificate"),
            ("a note", "no certificate"),
            (key, "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "no proper PEM"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "cannot be read",
            ),
        ] {
            let refused = Authorities::with_pem(pem.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains(reason), "{pem}: {refused}");
        }
    }
}
