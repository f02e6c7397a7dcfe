//! Seals secrets at rest: XChaCha20-Poly1305 with the context of the secret as associated data, so that a sealed value
//! copied to another bot or another purpose does not open.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// First byte of every sealed value; another one is another format.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Why a secret could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The master key is not base64 of 32 bytes.
    #[error("the master key must be 32 bytes in base64")]
    BadKey,
    /// Wrong key, other context, or changed bytes. Deliberately not told apart.
    #[error("the secret cannot be opened with this master key")]
    Unopenable,
}

/// Holder of the master key (`BOTLOOM_MASTER_KEY`).
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// A vault under a master key of 32 bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    /// Reads the key from base64.
    pub fn from_base64(text: &str) -> Result<Self, VaultError> {
        let key = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| VaultError::BadKey)?);
        let key: &[u8; 32] = key.as_slice().try_into().map_err(|_| VaultError::BadKey)?;
        Ok(Self::new(key))
    }

    /// A new random master key, in base64.
    pub fn generate_key() -> Secret {
        let key = Zeroizing::new(rand::random::<[u8; 32]>());
        Secret::new(STANDARD.encode(key.as_slice()))
    }

    /// Seals `secret`. `context` says what it is and whose (`bot-token:pizza-demo`); opening needs the same.
    pub fn seal(&self, secret: &Secret, context: &str) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: context.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a secret is far below the cipher's limit of 256 GiB");
        [&[VERSION][..], &nonce, &sealed].concat()
    }

    /// Opens what [`Vault::seal`] made under the same key and context.
    pub fn open(&self, sealed: &[u8], context: &str) -> Result<Secret, VaultError> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(VaultError::Unopenable)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE>().ok_or(VaultError::Unopenable)?;
        let payload = Payload {
            msg: text,
            aad: context.as_bytes(),
        };
        let plain = self
            .cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| VaultError::Unopenable)?;
        String::from_utf8(plain)
            .map(Secret::from)
            .map_err(|_| VaultError::Unopenable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_only_with_its_key_its_context_and_its_bytes() {
        let vault = Vault::from_base64(Vault::generate_key().expose()).unwrap();
        let other = Vault::from_base64(Vault::generate_key().expose()).unwrap();
        let token = Secret::new("7100000001:AA-token");
        let sealed = vault.seal(&token, "bot-token:a-bot");
        assert_eq!(vault.open(&sealed, "bot-token:a-bot"), Ok(token));
        assert_eq!(
            vault.open(&sealed, "bot-token:b-bot"),
            Err(VaultError::Unopenable)
        );
        assert_eq!(
            other.open(&sealed, "bot-token:a-bot"),
            Err(VaultError::Unopenable)
        );
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                vault.open(&changed, "bot-token:a-bot"),
                Err(VaultError::Unopenable),
                "bit {bit}"
            );
        }
        assert!(!sealed.windows(5).any(|window| window == b"token"));
    }

    #[test]
    fn refuses_keys_of_another_length() {
        assert_eq!(Vault::from_base64("AAAA").err(), Some(VaultError::BadKey));
        assert_eq!(Vault::from_base64("not base64!").err(), Some(VaultError::BadKey));
    }
}
