//! One bot, with its secrets open.

use std::fmt;

use botloom_core::ids::{BotId, Epoch, ProjectId};
use botloom_core::model::{BotRow, IngressMode, SealedToken};
use botloom_core::ports::{ActiveRevision, BotMark};
use botloom_core::vault::{SecretContext, Vault};
use botloom_telegram::Token;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A bot as the runtime needs it.
pub(crate) struct LiveBot {
    pub(crate) id: BotId,
    pub(crate) project: ProjectId,
    /// Name at Telegram, without `@`.
    pub(crate) username: Option<String>,
    /// Absent before it has one, and when it cannot be opened with this master key.
    pub(crate) token: Option<Token>,
    pub(crate) ingress: Option<IngressMode>,
    pub(crate) suspended: bool,
    /// Whether its updates wait.
    pub(crate) paused: bool,
    /// What the catalog says is live.
    pub(crate) revision: Option<ActiveRevision>,
    /// The secret itself is not kept: digests compare in constant time whatever the lengths.
    secret: Option<[u8; 32]>,
    pub(super) version: i64,
    /// Of the activation; it outlives the revision.
    epoch: Epoch,
}

impl fmt::Debug for LiveBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveBot")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl LiveBot {
    pub(super) fn open(row: &BotRow, vault: &Vault) -> Self {
        let open = |sealed: &SealedToken, context: &SecretContext<'_>| {
            vault
                .open(&sealed.0, context)
                .inspect_err(|error| tracing::error!(bot = %row.id, error = %error, "a secret of the bot cannot be opened"))
                .ok()
        };
        let token = row
            .token
            .as_ref()
            .and_then(|sealed| open(sealed, &row.token_context()));
        let secret = row
            .webhook_secret
            .as_ref()
            .and_then(|sealed| open(sealed, &row.webhook_context()));
        Self {
            id: row.id.clone(),
            project: row.project,
            username: row.identity.as_ref().map(|identity| identity.username.clone()),
            token: token.and_then(|token| Token::new(token.expose()).ok()),
            ingress: row.ingress,
            suspended: row.suspended.is_some(),
            paused: row.paused_at.is_some(),
            revision: row.active_rev.map(|rev| ActiveRevision {
                epoch: row.epoch,
                rev,
            }),
            secret: secret.map(|secret| Sha256::digest(secret.expose()).into()),
            version: row.version,
            epoch: row.epoch,
        }
    }

    pub(super) fn is_as_in(&self, row: &BotRow) -> bool {
        self.version == row.version && self.epoch == row.epoch
    }

    /// Whether the row of this state is known.
    pub(super) fn is_of(&self, mark: &BotMark) -> bool {
        self.version == mark.version && self.epoch == mark.epoch
    }

    /// Whether the row is of before.
    pub(super) fn is_newer_than(&self, row: &BotRow) -> bool {
        self.version > row.version || self.epoch > row.epoch
    }

    /// Whether this is the webhook's secret. Takes as long for any wrong one.
    pub(crate) fn is_secret(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        self.secret.is_some_and(|secret| secret.ct_eq(&given).into())
    }

    /// Whether both rows hold the same token.
    pub(crate) fn has_token_of(&self, other: &Self) -> bool {
        self.token.as_ref().map(Token::expose) == other.token.as_ref().map(Token::expose)
    }

    /// Whether updates are to be asked for.
    pub(crate) fn is_polled(&self) -> bool {
        self.ingress == Some(IngressMode::Polling) && self.sending_token().is_some()
    }

    /// The token, while messages can be sent with it.
    pub(crate) fn sending_token(&self) -> Option<&Token> {
        self.token.as_ref().filter(|_| !self.suspended)
    }
}
