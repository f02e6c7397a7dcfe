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
    /// Roles are split although a part of the storage cannot be shared.
    #[error(
        "BOTLOOM_ROLES: several nodes need shared storage, and {missing} is not set, so that part is embedded; set it, or leave BOTLOOM_ROLES unset"
    )]
    EmbeddedRoles { missing: &'static str },
    /// The file cannot be read.
    #[error("cannot read {}: {reason}", .path.display())]
    File { path: PathBuf, reason: String },
}

fn hint(suggestion: Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |key| format!("; did you mean {key}?"))
}
