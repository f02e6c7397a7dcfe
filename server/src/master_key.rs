//! The key that seals tokens and secrets: from the settings, or a file in the data folder.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use botloom_core::Secret;
use botloom_core::vault::Vault;

use crate::config::Config;
use crate::error::{CommandError, CommandResult};

fn file(data_dir: &Path) -> PathBuf {
    data_dir.join("master.key")
}

/// The key before, for as long as something may be sealed under it.
fn previous_file(data_dir: &Path) -> PathBuf {
    data_dir.join("master.key.previous")
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> CommandError {
    move |source| CommandError::File {
        path: path.to_owned(),
        source,
    }
}

/// The key in the data folder, if there is one.
fn stored(path: &Path) -> Result<Option<Secret>, CommandError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Secret::new(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path)(error)),
    }
}

/// The key of the settings, or the one in the data folder, made at the first start; and the one before it, if there is one.
pub(crate) fn vault(config: &Config, data_dir: &Path) -> Result<Vault, CommandError> {
    let opened = |key: &Secret, previous: Option<&Secret>, from: &str| {
        let vault = Vault::from_base64(key.expose());
        let vault = match previous {
            Some(previous) => vault.and_then(|vault| vault.with_previous(previous.expose())),
            None => vault,
        };
        vault.map_err(|error| CommandError::Start(format!("{from}: {error}")))
    };
    if let Some(key) = &config.master_key {
        return opened(key, config.second_master_key.as_ref(), "BOTLOOM_MASTER_KEY");
    }
    let path = file(data_dir);
    let key = if let Some(key) = stored(&path)? {
        key
    } else {
        let key = Vault::generate_key();
        write_private(&path, key.expose()).map_err(failed(&path))?;
        tracing::info!(path = %path.display(), "made a master key; back it up apart from the data");
        key
    };
    let previous = stored(&previous_file(data_dir))?;
    if previous.is_some() {
        tracing::warn!("a change of the master key was not finished: run `botloom rotate-master-key`");
    }
    opened(&key, previous.as_ref(), &path.display().to_string())
}

/// Puts a new key in the place of the one in the data folder, which stays beside it. Where that was begun before, it is only
/// brought to its end.
pub(crate) fn replace(data_dir: &Path) -> CommandResult {
    let (path, previous_path) = (file(data_dir), previous_file(data_dir));
    let Some(key) = stored(&path)? else {
        return Err(CommandError::Other(format!(
            "there is no master key in {}: nothing was sealed yet",
            data_dir.display()
        )));
    };
    match stored(&previous_path)? {
        Some(previous) if previous.expose().trim() != key.expose().trim() => return Ok(()),
        Some(_) => {}
        None => write_private(&previous_path, key.expose()).map_err(failed(&previous_path))?,
    }
    write_private(&path, Vault::generate_key().expose()).map_err(failed(&path))
}

/// Removes the key before, under which nothing is sealed any more.
pub(crate) fn forget_previous(data_dir: &Path) -> CommandResult {
    let path = previous_file(data_dir);
    std::fs::remove_file(&path).map_err(failed(&path))
}

/// Before secrets are moved: both sides must be started with the key that sealed them. A folder without a key gets it, so
/// that a start without the setting does not make another one.
pub(crate) fn carry(config: &Config, data_dir: &Path) -> CommandResult {
    if config.second_master_key.is_some() || previous_file(data_dir).exists() {
        return Err(CommandError::Other(
            "the master key is being replaced: finish that with `botloom rotate-master-key` before the move"
                .to_owned(),
        ));
    }
    let Some(key) = &config.master_key else {
        return Ok(());
    };
    let path = file(data_dir);
    match stored(&path)? {
        None => write_private(&path, key.expose()).map_err(failed(&path)),
        Some(stored) if stored.expose().trim() == key.expose().trim() => Ok(()),
        Some(_) => Err(CommandError::Other(format!(
            "BOTLOOM_MASTER_KEY is not the key in {}: bot tokens could not be opened on the other side",
            path.display()
        ))),
    }
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let part = path.with_added_extension("part");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(part, path)?;
    sync_folder(path)
}

/// A name is safe when its folder is: secrets may be sealed under the key the next moment, in a database elsewhere.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}
