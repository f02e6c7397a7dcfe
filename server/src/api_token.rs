//! The API token of the client commands: from the environment, or from a file that only its owner can read.

use std::path::Path;

use botloom_core::Secret;

use crate::cli::Login;
use crate::error::CommandError;
use crate::private_file;

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
    let text = private_file::read(path, MAX_FILE)?.ok_or_else(|| CommandError::File {
        path: path.to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    match text.trim() {
        "" => Err(CommandError::Other(format!("{} is empty", path.display()))),
        token => Ok(Secret::new(token)),
    }
}
