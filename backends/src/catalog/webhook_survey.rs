//! How all connected bots are, in numbers, and whether moves to another address are held.

use botloom_core::model::WebhookSurvey;
use botloom_core::ports::{StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use sqlx::{AssertSqlSafe, query};

use super::SqlCatalog;
use super::webhooks::{ANNOUNCED, CONNECTED, ELSEWHERE};
use crate::sql::{RowExt, Statement};

/// Moves that far before the last one count with it, ms. From the last one and not from now, so that a move which is held is
/// not forgotten while it is. What lies further ahead than this was noted by a clock that was wrong, and moves nothing.
const COUNTED_MS: i64 = 3_600_000;
/// Whether Telegram has one of ours that is under the announced public URL; unknown is no.
const HERE: &str = "CASE WHEN b.ingress = 'webhook' \
    AND SUBSTR(COALESCE(c.registered, c.registering), 1, LENGTH(p.base)) = p.base THEN 1 ELSE 0 END";
/// Whether deliveries fail, whatever the reason.
const FAILING: &str = "CASE WHEN c.codes LIKE '%delivery-failing%' OR c.codes LIKE '%secret-refused%' \
    OR c.codes LIKE '%backlog-growing%' THEN 1 ELSE 0 END";
/// Whether they have failed since the move. Connections that are closed on the way are no error that Telegram tells.
const FAILING_SINCE: &str = "CASE WHEN c.codes LIKE '%backlog-growing%' OR \
    ((c.codes LIKE '%delivery-failing%' OR c.codes LIKE '%secret-refused%') \
     AND c.error_at > COALESCE(c.moved_error_at, 0)) THEN 1 ELSE 0 END";

impl SqlCatalog {
    pub(super) async fn survey(&self, now: TimestampMs) -> StoreResult<WebhookSurvey> {
        let sql = format!(
            "WITH checks AS (SELECT {HERE} AS here, {ELSEWHERE} AS elsewhere, {FAILING} AS failing, \
             {FAILING_SINCE} AS failing_since, c.moved_at, c.moved_well, c.unanswered_since \
             FROM webhook_checks c JOIN bots b ON b.id = c.bot_id {ANNOUNCED} WHERE {CONNECTED}), \
             counted AS (SELECT k.*, \
             CASE WHEN k.here = 1 AND k.moved_at > l.at - $1 AND k.moved_well = 1 THEN 1 ELSE 0 END AS moved, \
             CASE WHEN k.here = 1 AND k.moved_at > l.at - $1 AND k.moved_well = 0 THEN 1 ELSE 0 END AS ill \
             FROM checks k LEFT JOIN (SELECT MAX(moved_at) AS at FROM checks WHERE here = 1 AND moved_at <= $2) l ON TRUE) \
             SELECT CAST(COALESCE(SUM(moved), 0) AS BIGINT) AS moved, \
             CAST(COALESCE(SUM(moved * failing_since), 0) AS BIGINT) AS moved_failing, \
             CAST(COALESCE(SUM(elsewhere), 0) AS BIGINT) AS rest, \
             CAST(COALESCE(SUM(elsewhere + ill), 0) AS BIGINT) AS others, \
             CAST(COALESCE(SUM(elsewhere * failing + ill), 0) AS BIGINT) AS others_failing, \
             COUNT(unanswered_since) AS unanswered, CAST(MIN(unanswered_since) AS BIGINT) AS unanswered_since, \
             CAST((SELECT moves_held_since FROM webhook_changes WHERE id = 1) AS BIGINT) AS held_since FROM counted"
        );
        let row = query(AssertSqlSafe(sql))
            .bind(COUNTED_MS)
            .bind(now.0.saturating_add(COUNTED_MS))
            .optional(&self.db)
            .await?
            .ok_or(StoreError::Missing("count of webhooks"))?;
        Ok(WebhookSurvey {
            moved: row.number("moved")?,
            moved_failing: row.number("moved_failing")?,
            rest: row.number("rest")?,
            others: row.number("others")?,
            others_failing: row.number("others_failing")?,
            held_since: row.opt_int("held_since")?.map(TimestampMs),
            unanswered: row.number("unanswered")?,
            unanswered_since: row.opt_int("unanswered_since")?.map(TimestampMs),
        })
    }

    pub(super) async fn note_moves_held(&self, since: Option<TimestampMs>) -> StoreResult<bool> {
        let write = match since {
            Some(since) => query(
                "INSERT INTO webhook_changes (id, held_until, moves_held_since) VALUES (1, 0, $1) ON CONFLICT (id) \
                 DO UPDATE SET moves_held_since = excluded.moves_held_since WHERE webhook_changes.moves_held_since IS NULL",
            )
            .bind(since.0),
            None => query(
                "UPDATE webhook_changes SET moves_held_since = NULL WHERE id = 1 AND moves_held_since IS NOT NULL",
            ),
        };
        Ok(self.db.execute(write).await? > 0)
    }
}
