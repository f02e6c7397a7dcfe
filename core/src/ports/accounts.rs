//! Port: people, sessions, projects.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::ids::UserId;
use crate::model::{AuditEntry, Membership, Project, Session, SessionHash, User};
use crate::time::TimestampMs;

/// A new password of somebody who knows the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordChange<'a> {
    /// Whose.
    pub user: UserId,
    /// The hash that must still be the present one; `None`: there is none yet.
    pub old: Option<&'a str>,
    /// The new hash.
    pub new: &'a str,
    /// The session that goes on.
    pub keep: &'a SessionHash,
    /// Whether the API tokens of the user end too, in all projects.
    pub revoke_tokens: bool,
}

/// People, their sessions and projects. Every method is one transaction.
#[async_trait]
pub trait Accounts: Debug + Send + Sync {
    /// Makes the first owner and their project if there is no user at all; answers whether it did. Of any number of
    /// concurrent calls at most one answers `true`.
    async fn create_first_owner(&self, user: &User, project: &Project) -> StoreResult<bool>;

    /// Whether anybody exists.
    async fn has_users(&self) -> StoreResult<bool>;

    /// By e-mail, compared in lower case.
    async fn user_by_email(&self, email: &str) -> StoreResult<Option<User>>;

    /// By id.
    async fn user(&self, id: UserId) -> StoreResult<Option<User>>;

    /// Projects of a user with the role in each, oldest project first.
    async fn memberships(&self, user: UserId) -> StoreResult<Vec<Membership>>;

    /// Stores a new session.
    async fn create_session(&self, session: &Session) -> StoreResult<()>;

    /// By the digest of its id. Expiry is the caller's to judge.
    async fn session(&self, hash: &SessionHash) -> StoreResult<Option<Session>>;

    /// Sessions of a user, newest first, with those that have ended by themselves and were not deleted yet.
    async fn sessions(&self, user: UserId, page: &PageRequest) -> StoreResult<Page<Session>>;

    /// Moves `seen_at` forward; never back. Nothing happens if the session is gone.
    async fn touch_session(&self, hash: &SessionHash, at: TimestampMs) -> StoreResult<()>;

    /// Deletes a session; answers whether it was there.
    async fn delete_session(&self, hash: &SessionHash) -> StoreResult<bool>;

    /// Deletes a session of this user and notes it in the audit log; answers whether it was there.
    async fn end_session(&self, user: UserId, hash: &SessionHash, entry: &AuditEntry) -> StoreResult<bool>;

    /// Deletes all sessions of a user but one and notes it in the audit log; answers how many.
    async fn end_other_sessions(
        &self,
        user: UserId,
        keep: &SessionHash,
        entry: &AuditEntry,
    ) -> StoreResult<u64>;

    /// Replaces the password hash if it is still the old one, deletes all sessions but one, and, if wanted, all API tokens of
    /// the user; notes it in the audit log, each token with an entry of its own in its project. Answers whether it did. Else
    /// nothing changes.
    async fn change_password(&self, change: PasswordChange<'_>, entry: &AuditEntry) -> StoreResult<bool>;

    /// Deletes sessions last seen before `seen_before` or created before `created_before`; answers how many.
    async fn expire_sessions(
        &self,
        seen_before: TimestampMs,
        created_before: TimestampMs,
    ) -> StoreResult<u64>;
}
