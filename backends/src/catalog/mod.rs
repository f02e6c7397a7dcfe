//! The catalog over SQL, one file per part of the port.

mod accounts;
mod audit;
mod bots;
mod deployments;
mod endings;
mod idempotency;
mod identities;
mod leases;
mod managed_bots;
mod members;
mod profiles;
mod projects;
mod revisions;
mod tokens;
mod versions;
mod webhook_pace;
mod webhook_survey;
mod webhooks;

use botloom_core::ports::StoreResult;
use sqlx::{AnyConnection, query};

use crate::sql::{Database, Statement as _};

/// Users, projects, members, identities, API tokens, bots, published profiles, managed bots, versions, revisions, deployments,
/// idempotency keys, leases, the audit log and checks of webhooks in a [`Database`].
#[derive(Debug, Clone)]
pub struct SqlCatalog {
    db: Database,
}

impl SqlCatalog {
    /// The catalog in `db`.
    pub fn new(db: &Database) -> Self {
        Self { db: db.clone() }
    }
}

/// From here on, transactions that call this go one after the other. For what must be unique and has no unique index: names
/// of projects, identities of bots; where transactions run side by side, two could take the same one.
async fn alone(connection: &mut AnyConnection) -> StoreResult<()> {
    query("UPDATE installation SET created_at = created_at WHERE id = 1")
        .execute_in(connection)
        .await
        .map(drop)
}
