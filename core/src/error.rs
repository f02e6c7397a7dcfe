//! How every crate tells of a failure: a kind for machines that only route, a stable code for people who look it up,
//! a text for outside. The inside (sources, SQL, addresses) stays in `Debug` and the log.

use std::error::Error;

/// What a caller can do about a failure. Decides the HTTP status in one place of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is at fault and will be at fault again.
    Invalid,
    /// Nobody is logged in, or the credential is wrong.
    Unauthenticated,
    /// The caller may see the thing but not do this to it.
    Forbidden,
    /// It does not exist, or the caller may not know that it does.
    NotFound,
    /// It existed and was deleted for good.
    Gone,
    /// The present state refuses the request; another state may not.
    Conflict,
    /// A condition that the caller stated (`If-Match`) does not hold.
    PreconditionFailed,
    /// More than a stated limit.
    TooLarge,
    /// Too often; wait.
    RateLimited,
    /// A dependency is away; the same request may succeed later.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// Whether the same request can succeed later without being changed.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }
}

/// An error that can be shown.
pub trait Coded: Error {
    /// What the caller can do about it.
    fn kind(&self) -> Kind;

    /// Stable, documented, `kebab-case`; the page `docs/errors/<code>.md` explains it.
    fn code(&self) -> &'static str;

    /// After how many seconds the same request may succeed, where that is known.
    fn retry_after(&self) -> Option<u64> {
        None
    }

    /// One sentence for the person who made the request. Holds no internals, no paths, no secrets.
    fn outside(&self) -> String;
}
