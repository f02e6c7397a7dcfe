//! What is wrong with the settings, naming the key.

use std::path::PathBuf;

/// A setting that cannot be used. Starting stops with it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// Nobody knows this key.
    #[error("unknown setting {key} in {source_name}{}", hint(*.suggestion))]
    Unknown {
        key: String,
        source_name: String,
        suggestion: Option<&'static str>,
    },
    /// The value does not fit.
    #[error("{key}: {reason}")]
    Invalid { key: &'static str, reason: String },
    /// The setting belongs to storage that this build does not contain.
    #[error("{key} is set, but this version contains the embedded storage only: unset it")]
    NotInThisBuild { key: &'static str },
    /// Roles are split although the storage cannot be shared.
    #[error(
        "BOTLOOM_ROLES: several nodes need shared storage, and this node's storage is embedded; leave it unset"
    )]
    EmbeddedRoles,
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    File { path: PathBuf, reason: String },
}

fn hint(suggestion: Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |key| format!("; did you mean {key}?"))
}
