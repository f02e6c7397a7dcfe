//! Logins at an identity provider: whose they are, and those under way.

use super::{SessionHash, User};
use crate::hash::Sha256Hash;
use crate::ids::UserId;
use crate::time::TimestampMs;

/// A person as an OpenID provider knows them, linked with an account. Issuer and subject together name them for ever
/// (OpenID Connect Core 1.0, section 5.7); an e-mail address does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's own name, the claim `iss`.
    pub issuer: String,
    /// The provider's name of the person, the claim `sub`; at most 255 ASCII characters.
    pub subject: String,
    /// Whose it is here. An account has at most one of an issuer.
    pub user: UserId,
    /// The address that the provider told when it was linked; only to be shown.
    pub email: Option<String>,
    /// When it was linked.
    pub created_at: TimestampMs,
}

/// What a login at a provider is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptPurpose {
    /// To log in.
    LogIn,
    /// To link the identity with the account of this session.
    Link(SessionHash),
    /// To log in, or to get an account, and use the invitation whose secret has this digest.
    Join(Sha256Hash),
}

/// A login that was sent to a provider and has not come back. It can be finished once, by the browser that began it, on any
/// node. Everything that must stay secret (state, nonce, PKCE verifier) is derived from a secret in the browser's cookie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginAttempt {
    /// Digest of the secret in the cookie.
    pub hash: Sha256Hash,
    /// What it is for.
    pub purpose: AttemptPurpose,
    /// Path to go to afterwards.
    pub return_to: String,
    /// From then on it cannot be finished.
    pub expires_at: TimestampMs,
}

/// Somebody who comes for the first time, by an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newcomer {
    /// The account to be made.
    pub user: User,
    /// Its identity.
    pub identity: Identity,
}
