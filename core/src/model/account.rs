//! People, their sessions, and what they may do where.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::hash::Sha256Hash;
use crate::ids::{ProjectId, UserId};
use crate::time::TimestampMs;

/// A person who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// Unique, compared in lower case.
    pub email: String,
    /// Argon2id hash in PHC string format. `None`: the account has no password, its person logs in at an identity provider.
    pub password_hash: Option<String>,
    /// When the account was made.
    pub created_at: TimestampMs,
}

/// A group of bots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Id.
    pub id: ProjectId,
    /// Name, unique in an installation.
    pub name: String,
    /// When it was made.
    pub created_at: TimestampMs,
}

/// What a member may do in a project. Each role includes the ones after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Spec, generate, deploy, rollback.
    Editor,
    /// Members, tokens, deletion.
    Owner,
}

impl Role {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = crate::ids::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "editor" => Ok(Self::Editor),
            "owner" => Ok(Self::Owner),
            _ => Err(crate::ids::InvalidId { what: "role" }),
        }
    }
}

/// A project seen by one of its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The project.
    pub project: Project,
    /// The member's role in it.
    pub role: Role,
}

/// Digest of a session id; the id itself exists only in the browser.
pub type SessionHash = Sha256Hash;

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Digest of the id in the cookie.
    pub hash: SessionHash,
    /// Who.
    pub user: UserId,
    /// Digest of the CSRF token that belongs to it.
    pub csrf: Sha256Hash,
    /// When the login happened; the session ends 7 days later whatever happens.
    pub created_at: TimestampMs,
    /// Last use; the session ends 12 hours after it.
    pub seen_at: TimestampMs,
    /// Where the login came from.
    pub address: Option<IpAddr>,
    /// What the browser called itself, at most 256 characters.
    pub agent: Option<String>,
}
