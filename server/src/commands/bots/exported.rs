//! An exported bot in a file.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::archive::Archive;
use crate::error::CommandError;

/// Newest format that is understood.
const FORMAT: u64 = 1;

/// An archive that was found to be whole.
pub(super) struct Exported {
    path: PathBuf,
    /// `manifest.json`.
    pub(super) manifest: Value,
    /// `bot.json`.
    pub(super) bot: Value,
    /// `end.json`.
    pub(super) end: Value,
}

impl Exported {
    /// Reads all of an archive and refuses one that is broken, not whole, or of a newer format.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let mut copy = Self {
            path: path.to_owned(),
            manifest: Value::Null,
            bot: Value::Null,
            end: Value::Null,
        };
        let mut archive = copy.archive()?;
        let mut files = 0;
        while let Some((name, _)) = archive.next_file().map_err(copy.failed())? {
            let place = match &*name {
                "manifest.json" => &mut copy.manifest,
                "bot.json" => &mut copy.bot,
                "end.json" => &mut copy.end,
                _ => {
                    files += 1;
                    continue;
                }
            };
            let content = archive.content().map_err(CommandError::at(path))?;
            *place = serde_json::from_slice(&content).map_err(|_| not_whole(path))?;
            files += 1;
        }
        if copy.manifest["format"] != "botloom-bot" || copy.end["files"].as_u64() != Some(files - 1) {
            return Err(not_whole(path));
        }
        if copy.manifest["formatVersion"]
            .as_u64()
            .is_none_or(|format| format > FORMAT)
        {
            let text = format!("{} is of a newer format; update botloom", path.display());
            return Err(CommandError::Other(text));
        }
        Ok(copy)
    }

    /// The archive from its beginning.
    pub(super) fn archive(&self) -> Result<Archive<BufReader<File>>, CommandError> {
        let file = File::open(&self.path).map_err(self.failed())?;
        Ok(Archive::new(BufReader::new(file)))
    }

    pub(super) fn failed(&self) -> impl Fn(std::io::Error) -> CommandError + use<> {
        CommandError::at(&self.path)
    }
}

fn not_whole(path: &Path) -> CommandError {
    CommandError::Other(format!("{} is no export of a bot, or not whole", path.display()))
}
