//! One command at a time writes into a folder of specs.
//!
//! The folder itself is locked (flock(2)): its files are replaced as they are written, and nothing is left in it for git.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::CommandError;
use crate::terminal::note;

/// That nobody else writes into a folder; until this is dropped, or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Hold {
    _folder: File,
}

impl Hold {
    /// Waits until nobody else writes into the folder. `None` where the file system knows no locks; then that is told.
    pub(super) async fn take(dir: &Path) -> Result<Option<Self>, CommandError> {
        let failed = CommandError::at(dir);
        let folder = File::open(dir).map_err(&failed)?;
        match folder.try_lock() {
            Ok(()) => return Ok(Some(Self { _folder: folder })),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                note(format!(
                    "{} cannot be locked ({error}): see to it that no other `botloom apply` or `pull` works in it",
                    dir.display()
                ));
                return Ok(None);
            }
        }
        note(format!(
            "another `botloom apply` or `pull` works in {}; waiting for its end",
            dir.display()
        ));
        // On a thread of its own: a signal ends the command meanwhile.
        let locked = tokio::task::spawn_blocking(move || folder.lock().map(|()| folder)).await;
        let folder = locked.map_err(std::io::Error::other).flatten().map_err(failed)?;
        Ok(Some(Self { _folder: folder }))
    }
}
