//! Who belongs to a project, and who is asked to.

use super::Role;
use crate::hash::Sha256Hash;
use crate::ids::{InvitationId, ProjectId, UserId};
use crate::time::TimestampMs;

/// A person in a project, seen from the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// As it was given.
    pub email: String,
    /// What they may do.
    pub role: Role,
}

/// An open invitation to a project: whoever has its secret may join once. It ends by being used, by being revoked, with
/// its time, and when the person who made it is no owner any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Id.
    pub id: InvitationId,
    /// Digest of the secret; the secret itself exists only in the link.
    pub hash: Sha256Hash,
    /// Where to.
    pub project: ProjectId,
    /// The role that it gives.
    pub role: Role,
    /// The owner who made it.
    pub created_by: UserId,
    /// When.
    pub created_at: TimestampMs,
    /// From then on it cannot be used.
    pub expires_at: TimestampMs,
}
