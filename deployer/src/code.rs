//! Stable codes of failed deployments; each has a page in `docs/errors/`. Codes of artifacts, stores and sandboxes come
//! from `core` as they are.

/// Another activation of the bot came first.
pub(crate) const SUPERSEDED: &str = "superseded";
/// The bot was deleted meanwhile.
pub(crate) const BOT_DELETED: &str = "bot-deleted";
/// A step did not end in time.
pub(crate) const RUNTIME_TIMEOUT: &str = "runtime-timeout";
/// The AST filter refuses the program.
pub(crate) const UNSAFE_PROGRAM: &str = "unsafe-program";
/// A file of the revision does not exist.
pub(crate) const ARTIFACT_MISSING: &str = "artifact-missing";
/// A file of the revision is not what was stored.
pub(crate) const ARTIFACT_CORRUPT: &str = "artifact-corrupt";
/// There is no such deployment.
pub(crate) const NOT_FOUND: &str = "not-found";

/// All codes of this crate.
pub const CODES: [&str; 7] = [
    SUPERSEDED,
    BOT_DELETED,
    RUNTIME_TIMEOUT,
    UNSAFE_PROGRAM,
    ARTIFACT_MISSING,
    ARTIFACT_CORRUPT,
    NOT_FOUND,
];
