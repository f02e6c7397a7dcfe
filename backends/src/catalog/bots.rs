//! Bots.

use async_trait::async_trait;
use botloom_core::hash::RevHash;
use botloom_core::ids::{BotId, Epoch, ProjectId};
use botloom_core::model::{BotRow, SealedToken, TelegramIdentity};
use botloom_core::ports::{
    BotMark, Bots, BotsMark, Connection, NewBot, Page, PageRequest, StagingChange, StoreError, StoreResult,
    TokenChange,
};
use botloom_core::time::TimestampMs;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, query};

use super::webhooks::end_webhook_claim;
use super::{SqlCatalog, alone};
use crate::sql::cursor::{self, Start};
use crate::sql::{RowExt, Statement, placeholders, readable};

pub(super) const COLUMNS: &str = "id, project_id, name, active_rev, epoch, token, telegram_id, telegram_username, ingress, \
    webhook_secret, suspended, paused_at, staging_of, deleted_at, created_at, version";
const LIVE: &str = "deleted_at IS NULL AND (ingress IS NOT NULL OR active_rev IS NOT NULL)";
const LIST: &str = "bots";

impl SqlCatalog {
    /// Runs an update of one bot that is not deleted.
    async fn update_bot(&self, update: Query<'_, Any, AnyArguments>) -> StoreResult<()> {
        match self.db.execute(update).await? {
            0 => Err(StoreError::Missing("bot")),
            _ => Ok(()),
        }
    }

    /// Runs an update of a bot's connection; answers whether it changed something. What a check saw of the connection
    /// before says nothing about the new one.
    async fn connect(&self, id: &BotId, update: Query<'_, Any, AnyArguments>) -> StoreResult<bool> {
        let mut tx = self.db.write().await?;
        if update.execute_in(tx.connection()).await? == 0 {
            return Ok(false);
        }
        end_webhook_claim(tx.connection(), id).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// Binds `$1` to `$3` of an update of a connection.
fn bind_connection<'q>(
    update: Query<'q, Any, AnyArguments>,
    id: &BotId,
    connection: Option<&Connection>,
) -> Query<'q, Any, AnyArguments> {
    let secret = connection.and_then(|connection| connection.webhook_secret.as_ref());
    update
        .bind(id.to_string())
        .bind(connection.map(|connection| connection.ingress.as_str()))
        .bind(secret.map(|secret| secret.0.clone()))
}

#[async_trait]
impl Bots for SqlCatalog {
    async fn create_bot(&self, bot: &NewBot) -> StoreResult<bool> {
        let mut tx = self.db.write().await?;
        // A project that is being deleted at this moment is waited for.
        let there = query("UPDATE projects SET name = name WHERE id = $1 AND deleted_at IS NULL")
            .bind(bot.project.to_string())
            .execute_in(tx.connection())
            .await?;
        if there == 0 {
            return Err(StoreError::Missing("project"));
        }
        let made = query(
            "INSERT INTO bots (id, project_id, name, epoch, created_at, version) VALUES ($1, $2, $3, 0, $4, 1) \
             ON CONFLICT DO NOTHING",
        )
        .bind(bot.id.as_str())
        .bind(bot.project.to_string())
        .bind(&*bot.name)
        .bind(bot.created_at.0)
        .execute_in(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(made > 0)
    }

    async fn bot(&self, id: &BotId) -> StoreResult<Option<BotRow>> {
        query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM bots WHERE id = $1")))
            .bind(id.as_str())
            .optional(&self.db)
            .await?
            .map(|row| bot_row(&row))
            .transpose()
    }

    async fn bots(&self, projects: &[ProjectId], page: &PageRequest) -> StoreResult<Page<BotRow>> {
        let after = match cursor::start(LIST, page) {
            Start::First => String::new(),
            Start::After([id]) => id,
            Start::Nowhere => return Ok(cursor::empty()),
        };
        if projects.is_empty() {
            // An empty list of values is no SQL.
            return Ok(cursor::empty());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM bots WHERE id > $1 AND deleted_at IS NULL AND project_id IN ({}) \
             ORDER BY id LIMIT $2",
            placeholders(3, projects.len())
        );
        let mut select = query(AssertSqlSafe(sql))
            .bind(after)
            .bind(cursor::rows_to_fetch(page));
        for project in projects {
            select = select.bind(project.to_string());
        }
        let rows = select.all(&self.db).await?;
        cursor::page(LIST, page, &rows, bot_row, |bot| [bot.id.to_string()])
    }

    async fn live_bots(&self) -> StoreResult<Vec<BotRow>> {
        let sql = format!("SELECT {COLUMNS} FROM bots WHERE {LIVE} ORDER BY id");
        let rows = query(AssertSqlSafe(sql)).all(&self.db).await?;
        readable("live bots", &rows, bot_row)
    }

    async fn bots_mark(&self) -> StoreResult<BotsMark> {
        let row = query(
            "SELECT COUNT(*) AS bots, CAST(COALESCE(SUM(version), 0) AS BIGINT) AS versions, \
             CAST(COALESCE(SUM(epoch), 0) AS BIGINT) AS epochs FROM bots",
        )
        .optional(&self.db)
        .await?
        .ok_or(StoreError::Missing("count of bots"))?;
        Ok(BotsMark {
            rows: row.int("bots")?,
            versions: row.int("versions")?,
            epochs: row.int("epochs")?,
        })
    }

    async fn live_bot_marks(&self) -> StoreResult<Vec<BotMark>> {
        let sql = format!("SELECT id, version, epoch FROM bots WHERE {LIVE} ORDER BY id");
        let rows = query(AssertSqlSafe(sql)).all(&self.db).await?;
        let mark = |row: &AnyRow| {
            Ok(BotMark {
                id: row.parsed("id")?,
                version: row.int("version")?,
                epoch: Epoch(row.number("epoch")?),
            })
        };
        readable("marks of live bots", &rows, mark)
    }

    async fn set_token(
        &self,
        id: &BotId,
        seen: Option<&SealedToken>,
        token: &SealedToken,
        identity: &TelegramIdentity,
    ) -> StoreResult<TokenChange> {
        let mut tx = self.db.write().await?;
        alone(tx.connection()).await?;
        let others =
            query("SELECT id FROM bots WHERE telegram_id = $1 AND id <> $2 AND deleted_at IS NULL LIMIT 1")
                .bind(identity.id)
                .bind(id.as_str())
                .optional_in(tx.connection())
                .await?;
        if others.is_some() {
            return Ok(TokenChange::Taken);
        }
        let updated = query(
            "UPDATE bots SET token = $2, telegram_id = $3, telegram_username = $4, suspended = NULL, \
             version = version + 1 WHERE id = $1 AND deleted_at IS NULL AND token IS NOT DISTINCT FROM $5 \
             AND (ingress IS NULL OR telegram_id IS NULL OR telegram_id = $3)",
        )
        .bind(id.as_str())
        .bind(&*token.0)
        .bind(identity.id)
        .bind(&*identity.username)
        .bind(seen.map(|seen| seen.0.clone()))
        .execute_in(tx.connection())
        .await?;
        if updated == 0 {
            let there = query("SELECT token FROM bots WHERE id = $1 AND deleted_at IS NULL")
                .bind(id.as_str())
                .optional_in(tx.connection())
                .await?;
            let present = there.ok_or(StoreError::Missing("bot"))?.opt_bytes("token")?;
            return Ok(if present.as_ref() == seen.map(|seen| &seen.0) {
                TokenChange::Connected
            } else {
                TokenChange::Stale
            });
        }
        end_webhook_claim(tx.connection(), id).await?;
        tx.commit().await?;
        Ok(TokenChange::Set)
    }

    async fn set_connection(&self, id: &BotId, connection: Option<&Connection>) -> StoreResult<()> {
        let update = query(
            "UPDATE bots SET ingress = $2, webhook_secret = $3, version = version + 1 \
             WHERE id = $1 AND deleted_at IS NULL",
        );
        if self.connect(id, bind_connection(update, id, connection)).await? {
            Ok(())
        } else {
            Err(StoreError::Missing("bot"))
        }
    }

    async fn replace_connection(
        &self,
        id: &BotId,
        seen: Option<&Connection>,
        connection: Option<&Connection>,
    ) -> StoreResult<bool> {
        let update = query(
            "UPDATE bots SET ingress = $2, webhook_secret = $3, version = version + 1 \
             WHERE id = $1 AND deleted_at IS NULL AND ingress IS NOT DISTINCT FROM $4 \
             AND webhook_secret IS NOT DISTINCT FROM $5",
        );
        let secret = seen.and_then(|seen| seen.webhook_secret.as_ref());
        let update = bind_connection(update, id, connection)
            .bind(seen.map(|seen| seen.ingress.as_str()))
            .bind(secret.map(|secret| secret.0.clone()));
        self.connect(id, update).await
    }

    async fn suspend(&self, id: &BotId, version: i64, reason: &str) -> StoreResult<bool> {
        let update = query(
            "UPDATE bots SET suspended = $2, version = version + 1 \
             WHERE id = $1 AND version = $3 AND deleted_at IS NULL",
        )
        .bind(id.as_str())
        .bind(reason)
        .bind(version);
        Ok(self.db.execute(update).await? > 0)
    }

    async fn set_paused(&self, id: &BotId, at: Option<TimestampMs>) -> StoreResult<bool> {
        let update = query(
            "UPDATE bots SET paused_at = $2, version = version + 1 \
             WHERE id = $1 AND deleted_at IS NULL AND (paused_at IS NULL) = ($3 = 1)",
        )
        .bind(id.as_str())
        .bind(at.map(|at| at.0))
        .bind(i64::from(at.is_some()));
        if self.db.execute(update).await? > 0 {
            return Ok(true);
        }
        let bot = self.bot(id).await?.filter(|bot| bot.deleted_at.is_none());
        bot.map(|_| false).ok_or(StoreError::Missing("bot"))
    }

    async fn rename_bot(&self, id: &BotId, name: &str) -> StoreResult<()> {
        self.update_bot(
            query("UPDATE bots SET name = $2, version = version + 1 WHERE id = $1 AND deleted_at IS NULL")
                .bind(id.as_str())
                .bind(name),
        )
        .await
    }

    async fn set_staging_of(&self, id: &BotId, production: Option<&BotId>) -> StoreResult<StagingChange> {
        let mut tx = self.db.write().await?;
        // Bots of one project are linked one after the other: each link sees the ones before.
        query("UPDATE projects SET name = name WHERE id = (SELECT project_id FROM bots WHERE id = $1)")
            .bind(id.as_str())
            .execute_in(tx.connection())
            .await?;
        let row = query(
            "SELECT staging_of, (SELECT COUNT(*) FROM bots s WHERE s.staging_of = b.id) AS staged, \
             (SELECT COUNT(*) FROM bots p WHERE p.id = $2 AND p.id <> b.id AND p.project_id = b.project_id \
              AND p.deleted_at IS NULL AND p.staging_of IS NULL) AS fitting \
             FROM bots b WHERE b.id = $1 AND b.deleted_at IS NULL",
        )
        .bind(id.as_str())
        .bind(production.map_or("", BotId::as_str))
        .optional_in(tx.connection())
        .await?
        .ok_or(StoreError::Missing("bot"))?;
        if row.opt_parsed("staging_of")?.as_ref() == production {
            return Ok(StagingChange::Unchanged);
        }
        if production.is_some() && (row.int("fitting")? == 0 || row.int("staged")? > 0) {
            return Ok(StagingChange::Refused);
        }
        query("UPDATE bots SET staging_of = $2, version = version + 1 WHERE id = $1")
            .bind(id.as_str())
            .bind(production.map(BotId::as_str))
            .execute_in(tx.connection())
            .await?;
        tx.commit().await?;
        Ok(StagingChange::Changed)
    }

    async fn delete_bot(&self, id: &BotId, at: TimestampMs) -> StoreResult<bool> {
        let mut tx = self.db.write().await?;
        // Who makes it somebody's production bot at this moment comes before or after.
        query("UPDATE projects SET name = name WHERE id = (SELECT project_id FROM bots WHERE id = $1)")
            .bind(id.as_str())
            .execute_in(tx.connection())
            .await?;
        let deleted = query(
            "UPDATE bots SET deleted_at = $2, token = NULL, telegram_id = NULL, telegram_username = NULL, \
             ingress = NULL, webhook_secret = NULL, staging_of = NULL, version = version + 1 \
             WHERE id = $1 AND deleted_at IS NULL",
        )
        .bind(id.as_str())
        .bind(at.0)
        .execute_in(tx.connection())
        .await?;
        if deleted == 0 {
            return Ok(false);
        }
        query("UPDATE bots SET staging_of = NULL, version = version + 1 WHERE staging_of = $1")
            .bind(id.as_str())
            .execute_in(tx.connection())
            .await?;
        end_webhook_claim(tx.connection(), id).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn sealed_bots(&self, after: Option<&BotId>) -> StoreResult<Vec<BotRow>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM bots WHERE id > $1 AND (token IS NOT NULL OR webhook_secret IS NOT NULL) \
             ORDER BY id LIMIT 100"
        );
        let after = after.map_or("", BotId::as_str);
        let rows = query(AssertSqlSafe(sql)).bind(after).all(&self.db).await?;
        rows.iter().map(bot_row).collect()
    }

    async fn reseal(
        &self,
        read: &BotRow,
        token: Option<&SealedToken>,
        webhook_secret: Option<&SealedToken>,
    ) -> StoreResult<bool> {
        let update = query("UPDATE bots SET token = $3, webhook_secret = $4, version = version + 1 WHERE id = $1 AND version = $2")
            .bind(read.id.as_str())
            .bind(read.version)
            .bind(token.map(|token| &*token.0))
            .bind(webhook_secret.map(|secret| &*secret.0));
        Ok(self.db.execute(update).await? > 0)
    }

    async fn activate(&self, id: &BotId, seen: Epoch, rev: RevHash) -> StoreResult<Option<Epoch>> {
        let next = seen.next();
        let update = query(
            "UPDATE bots SET active_rev = $3, epoch = $4 WHERE id = $1 AND epoch = $2 AND deleted_at IS NULL",
        )
        .bind(id.as_str())
        .bind(seen.0.cast_signed())
        .bind(rev.to_string())
        .bind(next.0.cast_signed());
        Ok((self.db.execute(update).await? > 0).then_some(next))
    }

    async fn overtake(&self, id: &BotId, seen: Epoch, ahead: Epoch) -> StoreResult<Option<Epoch>> {
        let next = ahead.next();
        let update = query(
            "UPDATE bots SET epoch = $3 WHERE id = $1 AND epoch = $2 AND epoch < $3 AND deleted_at IS NULL",
        )
        .bind(id.as_str())
        .bind(seen.0.cast_signed())
        .bind(next.0.cast_signed());
        Ok((self.db.execute(update).await? > 0).then_some(next))
    }
}

pub(super) fn bot_row(row: &AnyRow) -> StoreResult<BotRow> {
    let identity = match (row.opt_int("telegram_id")?, row.opt_text("telegram_username")?) {
        (Some(id), Some(username)) => Some(TelegramIdentity { id, username }),
        _ => None,
    };
    Ok(BotRow {
        id: row.parsed("id")?,
        project: row.parsed("project_id")?,
        name: row.text("name")?,
        active_rev: row.opt_parsed("active_rev")?,
        epoch: Epoch(row.number("epoch")?),
        token: row.opt_bytes("token")?.map(SealedToken),
        identity,
        ingress: row.opt_parsed("ingress")?,
        webhook_secret: row.opt_bytes("webhook_secret")?.map(SealedToken),
        suspended: row.opt_text("suspended")?,
        paused_at: row.opt_int("paused_at")?.map(TimestampMs),
        staging_of: row.opt_parsed("staging_of")?,
        deleted_at: row.opt_int("deleted_at")?.map(TimestampMs),
        created_at: row.time("created_at")?,
        version: row.int("version")?,
    })
}
