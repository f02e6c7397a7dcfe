//! Port: requests for managed Telegram bots, and the Telegram accounts of people.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreResult;
use crate::ids::{BotId, UserId};
use crate::model::{ManagedBot, ManagedOutcome, ManagedRequest};
use crate::time::TimestampMs;

/// Requests and accounts. Every method is one transaction.
#[async_trait]
pub trait ManagedBots: Debug + Send + Sync {
    /// Stores a request that nothing has come of, in place of the bot's last one. `Missing` if there is no such bot.
    async fn put_managed_request(&self, request: &ManagedRequest) -> StoreResult<()>;

    /// The bot's request.
    async fn managed_request(&self, bot: &BotId) -> StoreResult<Option<ManagedRequest>>;

    /// Notes that a bot of this username (in lower case) was made, with the request that has not expired and asked for it, and
    /// gives the request. The first bot and its creator stay: `None` for another one, and where nobody asked.
    async fn note_managed_bot(
        &self,
        username: &str,
        made: &ManagedBot,
        now: TimestampMs,
    ) -> StoreResult<Option<ManagedRequest>>;

    /// Ends the request with this username; answers whether it was there and had not ended.
    async fn end_managed_request(&self, username: &str, outcome: &ManagedOutcome) -> StoreResult<bool>;

    /// Deletes the bot's request; answers whether it was there.
    async fn delete_managed_request(&self, bot: &BotId) -> StoreResult<bool>;

    /// Deletes requests that expired before `before`; answers how many.
    async fn expire_managed_requests(&self, before: TimestampMs) -> StoreResult<u64>;

    /// Remembers that a Telegram account is this user's; answers whether that is new.
    async fn remember_account(&self, user: UserId, account: i64, at: TimestampMs) -> StoreResult<bool>;

    /// Whether it is remembered as this user's.
    async fn knows_account(&self, user: UserId, account: i64) -> StoreResult<bool>;
}
