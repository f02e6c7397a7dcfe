//! What the audit log keeps.

use std::borrow::Cow;
use std::net::IpAddr;

use uuid::Uuid;

use crate::ids::{AuditId, ProjectId, TokenId, UserId};
use crate::time::TimestampMs;

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditActor {
    /// A person with a session.
    User(UserId),
    /// A program with a person's API token.
    Token {
        /// Whose token.
        user: UserId,
        /// Which.
        token: TokenId,
    },
    /// The installation itself, from its settings.
    System,
    /// Somebody of a kind that only a newer version of the platform knows.
    Unknown {
        /// The person behind it, if there is one.
        user: Option<UserId>,
    },
}

impl AuditActor {
    /// As stored and shown.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token { .. } => "token",
            Self::System => "system",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The person behind it.
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) | Self::Token { user, .. } => Some(user),
            Self::Unknown { user } => user,
            Self::System => None,
        }
    }

    /// The token that was used.
    pub const fn token(self) -> Option<TokenId> {
        match self {
            Self::Token { token, .. } => Some(token),
            Self::User(_) | Self::System | Self::Unknown { .. } => None,
        }
    }
}

/// Names of what the store itself notes beside what it was asked to note.
pub mod consequence {
    /// An API token ended.
    pub const TOKEN_REVOKED: &str = "token.revoked";
    /// An invitation ended unused.
    pub const INVITATION_REVOKED: &str = "invitation.revoked";
    /// Somebody is no member any more.
    pub const MEMBER_REMOVED: &str = "member.removed";
}

/// One thing that was done. Holds no secrets: neither passwords nor tokens nor links, sealed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Id; with `at` the order of the log.
    pub id: AuditId,
    /// When.
    pub at: TimestampMs,
    /// Who.
    pub actor: AuditActor,
    /// What, as `<noun>.<participle>`: `member.removed`. Names are stable; later versions may add some.
    pub verb: Cow<'static, str>,
    /// Kind of the thing it was done to: `bot`, `user` …
    pub object_kind: Cow<'static, str>,
    /// Its id.
    pub object_id: String,
    /// The project that it belongs to; `None` for a person's own affairs.
    pub project: Option<ProjectId>,
    /// Where from.
    pub address: Option<IpAddr>,
    /// The request, as in `X-Request-Id`.
    pub request: Option<Uuid>,
    /// What was there before: a hash, or a word such as a role.
    pub before: Option<String>,
    /// What is there since.
    pub after: Option<String>,
}

impl AuditEntry {
    /// An entry about what else this did, to the thing of this kind and id: by the same actor, in the same request, at the
    /// same time.
    #[must_use]
    pub fn also(&self, verb: &'static str, kind: &'static str, id: &impl ToString) -> Self {
        Self {
            id: AuditId::generate(),
            verb: verb.into(),
            object_kind: kind.into(),
            object_id: id.to_string(),
            before: None,
            after: None,
            ..self.clone()
        }
    }
}
