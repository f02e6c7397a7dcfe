//! Files of revisions in a directory: `bots/<botId>/<revHash>/<name>`.
//!
//! A file is written under another name, synced, and then linked to its own name, which the kernel does only if that
//! name is free. So a name never shows half a file, and of concurrent writers one wins. A crash leaves files in `tmp/`
//! only, which are removed at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::BotId;
use botloom_core::ports::{ArtifactError, ArtifactName, Artifacts};
use bytes::Bytes;
use uuid::Uuid;

/// Artifacts in a directory of this process alone.
#[derive(Debug, Clone)]
pub struct DirArtifacts {
    root: PathBuf,
}

impl DirArtifacts {
    /// The artifacts under `root`, which is made if it is not there. Removes what a crash left half written.
    pub fn open(root: &Path) -> io::Result<Self> {
        let artifacts = Self {
            root: root.to_owned(),
        };
        make_durable_dir(root)?;
        make_durable_dir(&artifacts.bots())?;
        make_durable_dir(&artifacts.tmp())?;
        for leftover in fs::read_dir(artifacts.tmp())? {
            fs::remove_file(leftover?.path())?;
        }
        Ok(artifacts)
    }

    /// Where the file of this name is. Ids and hashes are made of letters, digits and hyphens, so no path leads out of
    /// the root.
    pub fn path(&self, bot: &BotId, rev: &RevHash, name: ArtifactName) -> PathBuf {
        self.bots()
            .join(bot.as_str())
            .join(rev.to_string())
            .join(name.as_str())
    }

    fn bots(&self) -> PathBuf {
        self.root.join("bots")
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    fn put_now(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        bytes: &[u8],
    ) -> Result<(), ArtifactError> {
        let path = self.path(bot, rev, name);
        let bot_dir = self.bots().join(bot.as_str());
        let rev_dir = bot_dir.join(rev.to_string());
        make_durable_dir(&bot_dir).map_err(unavailable)?;
        make_durable_dir(&rev_dir).map_err(unavailable)?;
        let written = TempFile::write(&self.tmp(), bytes).map_err(unavailable)?;
        let linked = fs::hard_link(&written.path, &path);
        let outcome = match linked {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if fs::read(&path).map_err(unavailable)? == bytes {
                    Ok(())
                } else {
                    Err(ArtifactError::Conflict)
                }
            }
            Err(error) => Err(unavailable(error)),
        };
        // Also where the file was there before: its writer may not have come to this line yet.
        sync_dir(&rev_dir).map_err(unavailable)?;
        outcome
    }

    fn read_now(path: &Path) -> Result<Bytes, ArtifactError> {
        let read = fs::read(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => ArtifactError::Missing,
            _ => unavailable(error),
        });
        read.map(Bytes::from)
    }

    fn get_now(path: &Path, expected: &Sha256Hash) -> Result<Bytes, ArtifactError> {
        let bytes = Self::read_now(path)?;
        if Sha256Hash::of(&bytes) == *expected {
            Ok(bytes)
        } else {
            Err(ArtifactError::Corrupt)
        }
    }
}

#[async_trait]
impl Artifacts for DirArtifacts {
    async fn put(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        bytes: Bytes,
    ) -> Result<(), ArtifactError> {
        let (store, bot, rev) = (self.clone(), bot.clone(), *rev);
        blocking(move || store.put_now(&bot, &rev, name, &bytes)).await
    }

    async fn get(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
        expected: &Sha256Hash,
    ) -> Result<Bytes, ArtifactError> {
        let (path, expected) = (self.path(bot, rev, name), *expected);
        blocking(move || Self::get_now(&path, &expected)).await
    }

    async fn get_unchecked(
        &self,
        bot: &BotId,
        rev: &RevHash,
        name: ArtifactName,
    ) -> Result<Bytes, ArtifactError> {
        let path = self.path(bot, rev, name);
        blocking(move || Self::read_now(&path)).await
    }
}

/// A synced file under a name of its own, removed when dropped.
#[derive(Debug)]
struct TempFile {
    path: PathBuf,
}

impl TempFile {
    fn write(dir: &Path, bytes: &[u8]) -> io::Result<Self> {
        let temp = Self {
            path: dir.join(Uuid::new_v4().to_string()),
        };
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temp.path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(temp)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // What stays behind is removed at the next start.
        fs::remove_file(&self.path).ok();
    }
}

/// Makes a directory whose parent exists; its name is on disk when this returns, whoever made it.
fn make_durable_dir(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => path.parent().map_or(Ok(()), sync_dir),
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn unavailable(error: io::Error) -> ArtifactError {
    ArtifactError::Unavailable(error.into())
}

/// Runs file work where it holds no other task up. It runs to its end also if the caller goes away.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ArtifactError> + Send + 'static,
) -> Result<T, ArtifactError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(ArtifactError::Unavailable(error.into())))
}
