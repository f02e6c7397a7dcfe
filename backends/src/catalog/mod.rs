//! The catalog over SQL, one file per part of the port.

mod accounts;
mod bots;
mod deployments;
mod idempotency;
mod revisions;
mod versions;

use crate::sql::Database;

/// Users, projects, bots, versions, revisions, deployments and idempotency keys in a [`Database`].
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
