//! `botloom.lock`: which version of the server each file was made of.
//!
//! With it an edit that somebody else made on the server since then is told apart from one that was made here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files;
use super::hold::Hold;
use super::remote::Newest;
use crate::error::CommandError;

const NAME: &str = "botloom.lock";

/// The file.
#[derive(Debug, Default)]
pub(super) struct Lock {
    path: PathBuf,
    bots: BTreeMap<String, Base>,
    /// As it is on the disk.
    written: String,
    /// That nobody else writes into the folder meanwhile, where this command does.
    _held: Option<Hold>,
}

/// A version that a file was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Base {
    pub(super) version: u64,
    pub(super) spec_hash: String,
}

impl Lock {
    /// Reads the file; a folder that has none knows no versions.
    pub(super) fn read(dir: &Path) -> Result<Self, CommandError> {
        let path = dir.join(NAME);
        let written = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self {
                    path,
                    ..Self::default()
                });
            }
            Err(source) => return Err(CommandError::File { path, source }),
        };
        let bots = serde_json::from_str(&written).map_err(|error| {
            CommandError::Other(format!(
                "{}: {error}; delete it and run `botloom pull` again",
                path.display()
            ))
        })?;
        Ok(Self {
            path,
            bots,
            written,
            _held: None,
        })
    }

    /// Reads the file as soon as no other command writes into the folder, and keeps others from that.
    pub(super) async fn hold(dir: &Path) -> Result<Self, CommandError> {
        let held = Hold::take(dir).await?;
        let lock = Self::read(dir)?;
        Ok(Self { _held: held, ..lock })
    }

    /// The lock of the folder that a file is in, held; `None` if that has none, and for standard input.
    pub(super) async fn beside(file: &Path) -> Result<Option<Self>, CommandError> {
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        let dir = dir.unwrap_or_else(|| Path::new("."));
        if file.as_os_str() == "-" || !dir.join(NAME).exists() {
            return Ok(None);
        }
        Self::hold(dir).await.map(Some)
    }

    /// The bots that have, or had, a file.
    pub(super) fn bots(&self) -> impl Iterator<Item = &str> {
        self.bots.keys().map(String::as_str)
    }

    /// The bot has neither a file nor a version any more.
    pub(super) fn forget(&mut self, bot: &str) {
        self.bots.remove(bot);
    }

    /// What the bot's file was made of.
    pub(super) fn base(&self, bot: &str) -> Option<&Base> {
        self.bots.get(bot)
    }

    /// Whether somebody posted other content than the file was made of.
    pub(super) fn is_behind(&self, bot: &str, newest: &Newest) -> bool {
        self.base(bot)
            .is_some_and(|base| base.spec_hash != newest.spec_hash)
    }

    /// The bot's file is of this version now.
    pub(super) fn set(&mut self, bot: &str, newest: &Newest) {
        let base = Base {
            version: newest.version,
            spec_hash: newest.spec_hash.clone(),
        };
        self.bots.insert(bot.to_owned(), base);
    }

    /// Writes the file if something in it changed.
    pub(super) fn save(&mut self) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(&self.bots)
            .map_err(|error| CommandError::Other(error.to_string()))?
            + "\n";
        if text != self.written && !(self.bots.is_empty() && self.written.is_empty()) {
            files::write(&self.path, &text)?;
            self.written = text;
        }
        Ok(())
    }
}
