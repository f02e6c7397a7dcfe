//! The API token of the client commands: from the environment, from the settings file, or from a file that only its owner
//! can read.

use std::path::Path;

use botloom_core::Secret;

use crate::cli::{Login, TokenGiven};
use crate::error::CommandError;
use crate::private_file;

/// Longest file that is read.
const MAX_FILE: u64 = 4096;

/// The token to use, if one is given, and where it stands. Both at once are refused: one of them is not meant.
pub(crate) fn find(login: &Login) -> Result<Option<(Secret, String)>, CommandError> {
    match &login.token {
        None => Ok(None),
        Some(TokenGiven::Both) => Err(CommandError::Other(
            "BOTLOOM_TOKEN and a token file are both given; give one".to_owned(),
        )),
        Some(TokenGiven::Text { token, layer }) => {
            let place = format!("BOTLOOM_TOKEN of {layer}");
            Ok(Some((Secret::new(token.trim()), place)))
        }
        Some(TokenGiven::In(path)) => {
            let place = format!("the token in {}", path.display());
            Ok(Some((read(path)?, place)))
        }
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
