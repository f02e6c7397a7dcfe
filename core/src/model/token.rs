//! Credentials of programs.

use super::Role;
use crate::hash::Sha256Hash;
use crate::ids::{ProjectId, TokenId, UserId};
use crate::time::TimestampMs;

/// An API token that was not revoked: acts for its user, with at most its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Id.
    pub id: TokenId,
    /// Digest of the token; the token itself exists only with its user.
    pub hash: Sha256Hash,
    /// Whose rights it has.
    pub user: UserId,
    /// For people.
    pub name: String,
    /// The most that it may do; never more than its user may at that moment.
    pub role: Role,
    /// The project in which it works.
    pub project: ProjectId,
    /// When it was made.
    pub created_at: TimestampMs,
    /// From then on it is refused.
    pub expires_at: TimestampMs,
    /// Last use, to a minute.
    pub last_used_at: Option<TimestampMs>,
}
