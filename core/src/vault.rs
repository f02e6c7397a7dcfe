//! Seals secrets at rest with envelope encryption: every secret has a data key of its own, and the data key is sealed
//! with the master key. Both layers are XChaCha20-Poly1305 with purpose, project and bot of the secret as associated
//! data, so that a sealed value copied to another bot or another purpose does not open.
//!
//! A new master key therefore costs one small piece per secret, and nodes that know both keys read old and new values
//! alike while the pieces are sealed anew.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::hash::Sha256Hash;
use crate::ids::{BotId, ProjectId};
use crate::secret::Secret;

/// First byte of every sealed value; another one is another format.
const VERSION: u8 = 2;
/// Values of the first format are sealed with the master key itself, and their context does not name the project.
const WITHOUT_DATA_KEY: u8 = 1;
const NONCE: usize = 24;
const KEY: usize = 32;
const TAG: usize = 16;
/// A sealed data key.
const SEALED_KEY: usize = NONCE + KEY + TAG;
const KEY_ID: usize = 8;

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

/// What a secret is, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretContext<'a> {
    /// A secret of a bot.
    Bot {
        /// `bot-token`, `webhook-secret`.
        purpose: &'static str,
        /// Project of the bot.
        project: ProjectId,
        /// The bot.
        bot: &'a BotId,
    },
    /// A secret of the installation, by its purpose.
    Installation(&'static str),
}

impl SecretContext<'_> {
    fn of_value(&self) -> String {
        match self {
            Self::Bot {
                purpose,
                project,
                bot,
            } => format!("{purpose}:{project}:{bot}"),
            Self::Installation(purpose) => (*purpose).to_owned(),
        }
    }

    fn of_data_key(&self) -> String {
        format!("data-key:{}", self.of_value())
    }

    fn of_first_format(&self) -> String {
        match self {
            Self::Bot { purpose, bot, .. } => format!("{purpose}:{bot}"),
            Self::Installation(purpose) => (*purpose).to_owned(),
        }
    }
}

/// A master key and the name under which sealed values know it.
#[derive(Clone)]
struct MasterKey {
    id: [u8; KEY_ID],
    cipher: XChaCha20Poly1305,
}

impl MasterKey {
    fn new(key: &[u8; KEY]) -> Self {
        let digest = Sha256Hash::of([&b"botloom master key"[..], key].concat());
        Self {
            id: *digest.0.first_chunk().expect("a digest is longer"),
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }
}

/// Holder of the master key (`BOTLOOM_MASTER_KEY`), and of the one before it while secrets are sealed anew.
#[derive(Clone)]
pub struct Vault {
    current: MasterKey,
    previous: Option<MasterKey>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(***)")
    }
}

impl Vault {
    /// A vault under a master key of 32 bytes.
    pub fn new(key: &[u8; KEY]) -> Self {
        Self {
            current: MasterKey::new(key),
            previous: None,
        }
    }

    /// Reads the key from base64.
    pub fn from_base64(text: &str) -> Result<Self, VaultError> {
        Ok(Self::new(&*decoded(text)?))
    }

    /// The same vault, which also opens what was sealed under an earlier key, in base64.
    pub fn with_previous(mut self, text: &str) -> Result<Self, VaultError> {
        self.previous = Some(MasterKey::new(&*decoded(text)?));
        Ok(self)
    }

    /// A new random master key, in base64.
    pub fn generate_key() -> Secret {
        let key = Zeroizing::new(rand::random::<[u8; KEY]>());
        Secret::new(STANDARD.encode(key.as_slice()))
    }

    /// Seals `secret`; opening needs the same context.
    pub fn seal(&self, secret: &Secret, context: &SecretContext<'_>) -> Vec<u8> {
        let key = Zeroizing::new(rand::random::<[u8; KEY]>());
        let value = sealed(
            &XChaCha20Poly1305::new((&*key).into()),
            secret.expose().as_bytes(),
            &context.of_value(),
        );
        self.envelope(&key, &value, context)
    }

    fn envelope(&self, key: &[u8; KEY], value: &[u8], context: &SecretContext<'_>) -> Vec<u8> {
        let sealed_key = sealed(&self.current.cipher, key, &context.of_data_key());
        [&[VERSION][..], &self.current.id, &sealed_key, value].concat()
    }

    /// Opens what [`Vault::seal`] made under one of the keys and the same context.
    pub fn open(&self, sealed: &[u8], context: &SecretContext<'_>) -> Result<Secret, VaultError> {
        let (format, rest) = sealed.split_first().ok_or(VaultError::Unopenable)?;
        let plain = match *format {
            VERSION => {
                let (_, key, value) = self.data_key(rest, context)?;
                opened(
                    &XChaCha20Poly1305::new((&*key).into()),
                    value,
                    &context.of_value(),
                )?
            }
            WITHOUT_DATA_KEY => self
                .keys()
                .find_map(|key| opened(&key.cipher, rest, &context.of_first_format()).ok())
                .ok_or(VaultError::Unopenable)?,
            _ => return Err(VaultError::Unopenable),
        };
        String::from_utf8(plain.to_vec())
            .map(Secret::from)
            .map_err(|_| VaultError::Unopenable)
    }

    /// The same secret under the current master key; `None` where it is already. The secret itself is not touched, unless it
    /// has the first format.
    pub fn renewed(&self, sealed: &[u8], context: &SecretContext<'_>) -> Result<Option<Vec<u8>>, VaultError> {
        match sealed.split_first() {
            Some((&VERSION, rest)) => {
                let (id, key, value) = self.data_key(rest, context)?;
                Ok((id != self.current.id).then(|| self.envelope(&key, value, context)))
            }
            _ => Ok(Some(self.seal(&self.open(sealed, context)?, context))),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Name of the master key, data key, and sealed value.
    fn data_key<'a>(&self, rest: &'a [u8], context: &SecretContext<'_>) -> Result<DataKey<'a>, VaultError> {
        let (id, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(VaultError::Unopenable)?;
        let (sealed_key, value) = rest
            .split_first_chunk::<SEALED_KEY>()
            .ok_or(VaultError::Unopenable)?;
        let master = self
            .keys()
            .find(|key| key.id == *id)
            .ok_or(VaultError::Unopenable)?;
        let plain = opened(&master.cipher, sealed_key, &context.of_data_key())?;
        let key: [u8; KEY] = plain.as_slice().try_into().map_err(|_| VaultError::Unopenable)?;
        Ok((*id, Zeroizing::new(key), value))
    }
}

type DataKey<'a> = ([u8; KEY_ID], Zeroizing<[u8; KEY]>, &'a [u8]);

fn decoded(text: &str) -> Result<Zeroizing<[u8; KEY]>, VaultError> {
    let key = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| VaultError::BadKey)?);
    let key: [u8; KEY] = key.as_slice().try_into().map_err(|_| VaultError::BadKey)?;
    Ok(Zeroizing::new(key))
}

fn sealed(cipher: &XChaCha20Poly1305, plain: &[u8], context: &str) -> Vec<u8> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload {
        msg: plain,
        aad: context.as_bytes(),
    };
    let text = cipher
        .encrypt(&XNonce::from(nonce), payload)
        .expect("a secret is far below the cipher's limit of 256 GiB");
    [&nonce[..], &text].concat()
}

fn opened(
    cipher: &XChaCha20Poly1305,
    sealed: &[u8],
    context: &str,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (nonce, text) = sealed
        .split_first_chunk::<NONCE>()
        .ok_or(VaultError::Unopenable)?;
    let payload = Payload {
        msg: text,
        aad: context.as_bytes(),
    };
    cipher
        .decrypt(&XNonce::from(*nonce), payload)
        .map(Zeroizing::new)
        .map_err(|_| VaultError::Unopenable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: ProjectId = ProjectId(uuid::Uuid::from_u128(1));
    const OTHER_PROJECT: ProjectId = ProjectId(uuid::Uuid::from_u128(2));

    fn vault() -> (Vault, Secret) {
        let key = Vault::generate_key();
        (Vault::from_base64(key.expose()).unwrap(), key)
    }

    fn of(bot: &BotId) -> SecretContext<'_> {
        of_project("bot-token", PROJECT, bot)
    }

    fn of_project<'a>(purpose: &'static str, project: ProjectId, bot: &'a BotId) -> SecretContext<'a> {
        SecretContext::Bot {
            purpose,
            project,
            bot,
        }
    }

    #[test]
    fn opens_only_with_its_key_its_context_and_its_bytes() {
        let ((vault, _), (stranger, _)) = (vault(), vault());
        let (bot, other) = (BotId::new("a-bot").unwrap(), BotId::new("b-bot").unwrap());
        let token = Secret::new("7100000001:AA-token");
        let sealed = vault.seal(&token, &of(&bot));
        assert_eq!(vault.open(&sealed, &of(&bot)), Ok(token));
        let wrong = [
            of(&other),
            of_project("webhook-secret", PROJECT, &bot),
            of_project("bot-token", OTHER_PROJECT, &bot),
            SecretContext::Installation("bot-token"),
        ];
        for context in wrong {
            assert_eq!(vault.open(&sealed, &context), Err(VaultError::Unopenable));
            assert_eq!(vault.renewed(&sealed, &context), Err(VaultError::Unopenable));
        }
        assert_eq!(stranger.open(&sealed, &of(&bot)), Err(VaultError::Unopenable));
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                vault.open(&changed, &of(&bot)),
                Err(VaultError::Unopenable),
                "bit {bit}"
            );
        }
        for length in 0..sealed.len() {
            assert_eq!(
                vault.open(&sealed[..length], &of(&bot)),
                Err(VaultError::Unopenable)
            );
        }
        assert!(!sealed.windows(5).any(|window| window == b"token"));
    }

    #[test]
    fn a_new_master_key_takes_over_without_the_secret_being_sealed_anew() {
        let (old, old_key) = vault();
        let (alone, new_key) = vault();
        let bot = BotId::new("a-bot").unwrap();
        let token = Secret::new("7100000001:AA-token");
        let before = old.seal(&token, &of(&bot));
        let both = Vault::from_base64(new_key.expose()).unwrap();
        let both = both.with_previous(old_key.expose()).unwrap();
        assert_eq!(both.open(&before, &of(&bot)).as_ref(), Ok(&token));
        let after = both.renewed(&before, &of(&bot)).unwrap().unwrap();
        assert_eq!(
            both.renewed(&after, &of(&bot)),
            Ok(None),
            "it is under the new key"
        );
        assert_eq!(alone.open(&after, &of(&bot)).as_ref(), Ok(&token));
        assert_eq!(old.open(&after, &of(&bot)), Err(VaultError::Unopenable));
        let value = 1 + KEY_ID + SEALED_KEY;
        assert_eq!(before[value..], after[value..]);
        assert_eq!(alone.renewed(&before, &of(&bot)), Err(VaultError::Unopenable));
    }

    #[test]
    fn the_first_format_still_opens_and_is_renewed() {
        let (vault, _) = vault();
        let bot = BotId::new("a-bot").unwrap();
        let token = Secret::new("7100000001:AA-token");
        let first = sealed(
            &vault.current.cipher,
            token.expose().as_bytes(),
            "bot-token:a-bot",
        );
        let first = [&[WITHOUT_DATA_KEY][..], &first].concat();
        assert_eq!(vault.open(&first, &of(&bot)).as_ref(), Ok(&token));
        let renewed = vault.renewed(&first, &of(&bot)).unwrap().unwrap();
        assert_eq!(renewed[0], VERSION);
        assert_eq!(vault.open(&renewed, &of(&bot)), Ok(token));
    }

    #[test]
    fn refuses_keys_of_another_length() {
        assert_eq!(Vault::from_base64("AAAA").err(), Some(VaultError::BadKey));
        assert_eq!(Vault::from_base64("not base64!").err(), Some(VaultError::BadKey));
    }
}
