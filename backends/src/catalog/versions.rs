//! Immutable versions of specs.

use async_trait::async_trait;
use botloom_core::ids::BotId;
use botloom_core::model::{SpecVersion, SpecVersionSummary};
use botloom_core::ports::{
    NewVersion, NewVersionOutcome, Page, PageRequest, StoreError, StoreResult, Versions,
};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, query};

use super::SqlCatalog;
use crate::sql::cursor::{self, Start};
use crate::sql::{RowExt, Statement};

fn list(bot: &BotId) -> String {
    format!("versions:{bot}")
}

#[async_trait]
impl Versions for SqlCatalog {
    async fn add_version(&self, version: &NewVersion) -> StoreResult<NewVersionOutcome> {
        let mut tx = self.db.write().await?;
        loop {
            let latest = latest_number(tx.connection(), &version.bot).await?;
            if version.edited.is_some_and(|edited| edited != latest) {
                return Ok(NewVersionOutcome::Stale { latest });
            }
            let compared_from = if version.restores.is_some() { latest } else { 1 };
            if let Some(existing) = same_content(tx.connection(), version, compared_from).await? {
                return Ok(NewVersionOutcome::Existing(existing));
            }
            let summary = SpecVersionSummary {
                bot: version.bot.clone(),
                version: latest + 1,
                spec_hash: version.spec_hash,
                author: version.author,
                created_at: version.created_at,
                note: version.note.clone(),
                restored_from: version.restores,
            };
            // Where transactions run side by side, two may have read the same number: who comes second looks again.
            if insert(tx.connection(), version, summary.version).await? {
                tx.commit().await?;
                return Ok(NewVersionOutcome::Created(summary));
            }
        }
    }

    async fn version(&self, bot: &BotId, version: u32) -> StoreResult<Option<SpecVersion>> {
        query(
            "SELECT bot_id, version, spec_hash, author, created_at, note, restored_from, canonical, warnings \
             FROM spec_versions \
             WHERE bot_id = $1 AND version = $2",
        )
        .bind(bot.as_str())
        .bind(i64::from(version))
        .optional(&self.db)
        .await?
        .map(|row| spec_version(&row))
        .transpose()
    }

    async fn latest_version(&self, bot: &BotId) -> StoreResult<Option<SpecVersion>> {
        query(
            "SELECT bot_id, version, spec_hash, author, created_at, note, restored_from, canonical, warnings \
             FROM spec_versions \
             WHERE bot_id = $1 ORDER BY version DESC LIMIT 1",
        )
        .bind(bot.as_str())
        .optional(&self.db)
        .await?
        .map(|row| spec_version(&row))
        .transpose()
    }

    async fn set_version_note(
        &self,
        bot: &BotId,
        version: u32,
        note: Option<&str>,
    ) -> StoreResult<Option<SpecVersionSummary>> {
        let update = query("UPDATE spec_versions SET note = $1 WHERE bot_id = $2 AND version = $3")
            .bind(note)
            .bind(bot.as_str())
            .bind(i64::from(version));
        if self.db.execute(update).await? == 0 {
            return Ok(None);
        }
        Ok(self.version(bot, version).await?.map(|version| version.summary))
    }

    async fn versions(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<SpecVersionSummary>> {
        let list = list(bot);
        let before = match cursor::start(&list, page) {
            Start::First => i64::MAX,
            Start::After([version]) => match version.parse() {
                Ok(version) => version,
                Err(_) => return Ok(cursor::empty()),
            },
            Start::Nowhere => return Ok(cursor::empty()),
        };
        let rows = query(
            "SELECT bot_id, version, spec_hash, author, created_at, note, restored_from FROM spec_versions \
             WHERE bot_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3",
        )
        .bind(bot.as_str())
        .bind(before)
        .bind(cursor::rows_to_fetch(page))
        .all(&self.db)
        .await?;
        cursor::page(&list, page, &rows, summary, |item| [item.version.to_string()])
    }
}

/// Number of the latest version, 0 if there is none.
async fn latest_number(connection: &mut AnyConnection, bot: &BotId) -> StoreResult<u32> {
    query(
        "SELECT (SELECT COALESCE(MAX(version), 0) FROM spec_versions WHERE bot_id = b.id) AS latest FROM bots b \
         WHERE b.id = $1 AND b.deleted_at IS NULL",
    )
    .bind(bot.as_str())
    .optional_in(connection)
.await?
    .ok_or(StoreError::Missing("bot"))?
    .number("latest")
}

/// The newest version with this content among those from `first` on.
async fn same_content(
    connection: &mut AnyConnection,
    version: &NewVersion,
    first: u32,
) -> StoreResult<Option<SpecVersionSummary>> {
    query(
        "SELECT bot_id, version, spec_hash, author, created_at, note, restored_from FROM spec_versions \
         WHERE bot_id = $1 AND spec_hash = $2 AND version >= $3 ORDER BY version DESC LIMIT 1",
    )
    .bind(version.bot.as_str())
    .bind(version.spec_hash.to_string())
    .bind(i64::from(first))
    .optional_in(connection)
    .await?
    .map(|row| summary(&row))
    .transpose()
}

async fn insert(connection: &mut AnyConnection, version: &NewVersion, number: u32) -> StoreResult<bool> {
    let done = query(
        "INSERT INTO spec_versions (bot_id, version, spec_hash, canonical, warnings, author, created_at, note, \
         restored_from) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(version.bot.as_str())
    .bind(i64::from(number))
    .bind(version.spec_hash.to_string())
    .bind(&*version.canonical)
    .bind(&*version.warnings)
    .bind(version.author.map(|author| author.to_string()))
    .bind(version.created_at.0)
    .bind(version.note.as_deref())
    .bind(version.restores.map(i64::from))
    .execute_in(connection)
    .await?;
    Ok(done > 0)
}

fn summary(row: &AnyRow) -> StoreResult<SpecVersionSummary> {
    Ok(SpecVersionSummary {
        bot: row.parsed("bot_id")?,
        version: row.number("version")?,
        spec_hash: row.parsed("spec_hash")?,
        author: row.opt_parsed("author")?,
        created_at: row.time("created_at")?,
        note: row.opt_text("note")?,
        restored_from: row.opt_number("restored_from")?,
    })
}

fn spec_version(row: &AnyRow) -> StoreResult<SpecVersion> {
    Ok(SpecVersion {
        summary: summary(row)?,
        canonical: row.text("canonical")?,
        warnings: row.text("warnings")?,
    })
}
