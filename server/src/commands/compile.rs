//! `botloom compile`: what a spec becomes.

use std::path::Path;

use crate::error::{self, CommandError, CommandResult};
use crate::terminal::{note, say};

/// Prints or writes the `bot.js` of a spec.
pub(crate) fn compile(file: &Path, out: Option<&Path>) -> CommandResult {
    let accepted = super::validate::accept(file, &error::read(file)?)?;
    let source = botloom_generator::compile(&accepted.spec);
    match out {
        None => say(source.trim_end()),
        Some(path) => {
            std::fs::write(path, &source).map_err(|source| CommandError::File {
                path: path.to_owned(),
                source,
            })?;
            note(format!("{} bytes written to {}", source.len(), path.display()));
        }
    }
    Ok(())
}
