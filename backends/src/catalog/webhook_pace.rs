//! The pace at which webhooks are changed. Grants are rows numbered without gaps, so the one that is to be the n-th may be
//! given if those `per_minute` and `per_hour` before it are old enough; the number is a key, so of several callers one gets it.

use botloom_core::ids::BotId;
use botloom_core::model::{WebhookGrant, WebhookPace, WebhookPaceState};
use botloom_core::ports::StoreResult;
use botloom_core::time::TimestampMs;
use sqlx::query;

use super::SqlCatalog;
use crate::sql::{RowExt, Statement};

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
/// Longest that a hold lasts, and the most by which clocks of nodes may differ. What was written as if it were further ahead
/// was written by a clock that has gone back since, and must not stop everybody until it is reached again.
const AHEAD_MS: i64 = HOUR_MS;
/// So often another caller may be faster before this one is told to come again.
const TRIES: usize = 5;

impl SqlCatalog {
    pub(super) async fn grant(
        &self,
        bot: &BotId,
        now: TimestampMs,
        pace: WebhookPace,
    ) -> StoreResult<WebhookGrant> {
        for _ in 0..TRIES {
            let (number, last, not_before) = self.next_grant(bot, now, pace).await?;
            if last > now.plus(AHEAD_MS) {
                self.call_back(now).await?;
                continue;
            }
            if not_before > now {
                return Ok(WebhookGrant::NotBefore(not_before));
            }
            let insert = query(
                "INSERT INTO webhook_grants (seq, at, bot_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(number)
            // Clocks of nodes differ: times never fall, so that the oldest of a span is its first.
            .bind(last.max(now).0)
            .bind(bot.as_str());
            if self.db.execute(insert).await? > 0 {
                return Ok(WebhookGrant::Given);
            }
        }
        Ok(WebhookGrant::NotBefore(now.plus(SECOND_MS)))
    }

    /// Number of the next grant, time of the last one, and the moment from which the next may be given.
    async fn next_grant(
        &self,
        bot: &BotId,
        now: TimestampMs,
        pace: WebhookPace,
    ) -> StoreResult<(i64, TimestampMs, TimestampMs)> {
        let held = self.held_until(now).await?;
        let newest = query(
            "SELECT g.seq, g.at, (SELECT m.at FROM webhook_grants m WHERE m.seq = g.seq - $1) AS minute_at, \
             (SELECT h.at FROM webhook_grants h WHERE h.seq = g.seq - $2) AS hour_at, \
             (SELECT MAX(o.at) FROM webhook_grants o WHERE o.bot_id = $3) AS bot_at \
             FROM webhook_grants g ORDER BY g.seq DESC LIMIT 1",
        )
        .bind(i64::from(pace.per_minute.max(1)) - 1)
        .bind(i64::from(pace.per_hour.max(1)) - 1)
        .bind(bot.as_str())
        .optional(&self.db)
        .await?;
        let Some(row) = newest else {
            return Ok((1, TimestampMs(0), TimestampMs(held)));
        };
        let spans = [
            (row.opt_int("minute_at")?, MINUTE_MS),
            (row.opt_int("hour_at")?, HOUR_MS),
            (row.opt_int("bot_at")?, SECOND_MS),
        ];
        let free = spans
            .iter()
            .map(|(at, span)| at.map_or(0, |at| at.saturating_add(*span)));
        let not_before = free.max().unwrap_or(0).max(held);
        Ok((row.int("seq")? + 1, row.time("at")?, TimestampMs(not_before)))
    }

    /// Grants from the future count as given now: no less is allowed than after a minute or an hour of using all of it.
    async fn call_back(&self, now: TimestampMs) -> StoreResult<()> {
        tracing::warn!("webhooks were changed by a clock that was ahead; those changes count as made now");
        let update = query("UPDATE webhook_grants SET at = $1 WHERE at > $1").bind(now.0);
        self.db.execute(update).await.map(drop)
    }

    /// Until when grants are held; 0 if they never were.
    async fn held_until(&self, now: TimestampMs) -> StoreResult<i64> {
        let row = query("SELECT held_until FROM webhook_changes WHERE id = 1")
            .optional(&self.db)
            .await?;
        let held = row.map_or(Ok(0), |row| row.int("held_until"))?;
        let believed = held <= now.plus(2 * AHEAD_MS).0;
        Ok(if believed { held } else { 0 })
    }

    pub(super) async fn hold(&self, until: TimestampMs) -> StoreResult<()> {
        let upsert = query(
            "INSERT INTO webhook_changes (id, held_until) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET held_until = \
             CASE WHEN webhook_changes.held_until BETWEEN excluded.held_until AND $2 THEN webhook_changes.held_until \
             ELSE excluded.held_until END",
        )
        .bind(until.0)
        .bind(until.plus(2 * AHEAD_MS).0);
        self.db.execute(upsert).await.map(drop)
    }

    pub(super) async fn pace(&self, now: TimestampMs) -> StoreResult<WebhookPaceState> {
        let hour = query("SELECT COUNT(*) AS grants FROM webhook_grants WHERE at > $1")
            .bind(now.plus(-HOUR_MS).0)
            .optional(&self.db)
            .await?;
        let held = self.held_until(now).await?;
        Ok(WebhookPaceState {
            last_hour: hour.map_or(Ok(0), |row| row.number("grants"))?,
            held_until: (held > now.0).then_some(TimestampMs(held)),
        })
    }

    pub(super) async fn expire_grants(&self, before: TimestampMs) -> StoreResult<u64> {
        let delete = query(
            "DELETE FROM webhook_grants WHERE at < $1 AND seq < (SELECT MAX(n.seq) FROM webhook_grants n)",
        )
        .bind(before.0);
        self.db.execute(delete).await
    }
}
