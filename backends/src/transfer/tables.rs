//! Rows of the catalog, table by table, in the types that both databases share.
//!
//! Longer than most files: one list of all tables, which is read as a whole.

use botloom_core::ports::{StoreError, StoreResult};
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _, query};

use super::tally::Tally;
use crate::sql::{Database, placeholders, store_error};

/// Rows read and written at a time.
const PAGE: i64 = 500;

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Text(&'static str),
    Int(&'static str),
    Bytes(&'static str),
}

use Column::{Bytes, Int, Text};

impl Column {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Text(name) | Int(name) | Bytes(name) => name,
        }
    }
}

/// A table: its columns, the first `key` of which are its primary key.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) key: usize,
    pub(crate) columns: &'static [Column],
}

/// Everything that outlives a process, in an order in which every row finds what it refers to. Events and telemetry
/// have their own ways: they may be kept elsewhere than in SQL.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "installation",
        key: 1,
        columns: &[Int("id"), Text("first_owner"), Int("created_at")],
    },
    Table {
        name: "users",
        key: 1,
        columns: &[
            Text("id"),
            Text("email"),
            Text("email_key"),
            Text("password_hash"),
            Int("created_at"),
        ],
    },
    Table {
        name: "projects",
        key: 1,
        columns: &[Text("id"), Text("name"), Int("created_at"), Int("deleted_at")],
    },
    Table {
        name: "members",
        key: 2,
        columns: &[Text("project_id"), Text("user_id"), Text("role")],
    },
    Table {
        name: "invitations",
        key: 1,
        columns: &[
            Text("id"),
            Text("hash"),
            Text("project_id"),
            Text("role"),
            Text("created_by"),
            Int("created_at"),
            Int("expires_at"),
        ],
    },
    Table {
        name: "api_tokens",
        key: 1,
        columns: &[
            Text("id"),
            Text("hash"),
            Text("user_id"),
            Text("name"),
            Text("role"),
            Text("project_id"),
            Int("created_at"),
            Int("expires_at"),
            Int("last_used_at"),
        ],
    },
    Table {
        name: "sessions",
        key: 1,
        columns: &[
            Text("hash"),
            Text("user_id"),
            Text("csrf"),
            Int("created_at"),
            Int("seen_at"),
            Text("address"),
            Text("agent"),
        ],
    },
    Table {
        name: "identities",
        key: 2,
        columns: &[
            Text("issuer"),
            Text("subject"),
            Text("user_id"),
            Text("email"),
            Int("created_at"),
        ],
    },
    Table {
        name: "login_attempts",
        key: 1,
        columns: &[
            Text("hash"),
            Text("session"),
            Text("invitation"),
            Text("return_to"),
            Int("expires_at"),
        ],
    },
    Table {
        name: "bots",
        key: 1,
        columns: &[
            Text("id"),
            Text("project_id"),
            Text("name"),
            Text("active_rev"),
            Int("epoch"),
            Bytes("token"),
            Int("telegram_id"),
            Text("telegram_username"),
            Text("ingress"),
            Bytes("webhook_secret"),
            Text("suspended"),
            Int("paused_at"),
            Text("staging_of"),
            Int("deleted_at"),
            Int("created_at"),
            Int("version"),
        ],
    },
    Table {
        name: "bot_profiles",
        key: 1,
        columns: &[
            Int("telegram_id"),
            Text("published"),
            Text("settled"),
            Int("published_at"),
            Text("failure"),
            Int("attempts"),
            Int("due_at"),
            Int("version"),
        ],
    },
    Table {
        name: "managed_requests",
        key: 1,
        columns: &[
            Text("bot_id"),
            Text("user_id"),
            Text("request_id"),
            Text("username"),
            Text("link"),
            Int("created_at"),
            Int("expires_at"),
            Int("telegram_id"),
            Int("creator_id"),
            Text("creator_name"),
            Text("creator_username"),
            Int("attached_at"),
            Text("failure"),
        ],
    },
    Table {
        name: "telegram_accounts",
        key: 2,
        columns: &[Text("user_id"), Int("telegram_id"), Int("created_at")],
    },
    Table {
        name: "leases",
        key: 1,
        columns: &[Text("name"), Text("holder"), Int("expires_at")],
    },
    Table {
        name: "spec_versions",
        key: 2,
        columns: &[
            Text("bot_id"),
            Int("version"),
            Text("spec_hash"),
            Text("canonical"),
            Text("warnings"),
            Text("author"),
            Int("created_at"),
            Text("note"),
            Int("restored_from"),
        ],
    },
    Table {
        name: "revisions",
        key: 1,
        columns: &[
            Text("rev_hash"),
            Text("bot_id"),
            Int("spec_version"),
            Text("bot_js_sha256"),
            Text("spec_json_sha256"),
            Text("rev_json_sha256"),
            Text("rev_json"),
            Int("created_at"),
        ],
    },
    Table {
        name: "deployments",
        key: 1,
        columns: &[
            Text("task_id"),
            Text("bot_id"),
            Text("status"),
            Text("stage"),
            Text("stages"),
            Text("from_rev"),
            Text("to_rev"),
            Int("seen_epoch"),
            Int("epoch"),
            Int("is_rollback"),
            Int("min_sandboxes"),
            Text("error_code"),
            Text("error_detail"),
            Text("author"),
            Int("created_at"),
            Int("updated_at"),
            Int("version"),
            Int("watch_until"),
            Text("reason"),
        ],
    },
    Table {
        name: "idempotency_keys",
        key: 3,
        columns: &[
            Text("user_id"),
            Text("route"),
            Text("idempotency_key"),
            Text("fingerprint"),
            Int("claimed_at"),
            Int("lease_until"),
            Int("response_status"),
            Text("response_headers"),
            Bytes("response_body"),
        ],
    },
    Table {
        name: "webhook_checks",
        key: 1,
        columns: &[
            Text("bot_id"),
            Int("next_at"),
            Int("claimed_until"),
            Int("fence"),
            Text("status"),
            Text("codes"),
            Text("findings"),
            Int("since"),
            Int("told"),
            Int("checked_at"),
            Int("unanswered_since"),
            Int("pending"),
            Int("growth"),
            Int("error_at"),
            Text("registered"),
            Text("registering"),
            Text("secret"),
            Text("tried"),
            Int("tried_at"),
            Int("moved_at"),
            Int("moved_error_at"),
            Int("moved_well"),
        ],
    },
    Table {
        name: "webhook_grants",
        key: 1,
        columns: &[Int("seq"), Int("at"), Text("bot_id")],
    },
    Table {
        name: "webhook_changes",
        key: 1,
        columns: &[
            Int("id"),
            Text("public_url"),
            Int("held_until"),
            Int("moves_held_since"),
        ],
    },
    Table {
        name: "audit_log",
        key: 1,
        columns: &[
            Text("id"),
            Int("at"),
            Text("actor"),
            Text("user_id"),
            Text("token_id"),
            Text("verb"),
            Text("object_kind"),
            Text("object_id"),
            Text("project_id"),
            Text("address"),
            Text("request_id"),
            Text("was"),
            Text("became"),
        ],
    },
    Table {
        name: "tasks",
        key: 1,
        columns: &[
            Text("id"),
            Text("kind"),
            Text("project_id"),
            Text("bot_id"),
            Text("payload"),
            Text("status"),
            Int("progress"),
            Text("rev_hash"),
            Text("error_code"),
            Text("error_detail"),
            Text("author"),
            Int("attempts"),
            Int("fence"),
            Int("due"),
            Text("exclusive"),
            Int("created_at"),
            Int("updated_at"),
        ],
    },
];

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    fn read(row: &AnyRow, at: usize, column: Column) -> StoreResult<Self> {
        match column {
            Text(_) => row.try_get(at).map(Self::Text),
            Int(_) => row.try_get(at).map(Self::Int),
            Bytes(_) => row.try_get(at).map(Self::Bytes),
        }
        .map_err(store_error)
    }

    fn fold(&self, hash: &mut Sha256) {
        let mut field = |tag: u8, bytes: &[u8]| {
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Text(None) | Self::Int(None) | Self::Bytes(None) => field(0, &[]),
            Self::Text(Some(text)) => field(1, text.as_bytes()),
            Self::Int(Some(number)) => field(2, &number.to_le_bytes()),
            Self::Bytes(Some(bytes)) => field(3, bytes),
        }
    }
}

impl Table {
    /// Whether it has no rows.
    pub(crate) async fn is_empty(&self, db: &Database) -> StoreResult<bool> {
        let sql = format!("SELECT 1 FROM {} LIMIT 1", self.name);
        let row = query(AssertSqlSafe(sql)).fetch_optional(db.reader()).await;
        Ok(row.map_err(store_error)?.is_none())
    }

    /// Writes all rows of `from` into `to`.
    pub(crate) async fn copy(&self, from: &Database, to: &Database) -> StoreResult<()> {
        let mut after = None;
        loop {
            let rows = self.page(from, after.as_deref()).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(last[..self.key].to_vec());
            let mut tx = to.write().await?;
            for row in &rows {
                let mut insert = query(AssertSqlSafe(self.insert()));
                for value in row {
                    insert = match value.clone() {
                        Value::Text(text) => insert.bind(text),
                        Value::Int(number) => insert.bind(number),
                        Value::Bytes(bytes) => insert.bind(bytes),
                    };
                }
                insert.execute(tx.connection()).await.map_err(store_error)?;
            }
            tx.commit().await?;
        }
    }

    /// Counts and hashes all rows.
    pub(crate) async fn tally(&self, db: &Database) -> StoreResult<Tally> {
        let mut tally = Tally::default();
        let mut after = None;
        loop {
            let rows = self.page(db, after.as_deref()).await?;
            let Some(last) = rows.last() else {
                return Ok(tally);
            };
            after = Some(last[..self.key].to_vec());
            for row in &rows {
                let mut hash = Sha256::new();
                for value in row {
                    value.fold(&mut hash);
                }
                tally.add(hash.finalize().into());
            }
        }
    }

    async fn page(&self, db: &Database, after: Option<&[Value]>) -> StoreResult<Vec<Vec<Value>>> {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name()).collect();
        let key = names[..self.key].join(", ");
        let behind = if after.is_some() {
            format!("WHERE ({key}) > ({})", placeholders(1, self.key))
        } else {
            String::new()
        };
        let sql = format!(
            "SELECT {} FROM {} {behind} ORDER BY {key} LIMIT {PAGE}",
            names.join(", "),
            self.name
        );
        let mut select = query(AssertSqlSafe(sql));
        for value in after.into_iter().flatten() {
            select = match value {
                Value::Text(Some(text)) => select.bind(text.clone()),
                Value::Int(Some(number)) => select.bind(*number),
                _ => return Err(StoreError::Corrupt(format!("a key of {} is null", self.name))),
            };
        }
        let rows = select.fetch_all(db.reader()).await.map_err(store_error)?;
        rows.iter()
            .map(|row| {
                let columns = self.columns.iter().enumerate();
                columns
                    .map(|(at, column)| Value::read(row, at, *column))
                    .collect()
            })
            .collect()
    }

    fn insert(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name()).collect();
        format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.name,
            names.join(", "),
            placeholders(1, names.len())
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table or column that a migration adds must be moved too, or be left behind on purpose.
    #[tokio::test]
    async fn every_column_of_the_schema_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::open_sqlite(&dir.path().join("control.db"))
            .await
            .unwrap();
        let sql = "SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p \
                   WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1, 2";
        let rows = query(sql).fetch_all(db.reader()).await.unwrap();
        let stored: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let elsewhere = ["_sqlx_migrations", "events", "analytics_events"];
        let stored: Vec<_> = stored
            .into_iter()
            .filter(|(table, _)| !elsewhere.contains(&table.as_str()))
            .collect();
        let mut listed: Vec<(String, String)> = TABLES
            .iter()
            .flat_map(|table| {
                let columns = table.columns.iter();
                columns.map(|column| (table.name.to_owned(), column.name().to_owned()))
            })
            .collect();
        listed.sort();
        assert_eq!(listed, stored);
    }
}
