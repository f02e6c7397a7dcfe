//! The session that `botloom login` keeps: one file per person and machine, readable for them alone.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use botloom_core::Secret;
use serde_json::{Map, Value, json};
use url::Url;

use crate::error::CommandError;
use crate::private_file;

/// Longest file that is read.
const MAX_FILE: u64 = 64 * 1024;

/// What a request of a session carries.
#[derive(Debug, Clone)]
pub(crate) struct SavedSession {
    /// `Cookie`.
    pub(crate) cookie: Secret,
    /// `X-CSRF-Token`.
    pub(crate) csrf: Secret,
}

/// The session kept for a server.
pub(crate) fn find(server: &Url) -> Result<Option<SavedSession>, CommandError> {
    let all = read()?;
    let kept = all.get(server.as_str());
    let text = |name: &str| kept.and_then(|kept| kept[name].as_str()).map(Secret::new);
    Ok(text("cookie")
        .zip(text("csrfToken"))
        .map(|(cookie, csrf)| SavedSession { cookie, csrf }))
}

/// Keeps a session for a server, or none; answers where.
pub(crate) fn keep(server: &Url, session: Option<&SavedSession>) -> Result<PathBuf, CommandError> {
    let path = path()?;
    let mut all = read()?;
    match session {
        Some(session) => {
            let kept = json!({ "cookie": session.cookie.expose(), "csrfToken": session.csrf.expose() });
            all.insert(server.as_str().to_owned(), kept);
        }
        None => {
            all.shift_remove(server.as_str());
        }
    }
    let failed = |source| CommandError::File {
        path: path.clone(),
        source,
    };
    let folder = path.parent().unwrap_or(&path);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    // A file of its own, and then the name: whoever reads meanwhile finds the old one or the new one.
    let fresh = folder.join(format!(".session-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(failed)?;
    file.write_all(Value::Object(all).to_string().as_bytes())
        .map_err(failed)?;
    std::fs::rename(&fresh, &path).map_err(failed)?;
    Ok(path)
}

/// `$XDG_CONFIG_HOME/botloom/session.json`, or in `~/.config`.
fn path() -> Result<PathBuf, CommandError> {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    folder
        .map(|folder| folder.join("botloom/session.json"))
        .ok_or_else(|| CommandError::Other("neither XDG_CONFIG_HOME nor HOME is set".to_owned()))
}

/// Sessions by server.
fn read() -> Result<Map<String, Value>, CommandError> {
    let Ok(path) = path() else {
        return Ok(Map::new());
    };
    let Some(text) = private_file::read(&path, MAX_FILE)? else {
        return Ok(Map::new());
    };
    serde_json::from_str(&text)
        .map_err(|_| CommandError::Other(format!("{} cannot be read; remove it", path.display())))
}
