//! Password hashes: argon2id, a bounded number at a time, off the threads that serve requests.

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use botloom_core::secret::Secret;

use crate::heavy::{Heavy, Unfinished};
use crate::options::{InvalidOptions, PasswordCost};

/// Hashes and verifies.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon: Argon2<'static>,
    places: Heavy,
    /// Hash of a password that nobody knows: verified where there is no account, so that both cases cost the same.
    nobody: Arc<str>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("places", &self.places)
            .finish_non_exhaustive()
    }
}

/// The hash could not be computed.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed")]
pub(crate) struct HashingFailed;

impl From<Unfinished> for HashingFailed {
    fn from(_: Unfinished) -> Self {
        Self
    }
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost, at_a_time: usize) -> Result<Self, InvalidOptions> {
        let params = Params::new(cost.memory_kib, cost.iterations, 1, None)
            .map_err(|_| InvalidOptions("argon2 does not take this password cost"))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let unknown: [u8; 32] = rand::random();
        let nobody = argon
            .hash_password(&unknown)
            .map_err(|_| InvalidOptions("argon2 cannot hash"))?;
        let nobody = nobody.to_string().into();
        Ok(Self {
            argon,
            places: Heavy::new(at_a_time),
            nobody,
        })
    }

    /// The hash to store, in PHC string format.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String, HashingFailed> {
        let (argon, password) = (self.argon.clone(), password.clone());
        let work = move || {
            let hash = argon.hash_password(password.expose().as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|_| HashingFailed)
        };
        self.places.run(work).await?
    }

    /// Whether the password belongs to the hash. `None` stands for an account that does not exist: never, after the
    /// same work.
    pub(crate) async fn verify(
        &self,
        password: &Secret,
        stored: Option<&str>,
    ) -> Result<bool, HashingFailed> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).to_owned();
        let (argon, password) = (self.argon.clone(), password.clone());
        let work = move || {
            let stored = PasswordHash::new(&stored).map_err(|_| HashingFailed)?;
            let verified = argon.verify_password(password.expose().as_bytes(), &stored);
            Ok::<_, HashingFailed>(verified.is_ok())
        };
        let fits = self.places.run(work).await??;
        Ok(fits && exists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_an_account_that_exists() {
        let passwords = Passwords::new(
            PasswordCost {
                memory_kib: 64,
                iterations: 1,
            },
            2,
        )
        .unwrap();
        let right = Secret::new("correct horse");
        let stored = passwords.hash(&right).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert!(passwords.verify(&right, Some(&stored)).await.unwrap());
        assert!(
            !passwords
                .verify(&Secret::new("Correct horse"), Some(&stored))
                .await
                .unwrap()
        );
        assert!(!passwords.verify(&right, None).await.unwrap());
    }
}
