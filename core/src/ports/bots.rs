//! Port: bots.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::hash::RevHash;
use crate::ids::{BotId, Epoch, ProjectId};
use crate::model::{BotRow, IngressMode, SealedToken, TelegramIdentity};
use crate::time::TimestampMs;

/// A bot to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBot {
    /// Slug.
    pub id: BotId,
    /// Whose.
    pub project: ProjectId,
    /// For people.
    pub name: String,
    /// When.
    pub created_at: TimestampMs,
}

/// How a bot takes updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Webhook or polling.
    pub ingress: IngressMode,
    /// The webhook's secret, sealed; present for webhooks.
    pub webhook_secret: Option<SealedToken>,
}

/// What became of a token that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenChange {
    /// The bot has it.
    Set,
    /// Another bot that is not deleted has this identity; nothing changed.
    Taken,
    /// The bot has another token than the one that was seen; nothing changed.
    Stale,
    /// The bot takes the updates of another Telegram bot; nothing changed.
    Connected,
}

/// What became of a bot that is to be the staging bot of another, or of none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StagingChange {
    /// It is now.
    Changed,
    /// It was before; nothing changed.
    Unchanged,
    /// The other is no bot of the same project, is this one, or is a staging bot itself, or this one has staging bots;
    /// nothing changed.
    Refused,
}

/// What all rows of bots are like together: it is another after every change of any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BotsMark {
    /// Rows, deleted bots included.
    pub rows: i64,
    /// Their versions, added up.
    pub versions: i64,
    /// Their epochs, added up.
    pub epochs: i64,
}

/// Of which state a bot's row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotMark {
    /// The bot.
    pub id: BotId,
    /// Of the row.
    pub version: i64,
    /// Of the activation.
    pub epoch: Epoch,
}

/// Bots. Every method is one transaction; every change but [`Bots::activate`] and [`Bots::overtake`] adds one to `version`.
#[async_trait]
pub trait Bots: Debug + Send + Sync {
    /// Makes a bot; `false` if the id is taken, also by a deleted bot. `Missing` if there is no such project.
    async fn create_bot(&self, bot: &NewBot) -> StoreResult<bool>;

    /// By id, deleted ones included.
    async fn bot(&self, id: &BotId) -> StoreResult<Option<BotRow>>;

    /// Bots of these projects that are not deleted, by id.
    async fn bots(&self, projects: &[ProjectId], page: &PageRequest) -> StoreResult<Page<BotRow>>;

    /// All bots that are connected or have an active revision and are not deleted, by id: for the runtime.
    async fn live_bots(&self) -> StoreResult<Vec<BotRow>>;

    /// Whether any bot has changed, for little: equal marks mean that none has. Versions and epochs only grow, so that no two
    /// changes make up for each other, and a change that is committed late is not missed.
    async fn bots_mark(&self) -> StoreResult<BotsMark>;

    /// Of which state the bots of [`Bots::live_bots`] are, by id.
    async fn live_bot_marks(&self) -> StoreResult<Vec<BotMark>>;

    /// Stores a token with what Telegram said of it and lifts a suspension, if the bot's token is still the one that was
    /// `seen` (`None`: it had none). Of any number of concurrent calls for several bots, one bot gets an identity; of those for
    /// one bot that saw the same, one is stored. A check of the bot's webhook that is under way loses its claim: what it saw is
    /// of the token before. `Missing` if there is no such bot.
    async fn set_token(
        &self,
        id: &BotId,
        seen: Option<&SealedToken>,
        token: &SealedToken,
        identity: &TelegramIdentity,
    ) -> StoreResult<TokenChange>;

    /// Connects (`Some`) or disconnects (`None`). A check of the bot's webhook that is under way loses its claim: what it
    /// saw is of before. `Missing` if there is no such bot.
    async fn set_connection(&self, id: &BotId, connection: Option<&Connection>) -> StoreResult<()>;

    /// As [`Bots::set_connection`], if the bot still has exactly the connection `seen` (`None`: it was not connected); answers
    /// whether it had. For changing what one has seen or set, and nothing that somebody else set since.
    async fn replace_connection(
        &self,
        id: &BotId,
        seen: Option<&Connection>,
        connection: Option<&Connection>,
    ) -> StoreResult<bool>;

    /// Suspends with a reason, until the next token is set, if the bot's row is of this version still: what is wrong with one
    /// token says nothing about the next one. Answers whether it did.
    async fn suspend(&self, id: &BotId, version: i64, reason: &str) -> StoreResult<bool>;

    /// Pauses (`Some`: since when) or resumes (`None`). Answers whether something changed: a pause keeps its beginning.
    /// `Missing` if there is no such bot.
    async fn set_paused(&self, id: &BotId, at: Option<TimestampMs>) -> StoreResult<bool>;

    /// Renames. `Missing` if there is no such bot.
    async fn rename_bot(&self, id: &BotId, name: &str) -> StoreResult<()>;

    /// Makes a bot the staging bot of another one of its project (`Some`), or of none. A staging bot has no staging bots.
    /// `Missing` if there is no such bot.
    async fn set_staging_of(&self, id: &BotId, production: Option<&BotId>) -> StoreResult<StagingChange>;

    /// Marks as deleted, wipes token and secret, disconnects, and frees its staging bots; answers whether it was there and not
    /// yet deleted.
    async fn delete_bot(&self, id: &BotId, at: TimestampMs) -> StoreResult<bool>;

    /// Bots with a sealed token or webhook secret, by id, behind `after`: at most 100. Deleted bots have none.
    async fn sealed_bots(&self, after: Option<&BotId>) -> StoreResult<Vec<BotRow>>;

    /// Puts the same secrets, sealed anew, in the place of those of a row that was read, if the bot has not changed since.
    /// Counts as a change, so that nodes which could not open the old ones read them again.
    async fn reseal(
        &self,
        read: &BotRow,
        token: Option<&SealedToken>,
        webhook_secret: Option<&SealedToken>,
    ) -> StoreResult<bool>;

    /// Makes `rev` the active revision if the epoch is still `seen`: compare-and-set. Answers the new epoch, or `None`
    /// if another activation came first or the bot is gone.
    async fn activate(&self, id: &BotId, seen: Epoch, rev: RevHash) -> StoreResult<Option<Epoch>>;

    /// Moves the epoch past `ahead`, which lanes have and the catalog has not (it was restored from an older copy), if it
    /// is still `seen`; the active revision stays. Answers the new epoch, or `None` if an activation came first, the bot
    /// is gone, or the epoch is not behind.
    async fn overtake(&self, id: &BotId, seen: Epoch, ahead: Epoch) -> StoreResult<Option<Epoch>>;
}
