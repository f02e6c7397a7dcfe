//! Port: people at an identity provider.

use std::fmt::{self, Debug};

use async_trait::async_trait;

use super::StoreResult;
use crate::hash::Sha256Hash;
use crate::ids::{ProjectId, UserId};
use crate::model::{AuditEntry, Identity, LoginAttempt, Membership, Newcomer, Role};
use crate::time::TimestampMs;

/// What became of an identity that somebody wants to link with their account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    /// It is theirs now.
    Linked,
    /// It was theirs before; nothing changed.
    AlreadyTheirs,
    /// It belongs to another account; nothing changed.
    Taken,
    /// The account has another identity of this issuer; nothing changed.
    HasAnother,
}

/// Which project a rule of the installation means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectKey {
    /// This one, whatever its name.
    Id(ProjectId),
    /// Whichever has this name.
    Name(String),
}

impl From<&str> for ProjectKey {
    /// A text that can be an id is one.
    fn from(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Name(text.to_owned()), Self::Id)
    }
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => fmt::Display::fmt(id, f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// By what somebody who comes for the first time gets an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admittance {
    /// By the invitation whose secret has this digest; it is used up.
    Invitation(Sha256Hash),
    /// By a rule of the installation, which makes them a member of this project.
    Project {
        /// Which. A name is looked up when they join, in the same transaction.
        project: ProjectKey,
        /// Their role in it.
        role: Role,
    },
    /// By a rule of the installation; they belong to no project yet.
    Account,
}

/// What became of somebody who came for the first time. Everything but `Admitted` changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The account, its identity and its membership are there.
    Admitted(Option<Membership>),
    /// There is no such invitation or project, or not any more.
    Gone,
    /// Somebody has this e-mail address.
    EmailTaken,
    /// The identity has an account: somebody was faster.
    IdentityTaken,
}

/// Identities and logins under way. Every method is one transaction; a change and its entries in the audit log are the same
/// one, and what changes nothing is not logged.
#[async_trait]
pub trait Identities: Debug + Send + Sync {
    /// Stores a login that is sent to a provider.
    async fn start_attempt(&self, attempt: &LoginAttempt) -> StoreResult<()>;

    /// Takes out a login that has not expired. Of any number of concurrent calls one gets it.
    async fn take_attempt(&self, hash: &Sha256Hash, at: TimestampMs) -> StoreResult<Option<LoginAttempt>>;

    /// Deletes logins that expired at or before this time; answers how many.
    async fn expire_attempts(&self, at: TimestampMs) -> StoreResult<u64>;

    /// By issuer and subject, compared exactly.
    async fn identity(&self, issuer: &str, subject: &str) -> StoreResult<Option<Identity>>;

    /// Identities of an account, oldest first.
    async fn identities(&self, user: UserId) -> StoreResult<Vec<Identity>>;

    /// Links an identity with an account that exists.
    async fn link_identity(&self, identity: &Identity, entry: &AuditEntry) -> StoreResult<Linking>;

    /// Unlinks all identities of an account that has a password; answers how many. One without a password keeps them.
    async fn unlink_identities(&self, user: UserId, entry: &AuditEntry) -> StoreResult<u64>;

    /// Makes an account with its identity. Of any number of concurrent calls for one identity, one succeeds. Entries
    /// that name no project get the one that they join.
    async fn admit(
        &self,
        newcomer: &Newcomer,
        by: &Admittance,
        at: TimestampMs,
        entries: &[AuditEntry],
    ) -> StoreResult<Admission>;
}
