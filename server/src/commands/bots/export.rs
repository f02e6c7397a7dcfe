//! A bot into an archive.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::exported::Exported;
use crate::api_client::Api;
use crate::error::CommandError;
use crate::terminal::note;

/// Writes an archive that nobody else can read. What is not whole is removed again.
pub(super) async fn export(api: &Api, bot: &str, path: &Path) -> Result<Value, CommandError> {
    let failed = CommandError::at(path);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(&failed)?;
    let mut to = BufWriter::new(file);
    let written = async {
        api.download(&format!("/bots/{bot}/export"), &mut to).await?;
        to.flush().map_err(&failed)?;
        to.get_ref().sync_all().map_err(&failed)?;
        Exported::open(path)
    };
    match written.await {
        Ok(copy) => {
            for name in copy.end["missing"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or_default();
                note(format!("the server has lost {name}; the export is without it"));
            }
            Ok(json!({ "botId": bot, "file": path, "files": copy.end["files"] }))
        }
        Err(error) => {
            // Nothing depends on it; the error is what counts.
            let _ = std::fs::remove_file(path);
            Err(error)
        }
    }
}
