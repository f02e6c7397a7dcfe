//! The API token of the client commands: from the environment, or from a file that only its owner can read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use botloom_core::Secret;

use crate::cli::Login;
use crate::error::CommandError;

/// Variable with a token. No argument takes one: arguments are visible to others.
const VARIABLE: &str = "BOTLOOM_TOKEN";
/// Longest file that is read.
const MAX_FILE: u64 = 4096;

/// The token to use, if one is given. Both at once are refused: one of them is not meant.
pub(crate) fn find(login: &Login) -> Result<Option<Secret>, CommandError> {
    let variable = std::env::var(VARIABLE).ok().filter(|token| !token.is_empty());
    match (variable, &login.token_file) {
        (Some(_), Some(_)) => Err(CommandError::Other(format!(
            "{VARIABLE} and a token file are both given; give one"
        ))),
        (Some(token), None) => Ok(Some(Secret::new(token.trim()))),
        (None, Some(path)) => read(path).map(Some),
        (None, None) => Ok(None),
    }
}

fn read(path: &Path) -> Result<Secret, CommandError> {
    let failed = |source| CommandError::File {
        path: path.to_owned(),
        source,
    };
    // Opened first, and judged as what is open: a name may come to mean another file in between.
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        return Err(CommandError::Other(format!(
            "{} can be read by others (mode {:03o}); chmod 600 it",
            path.display(),
            mode & 0o777
        )));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(failed)?;
    match text.trim() {
        "" => Err(CommandError::Other(format!("{} is empty", path.display()))),
        token => Ok(Secret::new(token)),
    }
}
