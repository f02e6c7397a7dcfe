//! Seals all secrets of an installation under the current master key, while nodes run.

use crate::ids::BotId;
use crate::model::{BotRow, SealedToken};
use crate::ports::{Bots, StoreError, StoreResult};
use crate::vault::{SecretContext, Vault};

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
    /// Secrets of these bots were sealed under neither key. All others are under the current one.
    #[error("secrets of these bots open with neither master key: {}", names(.0))]
    Unopenable(Vec<BotId>),
}

fn names(bots: &[BotId]) -> String {
    let names: Vec<&str> = bots.iter().map(BotId::as_str).collect();
    names.join(", ")
}

/// Seals every secret anew that is not under the current key of `vault`, until a pass over all bots finds none: nodes may
/// have sealed some under the other key meanwhile. Can be repeated.
pub async fn reseal(bots: &dyn Bots, vault: &Vault) -> Result<Resealed, ResealError> {
    let mut renewed = 0;
    loop {
        let pass = pass(bots, vault).await?;
        renewed += pass.renewed;
        if pass.renewed == 0 {
            return Ok(Resealed {
                renewed,
                secrets: pass.secrets,
            });
        }
    }
}

async fn pass(bots: &dyn Bots, vault: &Vault) -> Result<Resealed, ResealError> {
    let (mut done, mut unopenable, mut after) = (Resealed::default(), Vec::new(), None);
    loop {
        let some = bots.sealed_bots(after.as_ref()).await?;
        let Some(last) = some.last() else { break };
        after = Some(last.id.clone());
        for bot in some {
            let id = bot.id.clone();
            if !one(bots, vault, bot, &mut done).await? {
                unopenable.push(id);
            }
        }
    }
    if unopenable.is_empty() {
        Ok(done)
    } else {
        Err(ResealError::Unopenable(unopenable))
    }
}

/// Answers whether its secrets could be opened. A bot that changes meanwhile is read again.
async fn one(bots: &dyn Bots, vault: &Vault, mut bot: BotRow, done: &mut Resealed) -> StoreResult<bool> {
    loop {
        let renewed = |sealed: &Option<SealedToken>, context: SecretContext<'_>| {
            let sealed = sealed.as_ref().map(|sealed| vault.renewed(&sealed.0, &context));
            sealed.transpose().map(Option::flatten)
        };
        let both = renewed(&bot.token, bot.token_context())
            .and_then(|token| Ok((token, renewed(&bot.webhook_secret, bot.webhook_context())?)));
        let Ok((token, secret)) = both else {
            return Ok(false);
        };
        let there = u64::from(bot.token.is_some()) + u64::from(bot.webhook_secret.is_some());
        let new = u64::from(token.is_some()) + u64::from(secret.is_some());
        let token = token.map(SealedToken).or_else(|| bot.token.clone());
        let secret = secret.map(SealedToken).or_else(|| bot.webhook_secret.clone());
        if new == 0 || bots.reseal(&bot, token.as_ref(), secret.as_ref()).await? {
            done.secrets += there;
            done.renewed += new;
            return Ok(true);
        }
        let Some(again) = bots.bot(&bot.id).await? else {
            return Ok(true);
        };
        bot = again;
    }
}
