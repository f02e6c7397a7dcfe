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
            let (number, last, not_before) = self.next_grant(bot, pace).await?;
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
        pace: WebhookPace,
    ) -> StoreResult<(i64, TimestampMs, TimestampMs)> {
        let held = query("SELECT held_until FROM webhook_changes WHERE id = 1")
            .optional(&self.db)
            .await?;
        let held = held.map_or(Ok(0), |row| row.int("held_until"))?;
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

    pub(super) async fn hold(&self, until: TimestampMs) -> StoreResult<()> {
        let upsert = query(
            "INSERT INTO webhook_changes (id, held_until) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET held_until = \
             CASE WHEN webhook_changes.held_until < excluded.held_until THEN excluded.held_until \
             ELSE webhook_changes.held_until END",
        )
        .bind(until.0);
        self.db.execute(upsert).await.map(drop)
    }

    pub(super) async fn pace(&self, now: TimestampMs) -> StoreResult<WebhookPaceState> {
        let hour = query("SELECT COUNT(*) AS grants FROM webhook_grants WHERE at > $1")
            .bind(now.plus(-HOUR_MS).0)
            .optional(&self.db)
            .await?;
        let held = query("SELECT held_until FROM webhook_changes WHERE id = 1")
            .optional(&self.db)
            .await?;
        let held = held.map_or(Ok(0), |row| row.int("held_until"))?;
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
