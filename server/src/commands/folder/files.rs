//! The specs of a folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use botloom_spec::model::BotSpec;
use botloom_spec::{Accepted, Finding};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::commands::validate;
use crate::error::{self, CommandError};
use crate::terminal::{note, say};

/// A file and the spec in it.
#[derive(Debug)]
pub(super) struct LocalSpec {
    /// As it is in the file.
    pub(super) text: Vec<u8>,
    pub(super) accepted: Accepted,
}

impl LocalSpec {
    pub(super) fn name(&self) -> &str {
        &self.accepted.spec.meta.name
    }
}

/// Where a bot's spec is.
pub(super) fn path(dir: &Path, bot: &str) -> PathBuf {
    dir.join(format!("{bot}.json"))
}

/// Every spec of the folder by its bot. All files are judged, and all findings told, before one is refused; then they are
/// printed as JSON, too, if that is wanted.
pub(super) fn read(dir: &Path, as_json: bool) -> Result<BTreeMap<String, LocalSpec>, CommandError> {
    let failed = |source| CommandError::File {
        path: dir.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|extension| extension == "json") && !name.starts_with('.') {
            files.push(path);
        }
    }
    files.sort();
    let mut specs = BTreeMap::new();
    let mut told = Vec::new();
    let mut refused = 0;
    for file in &files {
        let text = error::read(file)?;
        let checked = botloom_spec::check(&text);
        for finding in &checked.findings {
            note(format!("{}: {}", file.display(), validate::line(finding)));
        }
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let mut misnamed = None;
        match checked.spec {
            Some(accepted) if accepted.spec.meta.bot_id == stem => {
                let bot = accepted.spec.meta.bot_id.clone();
                specs.insert(bot, LocalSpec { text, accepted });
            }
            Some(accepted) => {
                refused += 1;
                let bot = &accepted.spec.meta.bot_id;
                let words = format!("holds the bot {bot}; call it {bot}.json");
                note(format!("{}: {words}", file.display()));
                misnamed = Some(words);
            }
            None => refused += 1,
        }
        told.push(judged(file, &checked.findings, misnamed));
    }
    if refused > 0 {
        if as_json {
            say(format!("{:#}", json!({ "bots": [], "files": told })));
        }
        let message = format!(
            "{}: {refused} of {} file(s) cannot be used; nothing was changed",
            dir.display(),
            files.len()
        );
        return Err(CommandError::Other(message));
    }
    Ok(specs)
}

/// What was found in a file, for programs; `error`: why it cannot be used although the spec in it is right.
pub(super) fn judged(file: &Path, findings: &[Finding], error: Option<String>) -> Value {
    let mut shown = json!({ "file": file.display().to_string(), "findings": findings });
    if let Some(error) = error {
        shown["error"] = error.into();
    }
    shown
}

/// The spec as files hold it: sections and fields in the order of the format, two spaces, one line break at the end.
/// The same content always gives the same bytes.
pub(super) fn pretty(spec: &BotSpec) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(spec);
    text.map(|text| text + "\n")
        .map_err(|error| CommandError::Other(error.to_string()))
}

/// Writes a file whole: whoever reads it sees the old text or the new one, also after the power failed.
pub(super) fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or_else(|| Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name that nobody else writes to, and that is taken for no spec.
    let draft = dir.join(format!(".{name}.{}.tmp", Uuid::new_v4().simple()));
    let written = File::create_new(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&draft, path))
        .and_then(|()| File::open(dir)?.sync_all());
    written.map_err(|source| {
        // Nothing depends on it; the error is what counts.
        let _ = std::fs::remove_file(&draft);
        CommandError::at(path)(source)
    })
}
