//! Checks of webhooks.

use async_trait::async_trait;
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::model::{
    Found, Registered, Registration, Tried, WebhookCheck, WebhookFinding, WebhookGrant, WebhookMove,
    WebhookPace, WebhookPaceState, WebhookState, WebhookStatus, WebhookSurvey, WebhookTally,
};
use botloom_core::ports::{Page, PageRequest, Registrar, SettledWebhook, StoreError, StoreResult, Webhooks};
use botloom_core::time::TimestampMs;
use serde::Deserialize;
use serde_json::Value;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, query};

use super::SqlCatalog;
use crate::sql::cursor::{self, Start};
use crate::sql::{RowExt, Statement, placeholders};

const COLUMNS: &str = "c.bot_id, c.fence, c.status, c.findings, c.since, c.told, c.checked_at, c.unanswered_since, \
    c.pending, c.growth, c.error_at, c.registered, c.registering, c.secret, c.tried, c.tried_at, c.moved_at, c.moved_error_at, \
    c.moved_well";
pub(super) const CONNECTED: &str = "b.ingress IS NOT NULL AND b.deleted_at IS NULL";
/// Whether what Telegram has of ours is not under the base of the announced public URL `p`; unknown is no.
pub(super) const ELSEWHERE: &str = "CASE WHEN b.ingress = 'webhook' \
    AND SUBSTR(COALESCE(c.registered, c.registering), 1, LENGTH(p.base)) <> p.base THEN 1 ELSE 0 END";
/// The base of the announced public URL, as `p`; unknown where none was announced.
pub(super) const ANNOUNCED: &str =
    "LEFT JOIN (SELECT RTRIM(public_url, '/') || '/' AS base FROM webhook_changes WHERE id = 1) p ON TRUE";
const LIST: &str = "webhooks";
const INSERT: &str = "INSERT INTO webhook_checks (bot_id, next_at, claimed_until, fence, status, codes, findings, since, \
    told, growth";
/// Takes a check from whoever has claimed it.
const END_CLAIM: &str = "fence = webhook_checks.fence + 1, claimed_until = 0";
/// Another `setWebhook` came to an end while one was under way that Telegram had not answered: which of the two it has is
/// not known.
const CROSSED: &str = "(tried IS NULL AND tried_at IS NOT NULL)";

#[async_trait]
impl Webhooks for SqlCatalog {
    async fn enrol_webhook_checks(&self, now: TimestampMs) -> StoreResult<u64> {
        let insert = query(AssertSqlSafe(format!(
            "{INSERT}) SELECT b.id, $1, 0, $1, 'unknown', '', '[]', $1, 1, 0 FROM bots b WHERE {CONNECTED} AND NOT EXISTS \
             (SELECT 1 FROM webhook_checks c WHERE c.bot_id = b.id) ON CONFLICT DO NOTHING"
        )))
        .bind(now.0);
        self.db.execute(insert).await
    }

    async fn claim_webhook_checks(
        &self,
        now: TimestampMs,
        until: TimestampMs,
        limit: u32,
    ) -> StoreResult<Vec<WebhookCheck>> {
        let rows = query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM webhook_checks c WHERE c.next_at <= $1 AND c.claimed_until <= $1 \
             ORDER BY c.next_at, c.bot_id LIMIT $2"
        )))
        .bind(now.0)
        .bind(i64::from(limit))
        .all(&self.db)
        .await?;
        let mut seen = rows.iter().map(check).collect::<StoreResult<Vec<_>>>()?;
        if seen.is_empty() {
            return Ok(seen);
        }
        // Everybody takes rows in the same order, so that two claims never wait for each other.
        seen.sort_by(|one, other| one.bot.cmp(&other.bot));
        let mut tx = self.db.write().await?;
        let mut claimed = Vec::with_capacity(seen.len());
        for mut candidate in seen {
            let taken = query(
                "UPDATE webhook_checks SET next_at = $3, claimed_until = $3, fence = fence + 1 \
                 WHERE bot_id = $1 AND fence = $2 AND claimed_until <= $4",
            )
            .bind(candidate.bot.as_str())
            .bind(candidate.fence)
            .bind(until.0)
            .bind(now.0)
            .execute_in(tx.connection())
            .await?;
            if taken > 0 {
                candidate.fence += 1;
                claimed.push(candidate);
            }
        }
        tx.commit().await?;
        Ok(claimed)
    }

    async fn settle_webhook_checks(&self, settled: &[SettledWebhook]) -> StoreResult<Vec<bool>> {
        let mut order: Vec<usize> = (0..settled.len()).collect();
        order.sort_by_key(|at| &settled[*at].claim.bot);
        let mut held = vec![false; settled.len()];
        let mut tx = self.db.write().await?;
        for at in order {
            let written = settle(&settled[at])?.execute_in(tx.connection()).await?;
            held[at] = written > 0;
        }
        tx.commit().await?;
        Ok(held)
    }

    async fn note_webhook_told(&self, claim: &WebhookCheck) -> StoreResult<()> {
        let update = query("UPDATE webhook_checks SET told = 1 WHERE bot_id = $1 AND fence = $2")
            .bind(claim.bot.as_str())
            .bind(claim.fence);
        self.db.execute(update).await.map(drop)
    }

    async fn forget_webhook_check(&self, claim: &WebhookCheck) -> StoreResult<()> {
        let delete = query(AssertSqlSafe(format!(
            "DELETE FROM webhook_checks WHERE bot_id = $1 AND fence = $2 AND NOT EXISTS \
             (SELECT 1 FROM bots b WHERE b.id = $1 AND {CONNECTED})"
        )))
        .bind(claim.bot.as_str())
        .bind(claim.fence);
        self.db.execute(delete).await.map(drop)
    }

    async fn hasten_webhook_check(&self, bot: &BotId, now: TimestampMs) -> StoreResult<()> {
        let update = query("UPDATE webhook_checks SET next_at = $2 WHERE bot_id = $1 AND next_at > $2")
            .bind(bot.as_str())
            .bind(now.0);
        self.db.execute(update).await.map(drop)
    }

    async fn webhook_check(&self, bot: &BotId) -> StoreResult<Option<WebhookCheck>> {
        query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM webhook_checks c WHERE c.bot_id = $1"
        )))
        .bind(bot.as_str())
        .optional(&self.db)
        .await?
        .map(|row| check(&row))
        .transpose()
    }

    async fn webhook_checks(
        &self,
        projects: &[ProjectId],
        status: Option<WebhookStatus>,
        page: &PageRequest,
    ) -> StoreResult<Page<WebhookCheck>> {
        let after = match cursor::start(LIST, page) {
            Start::First => String::new(),
            Start::After([id]) => id,
            Start::Nowhere => return Ok(cursor::empty()),
        };
        if projects.is_empty() {
            return Ok(cursor::empty());
        }
        // Bots of one project have an index in this order. Those of several are met in the order of the checks, which SQLite
        // takes from the order of a cross join: sorting all of them for every page would cost more.
        let (join, id) = match projects {
            [_] => ("JOIN", "b.id"),
            _ => ("CROSS JOIN", "c.bot_id"),
        };
        let on = if projects.len() == 1 {
            "ON b.id = c.bot_id WHERE"
        } else {
            "WHERE b.id = c.bot_id AND"
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM webhook_checks c {join} bots b {on} {CONNECTED} AND {id} > $1 \
             AND ($3 = '' OR c.status = $3) AND b.project_id IN ({}) ORDER BY {id} LIMIT $2",
            placeholders(4, projects.len())
        );
        let mut select = query(AssertSqlSafe(sql))
            .bind(after)
            .bind(cursor::rows_to_fetch(page))
            .bind(status.map_or("", WebhookStatus::as_str));
        for project in projects {
            select = select.bind(project.to_string());
        }
        let rows = select.all(&self.db).await?;
        cursor::page(LIST, page, &rows, check, |check| [check.bot.to_string()])
    }

    async fn webhook_tally(&self, projects: Option<&[ProjectId]>) -> StoreResult<Vec<WebhookTally>> {
        let of_projects = match projects {
            None => String::new(),
            Some([]) => return Ok(Vec::new()),
            Some(some) => format!("AND b.project_id IN ({})", placeholders(1, some.len())),
        };
        let sql = format!(
            "SELECT c.status, c.codes, CAST({ELSEWHERE} AS BIGINT) AS elsewhere, COUNT(*) AS bots \
             FROM webhook_checks c JOIN bots b ON b.id = c.bot_id {ANNOUNCED} \
             WHERE {CONNECTED} {of_projects} GROUP BY c.status, c.codes, {ELSEWHERE} ORDER BY c.status, c.codes, elsewhere"
        );
        let mut select = query(AssertSqlSafe(sql));
        for project in projects.into_iter().flatten() {
            select = select.bind(project.to_string());
        }
        let rows = select.all(&self.db).await?;
        rows.iter().map(tally).collect()
    }

    async fn webhook_check_ids(&self) -> StoreResult<Vec<BotId>> {
        let sql = format!(
            "SELECT c.bot_id FROM webhook_checks c JOIN bots b ON b.id = c.bot_id WHERE {CONNECTED} ORDER BY c.bot_id"
        );
        let rows = query(AssertSqlSafe(sql)).all(&self.db).await?;
        rows.iter().map(|row| row.parsed("bot_id")).collect()
    }

    async fn webhook_survey(&self, now: TimestampMs) -> StoreResult<WebhookSurvey> {
        self.survey(now).await
    }

    async fn note_webhook_moves_held(&self, since: Option<TimestampMs>) -> StoreResult<bool> {
        self.note_moves_held(since).await
    }

    async fn begin_registration(
        &self,
        bot: &BotId,
        url: &str,
        by: Registrar<'_>,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<bool> {
        let written = match by {
            // As if somebody had claimed the check: when it is due may change meanwhile, and counts from the end on.
            Registrar::Person => query(AssertSqlSafe(format!(
                "{INSERT}, registering) VALUES ($1, $4, $2, $4, 'unknown', '', '[]', $4, 1, 0, $3) \
                 ON CONFLICT (bot_id) DO UPDATE SET fence = webhook_checks.fence + 1, \
                 claimed_until = excluded.claimed_until, registering = excluded.registering"
            )))
            .bind(bot.as_str())
            .bind(until.0)
            .bind(url)
            .bind(now.0),
            Registrar::Check { claim, before } => query(
                "UPDATE webhook_checks SET registering = $3, registered = $4, \
                 next_at = CASE WHEN next_at < claimed_until OR next_at >= $2 THEN next_at ELSE $2 END, \
                 claimed_until = CASE WHEN claimed_until < $2 THEN $2 ELSE claimed_until END \
                 WHERE bot_id = $1 AND fence = $5",
            )
            .bind(bot.as_str())
            .bind(until.0)
            .bind(url)
            .bind(before)
            .bind(claim.fence),
        };
        Ok(self.db.execute_for("bot", written).await? > 0)
    }

    async fn end_registration(
        &self,
        bot: &BotId,
        by: Registrar<'_>,
        tried: &Tried,
        registered: Option<&Registered>,
    ) -> StoreResult<()> {
        let (also, crossed, fence) = match by {
            Registrar::Person => (format!("{END_CLAIM}, "), CROSSED, None),
            Registrar::Check { claim, .. } => (String::new(), "1 = 0", Some(claim.fence)),
        };
        let update = query(AssertSqlSafe(format!(
            "UPDATE webhook_checks SET {also}tried = CASE WHEN {crossed} THEN NULL ELSE $2 END, \
             tried_at = CASE WHEN {crossed} THEN NULL ELSE $3 END, \
             registered = COALESCE($4, registered), registering = NULL, \
             secret = CASE WHEN {crossed} THEN secret ELSE COALESCE($5, secret) END, \
             next_at = CASE WHEN $4 IS NOT NULL AND next_at > $3 THEN $3 ELSE next_at END \
             WHERE bot_id = $1 AND fence = COALESCE($6, fence)"
        )))
        .bind(bot.as_str())
        .bind(tried.fingerprint.to_string())
        .bind(tried.at.0)
        .bind(registered.map(|registered| &*registered.url))
        .bind(registered.map(|registered| registered.secret.to_string()))
        .bind(fence);
        if self.db.execute(update).await? > 0 {
            return Ok(());
        }
        let (Some(fence), Some(registered)) = (fence, registered) else {
            return Ok(());
        };
        // Somebody changed the webhook meanwhile, and Telegram may have taken this one after theirs.
        let doubt = query(
            "UPDATE webhook_checks SET secret = $3, tried = NULL, \
             tried_at = CASE WHEN registering IS NULL THEN NULL ELSE $4 END, \
             next_at = CASE WHEN next_at > $4 THEN $4 ELSE next_at END WHERE bot_id = $1 AND fence <> $2",
        )
        .bind(bot.as_str())
        .bind(fence)
        .bind(registered.secret.to_string())
        .bind(tried.at.0);
        self.db.execute(doubt).await.map(drop)
    }

    async fn grant_webhook_change(
        &self,
        bot: &BotId,
        now: TimestampMs,
        pace: WebhookPace,
    ) -> StoreResult<WebhookGrant> {
        self.grant(bot, now, pace).await
    }

    async fn hold_webhook_changes(&self, until: TimestampMs) -> StoreResult<()> {
        self.hold(until).await
    }

    async fn webhook_pace(&self, now: TimestampMs) -> StoreResult<WebhookPaceState> {
        self.pace(now).await
    }

    async fn expire_webhook_grants(&self, before: TimestampMs) -> StoreResult<u64> {
        self.expire_grants(before).await
    }

    async fn announce_public_url(&self, url: Option<&str>) -> StoreResult<()> {
        let upsert = query(
            "INSERT INTO webhook_changes (id, public_url, held_until) VALUES (1, $1, 0) \
             ON CONFLICT (id) DO UPDATE SET public_url = excluded.public_url",
        )
        .bind(url);
        self.db.execute(upsert).await.map(drop)
    }

    async fn announced_public_url(&self) -> StoreResult<Option<String>> {
        let row = query("SELECT public_url FROM webhook_changes WHERE id = 1")
            .optional(&self.db)
            .await?;
        row.map_or(Ok(None), |row| row.opt_text("public_url"))
    }
}

/// Writes how a claim ended, if it is still held. A time before the end of the lease was put there by whoever hastened
/// the check.
fn settle(settled: &SettledWebhook) -> StoreResult<Query<'_, Any, AnyArguments>> {
    let SettledWebhook {
        claim,
        state,
        seen,
        next_at,
    } = settled;
    let findings =
        serde_json::to_string(&state.findings).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let codes: Vec<&str> = state
        .findings
        .iter()
        .map(|found| found.finding.as_str())
        .collect();
    let statement = query(
        "UPDATE webhook_checks SET next_at = CASE WHEN next_at < claimed_until THEN next_at ELSE $3 END, \
         claimed_until = 0, status = $4, codes = $5, findings = $6, since = $7, told = $8, checked_at = $9, \
         unanswered_since = $10, pending = $11, growth = $12, error_at = $13, registered = COALESCE($14, registered), \
         secret = COALESCE($15, secret), moved_at = $16, moved_error_at = $17, moved_well = $18 WHERE bot_id = $1 AND fence = $2",
    );
    Ok(statement
        .bind(claim.bot.as_str())
        .bind(claim.fence)
        .bind(next_at.0)
        .bind(state.status.as_str())
        .bind(codes.join(" "))
        .bind(findings)
        .bind(state.since.0)
        .bind(i64::from(state.told))
        .bind(state.checked_at.map(|at| at.0))
        .bind(state.unanswered_since.map(|at| at.0))
        .bind(
            state
                .pending
                .map(|pending| i64::try_from(pending).unwrap_or(i64::MAX)),
        )
        .bind(i64::from(state.growth))
        .bind(state.error_at)
        .bind(seen.as_ref().map(|seen| &*seen.url))
        .bind(seen.as_ref().map(|seen| seen.secret.to_string()))
        .bind(state.moved.map(|moved| moved.at.0))
        .bind(state.moved.and_then(|moved| moved.error_at))
        .bind(state.moved.map(|moved| i64::from(moved.well))))
}

/// A finding as it is stored: with a code that a newer version may have made up, and a detail that it may write otherwise.
#[derive(Debug, Deserialize)]
struct StoredFinding {
    finding: String,
    detail: Option<Value>,
}

impl From<StoredFinding> for Found {
    fn from(stored: StoredFinding) -> Self {
        Self {
            finding: finding(&stored.finding),
            detail: match stored.detail {
                Some(Value::String(detail)) => Some(detail),
                _ => None,
            },
        }
    }
}

fn finding(code: &str) -> WebhookFinding {
    code.parse().unwrap_or(WebhookFinding::Unknown)
}

/// What a newer version calls otherwise is not known here.
fn status(row: &AnyRow) -> StoreResult<WebhookStatus> {
    Ok(row.text("status")?.parse().unwrap_or(WebhookStatus::Unknown))
}

/// Takes the check of a bot from whoever has claimed it, within the transaction that makes it pointless.
pub(super) async fn end_webhook_claim(connection: &mut AnyConnection, bot: &BotId) -> StoreResult<()> {
    let update = query(AssertSqlSafe(format!(
        "UPDATE webhook_checks SET {END_CLAIM} WHERE bot_id = $1"
    )));
    update.bind(bot.as_str()).execute_in(connection).await.map(drop)
}

/// What was found and tried is as good as never seen if it cannot be read: the next check finds it anew. A check that
/// cannot be read at all would be due for ever, before all others.
fn check(row: &AnyRow) -> StoreResult<WebhookCheck> {
    let tried = match (
        row.opt_parsed("tried").unwrap_or_default(),
        row.opt_int("tried_at")?,
    ) {
        (Some(fingerprint), Some(at)) => Some(Tried {
            fingerprint,
            at: TimestampMs(at),
        }),
        _ => None,
    };
    Ok(WebhookCheck {
        bot: row.parsed("bot_id")?,
        fence: row.int("fence")?,
        state: WebhookState {
            status: status(row)?,
            findings: row
                .json::<Vec<StoredFinding>>("findings")
                .unwrap_or_default()
                .into_iter()
                .map(Found::from)
                .collect(),
            since: row.time("since")?,
            told: row.int("told")? != 0,
            checked_at: row.opt_int("checked_at")?.map(TimestampMs),
            unanswered_since: row.opt_int("unanswered_since")?.map(TimestampMs),
            pending: row.opt_number("pending")?,
            growth: row.number("growth")?,
            error_at: row.opt_int("error_at")?,
            moved: match row.opt_int("moved_at")? {
                Some(at) => Some(WebhookMove {
                    at: TimestampMs(at),
                    error_at: row.opt_int("moved_error_at")?,
                    well: row.opt_int("moved_well")? == Some(1),
                }),
                None => None,
            },
        },
        registration: Registration {
            registered: row.opt_text("registered")?,
            registering: row.opt_text("registering")?,
            secret: row.opt_parsed("secret").unwrap_or_default(),
            tried,
        },
    })
}

fn tally(row: &AnyRow) -> StoreResult<WebhookTally> {
    let codes = row.text("codes")?;
    Ok(WebhookTally {
        status: status(row)?,
        findings: codes.split_ascii_whitespace().map(finding).collect(),
        elsewhere: row.int("elsewhere")? != 0,
        bots: row.number("bots")?,
    })
}
