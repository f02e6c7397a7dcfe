//! Revisions.

use async_trait::async_trait;
use botloom_core::hash::RevHash;
use botloom_core::ids::BotId;
use botloom_core::model::{ArtifactDigests, RevisionRow};
use botloom_core::ports::{Page, PageRequest, Revisions, StoreResult};
use sqlx::any::AnyRow;
use sqlx::query;

use super::SqlCatalog;
use crate::sql::cursor;
use crate::sql::{RowExt, Statement};

#[async_trait]
impl Revisions for SqlCatalog {
    async fn add_revision(&self, revision: &RevisionRow) -> StoreResult<bool> {
        let insert = query(
            "INSERT INTO revisions (rev_hash, bot_id, spec_version, bot_js_sha256, spec_json_sha256, \
             rev_json_sha256, rev_json, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(revision.rev_hash.to_string())
        .bind(revision.bot.as_str())
        .bind(i64::from(revision.spec_version))
        .bind(revision.digests.bot_js.to_string())
        .bind(revision.digests.spec_json.to_string())
        .bind(revision.digests.rev_json.to_string())
        .bind(&*revision.rev_json)
        .bind(revision.created_at.0);
        Ok(self.db.execute_for("bot", insert).await? > 0)
    }

    async fn revision(&self, rev: &RevHash) -> StoreResult<Option<RevisionRow>> {
        query(
            "SELECT rev_hash, bot_id, spec_version, bot_js_sha256, spec_json_sha256, rev_json_sha256, rev_json, \
             created_at FROM revisions WHERE rev_hash = $1",
        )
        .bind(rev.to_string())
        .optional(&self.db)
.await?
        .map(|row| revision_row(&row))
        .transpose()
    }

    async fn revisions(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<RevisionRow>> {
        let list = format!("revisions:{bot}");
        let Some((before, rev)) = cursor::before(cursor::start(&list, page)) else {
            return Ok(cursor::empty());
        };
        let rows = query(
            "SELECT rev_hash, bot_id, spec_version, bot_js_sha256, spec_json_sha256, rev_json_sha256, rev_json, \
             created_at FROM revisions WHERE bot_id = $1 AND (created_at, rev_hash) < ($2, $3) \
             ORDER BY created_at DESC, rev_hash DESC LIMIT $4",
        )
        .bind(bot.as_str())
        .bind(before)
        .bind(rev)
        .bind(cursor::rows_to_fetch(page))
        .all(&self.db)
.await?;
        cursor::page(&list, page, &rows, revision_row, |row| {
            [row.created_at.0.to_string(), row.rev_hash.to_string()]
        })
    }
}

fn revision_row(row: &AnyRow) -> StoreResult<RevisionRow> {
    Ok(RevisionRow {
        rev_hash: row.parsed("rev_hash")?,
        bot: row.parsed("bot_id")?,
        spec_version: row.number("spec_version")?,
        digests: ArtifactDigests {
            bot_js: row.parsed("bot_js_sha256")?,
            spec_json: row.parsed("spec_json_sha256")?,
            rev_json: row.parsed("rev_json_sha256")?,
        },
        rev_json: row.text("rev_json")?,
        created_at: row.time("created_at")?,
    })
}
