//! Port: what was published of bots outside of their chats.

use std::fmt::Debug;

use async_trait::async_trait;

use super::StoreResult;
use crate::model::{BotRow, ProfileRow};
use crate::time::TimestampMs;

/// Profiles by Telegram's id of the bot. Every method is one transaction.
#[async_trait]
pub trait Profiles: Debug + Send + Sync {
    /// Bots whose profile is to be published at this moment, by id, at most `limit`: connected, not suspended, with an active
    /// revision that is not the settled one, and nobody's claim or pause holds them.
    async fn due_profiles(&self, now: TimestampMs, limit: u32) -> StoreResult<Vec<BotRow>>;

    /// The row, if anything was ever published or tried.
    async fn profile(&self, telegram_id: i64) -> StoreResult<Option<ProfileRow>>;

    /// Claims a profile until `until` and gives its row, made where there is none. `None`: it is not due, which is what all
    /// but one of concurrent callers are told. A claim ends with its time, or with [`Profiles::save_profile`].
    async fn claim_profile(
        &self,
        telegram_id: i64,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<Option<ProfileRow>>;

    /// Replaces the row if its version is still `row.version`; the stored version is one more. `false`: the claim was lost
    /// to somebody else, nothing changed.
    async fn save_profile(&self, row: &ProfileRow) -> StoreResult<bool>;

    /// Has the profile looked at again at once, whatever came of it before: ends claims, pauses, and what was settled.
    /// Nothing happens without a row.
    async fn reopen_profile(&self, telegram_id: i64) -> StoreResult<()>;
}
