//! Port: members of projects, and invitations.

use std::fmt::Debug;

use async_trait::async_trait;

use super::{Page, PageRequest, StoreResult};
use crate::hash::Sha256Hash;
use crate::ids::{InvitationId, ProjectId, UserId};
use crate::model::{AuditEntry, Invitation, Member, Membership, Role, User};
use crate::time::TimestampMs;

/// What became of a change to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberChange {
    /// Done, or it was so before.
    Changed {
        /// The role until now.
        before: Role,
    },
    /// The project has no such member; nothing changed.
    Missing,
    /// The project would have no owner; nothing changed.
    LastOwner,
}

/// What became of an invitation that somebody wants to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// It is used up, and they are a member.
    Joined(Membership),
    /// There is no such invitation, or not any more.
    Gone,
    /// They are a member already; the invitation stays.
    AlreadyMember,
    /// Somebody has this e-mail address; the invitation stays.
    EmailTaken,
}

/// Members and invitations. Every method is one transaction; a change and its entry in the audit log are the same one,
/// and what changes nothing is not logged.
#[async_trait]
pub trait Members: Debug + Send + Sync {
    /// Members of a project, by e-mail in lower case.
    async fn members(&self, project: ProjectId, page: &PageRequest) -> StoreResult<Page<Member>>;

    /// Gives a member another role. A project keeps an owner, also when two take each other's role at the same moment.
    /// Invitations of somebody who is no owner any more end, each with an entry of its own. `before` and `after` of the entry
    /// are filled in.
    async fn set_role(
        &self,
        project: ProjectId,
        user: UserId,
        role: Role,
        entry: &AuditEntry,
    ) -> StoreResult<MemberChange>;

    /// Takes somebody out of a project, with the invitations that they made and their API tokens for this project alone, each
    /// with an entry of its own. A project keeps an owner. `before` of the entry is filled in.
    async fn remove_member(
        &self,
        project: ProjectId,
        user: UserId,
        entry: &AuditEntry,
    ) -> StoreResult<MemberChange>;

    /// Stores an invitation. `Missing` if its author does not own the project.
    async fn create_invitation(&self, invitation: &Invitation, entry: &AuditEntry) -> StoreResult<()>;

    /// By the digest of its secret. Expiry is the caller's to judge.
    async fn invitation(&self, hash: &Sha256Hash) -> StoreResult<Option<Invitation>>;

    /// Invitations to a project, newest first.
    async fn invitations(&self, project: ProjectId, page: &PageRequest) -> StoreResult<Page<Invitation>>;

    /// Deletes an invitation to this project; answers whether it was there.
    async fn revoke_invitation(
        &self,
        project: ProjectId,
        id: InvitationId,
        entry: &AuditEntry,
    ) -> StoreResult<bool>;

    /// Uses an invitation for somebody who has an account. Of any number of concurrent uses, by whomever, one succeeds.
    async fn accept_invitation(
        &self,
        hash: &Sha256Hash,
        user: UserId,
        at: TimestampMs,
        entry: &AuditEntry,
    ) -> StoreResult<Acceptance>;

    /// Uses an invitation for a new account, which is made by it.
    async fn register(
        &self,
        hash: &Sha256Hash,
        user: &User,
        at: TimestampMs,
        entry: &AuditEntry,
    ) -> StoreResult<Acceptance>;

    /// Deletes invitations that expired at or before this time; answers how many.
    async fn expire_invitations(&self, at: TimestampMs) -> StoreResult<u64>;
}
