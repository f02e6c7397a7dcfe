//! Seals all secrets of an installation under the current master key, while nodes run.

use crate::ids::BotId;
use crate::model::{BotRow, SealedToken};
use crate::ports::{Bots, StoreError};
use crate::vault::{SecretContext, Vault, VaultError};

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets that there are.
    pub secrets: u64,
    /// Those of them that were not under the current key.
    pub renewed: u64,
}

/// Why secrets are left that are not under the current key.
#[derive(Debug, thiserror::Error)]
pub enum ResealError {
    /// The catalog is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret was sealed under neither key.
    #[error("a secret of the bot {0} opens with neither master key")]
    Unopenable(BotId),
}

/// Seals every secret anew that is not under the current key of `vault`. Can be repeated; a bot that changes meanwhile is
/// read again.
pub async fn reseal(bots: &dyn Bots, vault: &Vault) -> Result<Resealed, ResealError> {
    let (mut done, mut after) = (Resealed::default(), None);
    loop {
        let some = bots.sealed_bots(after.as_ref()).await?;
        let Some(last) = some.last() else {
            return Ok(done);
        };
        after = Some(last.id.clone());
        for bot in some {
            one(bots, vault, bot, &mut done).await?;
        }
    }
}

async fn one(
    bots: &dyn Bots,
    vault: &Vault,
    mut bot: BotRow,
    done: &mut Resealed,
) -> Result<(), ResealError> {
    loop {
        let renewed = |sealed: &Option<SealedToken>, context: SecretContext<'_>| {
            let sealed = sealed.as_ref().map(|sealed| vault.renewed(&sealed.0, &context));
            sealed.transpose().map(Option::flatten)
        };
        let (token, secret) = renewed(&bot.token, bot.token_context())
            .and_then(|token| Ok((token, renewed(&bot.webhook_secret, bot.webhook_context())?)))
            .map_err(|_: VaultError| ResealError::Unopenable(bot.id.clone()))?;
        let there = u64::from(bot.token.is_some()) + u64::from(bot.webhook_secret.is_some());
        let new = u64::from(token.is_some()) + u64::from(secret.is_some());
        let token = token.map(SealedToken).or_else(|| bot.token.clone());
        let secret = secret.map(SealedToken).or_else(|| bot.webhook_secret.clone());
        if new == 0 || bots.reseal(&bot, token.as_ref(), secret.as_ref()).await? {
            done.secrets += there;
            done.renewed += new;
            return Ok(());
        }
        let Some(again) = bots.bot(&bot.id).await? else {
            return Ok(());
        };
        bot = again;
    }
}
