//! The audit log.

use async_trait::async_trait;
use botloom_core::model::{AuditActor, AuditEntry};
use botloom_core::ports::{Audit, AuditQuery, Page, PageRequest, StoreError, StoreResult};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe, query};

use super::SqlCatalog;
use crate::sql::cursor;
use crate::sql::{RowExt, Statement};

const LIST: &str = "audit";

#[async_trait]
impl Audit for SqlCatalog {
    async fn record(&self, entry: &AuditEntry) -> StoreResult<()> {
        self.db.execute(insert(entry)).await.map(drop)
    }

    async fn audit(&self, wanted: &AuditQuery, page: &PageRequest) -> StoreResult<Page<AuditEntry>> {
        let Some((at, id)) = cursor::before(cursor::start(LIST, page)) else {
            return Ok(cursor::empty());
        };
        let filter = Filter::of(wanted);
        let sql = format!(
            "SELECT id, at, actor, user_id, token_id, verb, object_kind, object_id, project_id, address, request_id, \
             was, became FROM audit_log WHERE (at < $1 OR (at = $1 AND id < $2)) AND {} \
             ORDER BY at DESC, id DESC LIMIT $3",
            filter.sql
        );
        let mut select = query(AssertSqlSafe(sql))
            .bind(at)
            .bind(id)
            .bind(cursor::rows_to_fetch(page));
        for text in filter.texts {
            select = select.bind(text);
        }
        let rows = select.all(&self.db).await?;
        cursor::page(LIST, page, &rows, entry, |item| {
            [item.at.0.to_string(), item.id.to_string()]
        })
    }
}

/// Adds an entry within the transaction of what it tells of.
pub(super) async fn record_in(connection: &mut AnyConnection, entry: &AuditEntry) -> StoreResult<()> {
    insert(entry).execute_in(connection).await.map(drop)
}

fn insert(entry: &AuditEntry) -> Query<'_, Any, AnyArguments> {
    query(
        "INSERT INTO audit_log (id, at, actor, user_id, token_id, verb, object_kind, object_id, project_id, address, \
         request_id, was, became) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT DO NOTHING",
    )
    .bind(entry.id.to_string())
    .bind(entry.at.0)
    .bind(entry.actor.kind())
    .bind(entry.actor.user().map(|user| user.to_string()))
    .bind(entry.actor.token().map(|token| token.to_string()))
    .bind(entry.verb.as_ref())
    .bind(entry.object_kind.as_ref())
    .bind(&*entry.object_id)
    .bind(entry.project.map(|project| project.to_string()))
    .bind(entry.address.map(|address| address.to_string()))
    .bind(entry.request.map(|request| request.to_string()))
    .bind(entry.before.clone())
    .bind(entry.after.clone())
}

/// The condition of a query: only placeholders and numbers are put together, never texts.
struct Filter {
    sql: String,
    texts: Vec<String>,
}

impl Filter {
    /// Placeholders before the first of a filter.
    const BEFORE: usize = 3;

    fn of(wanted: &AuditQuery) -> Self {
        let mut filter = Self {
            sql: String::new(),
            texts: Vec::new(),
        };
        let projects: Vec<String> = wanted
            .projects
            .iter()
            .map(|project| filter.text(project.to_string()))
            .collect();
        let mut seen = Vec::new();
        if !projects.is_empty() {
            seen.push(format!("project_id IN ({})", projects.join(", ")));
        }
        if let Some(user) = wanted.own {
            let user = filter.text(user.to_string());
            seen.push(format!("(project_id IS NULL AND user_id = {user})"));
        }
        let seen = if seen.is_empty() {
            "1 = 0".to_owned()
        } else {
            seen.join(" OR ")
        };
        let mut all = vec![format!("({seen})")];
        let columns = [
            ("user_id", wanted.user.map(|user| user.to_string())),
            ("verb", wanted.verb.clone()),
            ("object_kind", wanted.object_kind.clone()),
            ("object_id", wanted.object_id.clone()),
        ];
        for (column, text) in columns {
            if let Some(text) = text {
                let text = filter.text(text);
                all.push(format!("{column} = {text}"));
            }
        }
        if let Some(since) = wanted.since {
            all.push(format!("at >= {}", since.0));
        }
        if let Some(until) = wanted.until {
            all.push(format!("at < {}", until.0));
        }
        filter.sql = all.join(" AND ");
        filter
    }

    /// The placeholder for a text.
    fn text(&mut self, text: String) -> String {
        self.texts.push(text);
        format!("${}", Self::BEFORE + self.texts.len())
    }
}

fn entry(row: &AnyRow) -> StoreResult<AuditEntry> {
    let corrupt = |column: &str| StoreError::Corrupt(format!("column {column}"));
    let (user, token) = (row.opt_parsed("user_id")?, row.opt_parsed("token_id")?);
    let actor = match (&*row.text("actor")?, user, token) {
        ("user", Some(user), None) => AuditActor::User(user),
        ("token", Some(user), Some(token)) => AuditActor::Token { user, token },
        ("system", None, None) => AuditActor::System,
        ("user" | "token" | "system", ..) => return Err(corrupt("actor")),
        _ => AuditActor::Unknown { user },
    };
    Ok(AuditEntry {
        id: row.parsed("id")?,
        at: row.time("at")?,
        actor,
        verb: row.text("verb")?.into(),
        object_kind: row.text("object_kind")?.into(),
        object_id: row.text("object_id")?,
        project: row.opt_parsed("project_id")?,
        address: row.opt_parsed("address")?,
        request: row.opt_parsed("request_id")?,
        before: row.opt_text("was")?,
        after: row.opt_text("became")?,
    })
}
