//! Files with secrets, which nobody but their owner may be able to read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::error::CommandError;

/// The text of a file, at most so many bytes of it; `None` if there is no such file. Refused while others can read it.
pub(crate) fn read(path: &Path, most: u64) -> Result<Option<String>, CommandError> {
    let failed = |source| CommandError::File {
        path: path.to_owned(),
        source,
    };
    // Opened first, and judged as what is open: a name may come to mean another file in between.
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mode = file.metadata().map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        return Err(CommandError::Other(format!(
            "{} can be read by others (mode {:03o}); chmod 600 it",
            path.display(),
            mode & 0o777
        )));
    }
    let mut text = String::new();
    file.take(most).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}
