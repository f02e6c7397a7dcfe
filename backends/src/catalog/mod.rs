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
mod webhooks;

use crate::sql::Database;

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
