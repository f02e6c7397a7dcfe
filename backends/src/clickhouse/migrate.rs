//! The schema in ClickHouse. It has no transactions: every statement of a migration may be repeated, so that a run that
//! was cut off is run again, and nodes that start at the same moment do not hurt each other.

use botloom_core::hash::Sha256Hash;
use clickhouse::Client;

use super::connect::{ClickHouseError, UNKNOWN_DATABASE, exception};
use crate::error::ConnectError;

/// Number, name and text of each migration, in order.
const MIGRATIONS: [(u32, &str, &str); 2] = [
    (
        4,
        "analytics",
        include_str!("../../../migrations/clickhouse/0004_analytics.sql"),
    ),
    (
        5,
        "analytics chats",
        include_str!("../../../migrations/clickhouse/0005_analytics_chats.sql"),
    ),
];

const LEDGER: &str = "CREATE TABLE IF NOT EXISTS schema_migrations \
    (version UInt32, name String, digest String, applied_at DateTime DEFAULT now()) \
    ENGINE = ReplacingMergeTree ORDER BY version";

/// Why the schema is not up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// The server is away or busy; try again.
    #[error("{0}")]
    Away(clickhouse::error::Error),
    /// Trying again is of no use before somebody changes something.
    #[error("{0}")]
    For(ConnectError),
}

impl From<clickhouse::error::Error> for Failed {
    fn from(error: clickhouse::error::Error) -> Self {
        // Codes of "authentication failed", "unknown user", "wrong password", "required password", "access denied".
        match exception(&error) {
            Some(516 | 192 | 193 | 194 | 497) => Self::For(ClickHouseError::Refused(error.into()).into()),
            _ => Self::Away(error),
        }
    }
}

/// Applies what is missing.
pub(super) async fn run(client: &Client) -> Result<(), Failed> {
    make_database(client).await?;
    execute(client, LEDGER).await?;
    let applied: Vec<(u32, String)> = client
        .query_raw("SELECT version, digest FROM schema_migrations FINAL ORDER BY version")
        .fetch_all()
        .await?;
    let newest = MIGRATIONS
        .map(|(version, ..)| version)
        .into_iter()
        .max()
        .unwrap_or(0);
    for (version, digest) in &applied {
        let known = MIGRATIONS.iter().find(|(number, ..)| number == version);
        let Some((.., text)) = known else {
            return Err(Failed::For(ConnectError::SchemaTooNew {
                found: (*version).into(),
                newest: newest.into(),
            }));
        };
        if digest_of(text) != *digest {
            return Err(Failed::For(ConnectError::SchemaChanged((*version).into())));
        }
    }
    for (version, name, text) in MIGRATIONS {
        if applied.iter().any(|(number, _)| *number == version) {
            continue;
        }
        for statement in text.split(';').filter(|text| !text.trim().is_empty()) {
            execute(client, statement).await?;
        }
        let note = client
            .query_raw("INSERT INTO schema_migrations (version, name, digest) VALUES ({version:UInt32}, {name:String}, {digest:String})")
            .param("version", version)
            .param("name", name)
            .param("digest", digest_of(text));
        note.execute().await?;
    }
    Ok(())
}

/// Makes the database if there is none. It is asked for first: many users may use a database but not make one.
async fn make_database(client: &Client) -> Result<(), Failed> {
    match execute(client, "SELECT 1").await {
        Err(error) if exception(&error) == Some(UNKNOWN_DATABASE) => {
            let name = client.database().unwrap_or("default").to_owned();
            let anywhere = client.clone().with_database("default");
            Ok(execute(&anywhere, &format!("CREATE DATABASE IF NOT EXISTS `{name}`")).await?)
        }
        other => Ok(other?),
    }
}

async fn execute(client: &Client, statement: &str) -> Result<(), clickhouse::error::Error> {
    client.query_raw(statement).execute().await
}

fn digest_of(text: &str) -> String {
    Sha256Hash::of(text).to_string()
}
