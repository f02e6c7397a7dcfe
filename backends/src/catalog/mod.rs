//! The catalog over SQL, one file per part of the port.

mod accounts;
mod audit;
mod bots;
mod deployments;
mod idempotency;
mod leases;
mod managed_bots;
mod members;
mod profiles;
mod revisions;
mod tokens;
mod versions;

use crate::sql::Database;

/// Users, projects, members, API tokens, bots, published profiles, managed bots, versions, revisions, deployments,
/// idempotency keys, leases and the audit log in a [`Database`].
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
