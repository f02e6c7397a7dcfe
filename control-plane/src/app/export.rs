//! A bot as one archive: what it is, what it was, what it knows; without its secrets.
//!
//! Written while it is read, a page at a time. Nothing stands still for it: each page is as it was when it was read.

use std::time::Duration;

use botloom_core::TimestampMs;
use botloom_core::ids::{BotId, ChatId};
use botloom_core::model::{BotRow, Deployment, IngressMode, RevisionRow, SpecVersion};
use botloom_core::ports::{ArtifactError, ArtifactName, ChatState, DeadLetter, Direction, Page, PageRequest};
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::actor::{Actor, verb};
use super::{Error, access, audit, revisions};
use crate::archive;
use crate::auth::policy::Action;
use crate::events::Place;
use crate::state::App;

/// Format of the archive. A reader refuses a higher one.
const FORMAT: u32 = 1;
/// Rows of a page.
const ROWS: u32 = 200;
/// Documents and dead letters of a page: each may have some ten or a hundred KiB.
const LARGE: u32 = 50;
/// Largest piece of the answer, bytes.
const PIECE: usize = 64 * 1024;
/// Pieces that wait for a slow reader.
const AHEAD: usize = 4;

/// How long a reader may leave a piece where it is.
const STALL: Duration = Duration::from_mins(1);

/// Pieces of an archive; the last is an error if it is not whole.
pub(crate) type Pieces = mpsc::Receiver<Result<Bytes, Error>>;

/// Begins an export. `None`: the caller takes as many as they may.
pub(crate) async fn begin(app: &App, actor: Actor, id: &BotId) -> Result<Option<Pieces>, Error> {
    let bot = access::bot(app, actor, id, Action::ExportBot).await?;
    let Some(place) = app.exports.enter(actor.user) else {
        return Ok(None);
    };
    audit::note(app, actor.did_to_bot(app, verb::BOT_EXPORTED, id, bot.project)).await;
    let (pieces, reader) = mpsc::channel(AHEAD);
    let writer = Writer {
        app: app.clone(),
        bot,
        at: app.now(),
        pieces,
        files: 0,
        missing: Vec::new(),
        _place: place,
    };
    tokio::spawn(writer.run());
    Ok(Some(reader))
}

/// Nobody reads, or the store failed.
enum Ended {
    Alone,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

type Step = Result<(), Ended>;

struct Writer {
    app: App,
    bot: BotRow,
    at: TimestampMs,
    pieces: mpsc::Sender<Result<Bytes, Error>>,
    files: u64,
    /// Files of revisions that are gone or were changed.
    missing: Vec<String>,
    _place: Place,
}

impl Writer {
    async fn run(mut self) {
        let (stop, pieces) = (self.app.stop.clone(), self.pieces.clone());
        let outcome = tokio::select! {
            outcome = self.write() => outcome,
            () = stop.cancelled() => Err(Ended::Failed(Error::Internal("the server stops"))),
        };
        if let Err(Ended::Failed(error)) = outcome {
            tracing::warn!(bot = %self.bot.id, ?error, "an export broke off");
            // Whoever is too slow for it finds no `end.json`.
            let _ = pieces.try_send(Err(error));
        }
    }

    async fn write(&mut self) -> Step {
        let manifest = json!({
            "format": "botloom-bot",
            "formatVersion": FORMAT,
            "botId": self.bot.id.as_str(),
            "exportedAt": self.at.to_rfc3339(),
            "server": env!("CARGO_PKG_VERSION"),
        });
        self.json("manifest.json", &manifest).await?;
        self.json("bot.json", &bot_json(&self.bot)).await?;
        self.versions().await?;
        self.revisions().await?;
        self.deployments().await?;
        for direction in [Direction::In, Direction::Out] {
            self.dead_letters(direction).await?;
        }
        self.chats().await?;
        let end = json!({ "files": self.files, "missing": self.missing });
        self.json("end.json", &end).await?;
        self.send(archive::end()).await
    }

    async fn versions(&mut self) -> Step {
        let latest = self.app.deps.ports.catalog.latest_version(&self.bot.id).await?;
        let latest = latest.map_or(0, |version| version.summary.version);
        for number in 1..=latest {
            let version = self.app.deps.ports.catalog.version(&self.bot.id, number).await?;
            let version = version.ok_or(Error::Internal("a version is missing"))?;
            let name = format!("versions/{number:06}.json");
            self.json(&name, &version_json(version)?).await?;
        }
        Ok(())
    }

    async fn revisions(&mut self) -> Step {
        let mut cursor = None;
        loop {
            let request = page(cursor, ROWS);
            let catalog = &self.app.deps.ports.catalog;
            let found = catalog.revisions(&self.bot.id, &request).await?;
            for revision in &found.items {
                self.revision(revision).await?;
            }
            cursor = found.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn revision(&mut self, revision: &RevisionRow) -> Step {
        for name in ArtifactName::ALL {
            let path = format!("revisions/{}/{name}", revision.rev_hash);
            match revisions::artifact(&self.app, revision, name).await {
                Ok(bytes) => self.file(&path, &bytes).await?,
                // An old revision that is broken must not keep its owner from everything else.
                Err(Error::Artifact(ArtifactError::Missing | ArtifactError::Corrupt)) => {
                    self.missing.push(path);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn deployments(&mut self) -> Step {
        let mut list = Lines::new("deployments");
        loop {
            let request = page(list.cursor.take(), ROWS);
            let catalog = &self.app.deps.ports.catalog;
            let found = catalog.deployments(&self.bot.id, &request).await?;
            if self.lines(&mut list, found, deployment_json).await? {
                return Ok(());
            }
        }
    }

    async fn dead_letters(&mut self, direction: Direction) -> Step {
        let mut list = Lines::new(&format!("dead-letters/{direction}"));
        loop {
            let request = page(list.cursor.take(), LARGE);
            let letters = &self.app.deps.ports.dead_letters;
            let found = letters.dead_letters(&self.bot.id, direction, &request).await?;
            if self.lines(&mut list, found, letter_json).await? {
                return Ok(());
            }
        }
    }

    async fn chats(&mut self) -> Step {
        let mut list = Lines::new("chats");
        loop {
            let request = page(list.cursor.take(), LARGE);
            let found = self
                .app
                .deps
                .ports
                .lanes
                .chat_states(&self.bot.id, &request)
                .await?;
            if self.lines(&mut list, found, chat_json).await? {
                return Ok(());
            }
        }
    }

    /// Writes a page as a file of lines, unless it is empty; answers whether it was the last.
    async fn lines<T>(
        &mut self,
        list: &mut Lines,
        page: Page<T>,
        show: impl Fn(&T) -> Value,
    ) -> Result<bool, Ended> {
        let mut text = String::new();
        for item in &page.items {
            text.push_str(&show(item).to_string());
            text.push('\n');
        }
        if !text.is_empty() {
            list.files += 1;
            let name = format!("{}/{:06}.ndjson", list.folder, list.files);
            self.file(&name, text.as_bytes()).await?;
        }
        list.cursor = page.next_cursor;
        Ok(list.cursor.is_none())
    }

    async fn json(&mut self, name: &str, value: &impl serde::Serialize) -> Step {
        let text = serde_json::to_vec(value).map_err(|_| Error::Internal("an export"))?;
        self.file(name, &text).await
    }

    async fn file(&mut self, name: &str, content: &[u8]) -> Step {
        self.files += 1;
        let at = u64::try_from(self.at.0 / 1_000).unwrap_or(0);
        self.send(archive::file(name, content, at)).await
    }

    async fn send(&mut self, mut rest: Bytes) -> Step {
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(PIECE));
            let sent = tokio::time::timeout(STALL, self.pieces.send(Ok(piece))).await;
            sent.ok().and_then(Result::ok).ok_or(Ended::Alone)?;
        }
        Ok(())
    }
}

/// A list on its way into files.
struct Lines {
    folder: String,
    files: u32,
    cursor: Option<String>,
}

impl Lines {
    fn new(folder: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            files: 0,
            cursor: None,
        }
    }
}

fn page(cursor: Option<String>, limit: u32) -> PageRequest {
    PageRequest { cursor, limit }
}

/// JSON text as what it says; as text, if it is none.
fn content(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(text)))
}

/// Neither the token nor the webhook's secret.
fn bot_json(bot: &BotRow) -> Value {
    json!({
        "botId": bot.id.as_str(),
        "name": bot.name,
        "projectId": bot.project.to_string(),
        "activeRevHash": bot.active_rev.map(|rev| rev.to_string()),
        "epoch": bot.epoch.0,
        "createdAt": bot.created_at.to_rfc3339(),
        "pausedAt": bot.paused_at.map(TimestampMs::to_rfc3339),
        "stagingOf": bot.staging_of.as_ref().map(BotId::as_str),
        "telegram": {
            "id": bot.identity.as_ref().map(|identity| identity.id),
            "username": bot.identity.as_ref().map(|identity| &identity.username),
            "ingress": bot.ingress.map(IngressMode::as_str),
        },
    })
}

/// A version with its content and warnings as they are stored, byte by byte.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ExportedVersion {
    version: u32,
    spec_hash: String,
    author: Option<String>,
    created_at: String,
    note: Option<String>,
    restored_from: Option<u32>,
    warnings: Box<RawValue>,
    spec: Box<RawValue>,
}

fn version_json(version: SpecVersion) -> Result<ExportedVersion, Error> {
    let raw =
        |text| RawValue::from_string(text).map_err(|_| Error::Internal("a stored version cannot be read"));
    let summary = version.summary;
    Ok(ExportedVersion {
        version: summary.version,
        spec_hash: summary.spec_hash.to_string(),
        author: summary.author.map(|author| author.to_string()),
        created_at: summary.created_at.to_rfc3339(),
        note: summary.note,
        restored_from: summary.restored_from,
        warnings: raw(version.warnings)?,
        spec: raw(version.canonical)?,
    })
}

fn deployment_json(deployment: &Deployment) -> Value {
    json!({
        "taskId": deployment.task.to_string(),
        "status": deployment.status.as_str(),
        "stage": deployment.stage.as_str(),
        "fromRev": deployment.from_rev.map(|rev| rev.to_string()),
        "toRev": deployment.to_rev.to_string(),
        "epoch": deployment.epoch.map(|epoch| epoch.0),
        "rollback": deployment.rollback,
        "reason": deployment.reason,
        "error": deployment.error,
        "author": deployment.author.map(|author| author.to_string()),
        "createdAt": deployment.created_at.to_rfc3339(),
        "updatedAt": deployment.updated_at.to_rfc3339(),
    })
}

fn letter_json(set_aside: &DeadLetter) -> Value {
    let letter = &set_aside.letter;
    json!({
        "id": set_aside.id,
        "direction": set_aside.direction.as_str(),
        "chat": letter.chat.as_ref().map(ChatId::as_str),
        "reason": letter.reason,
        "detail": letter.detail,
        "at": letter.at.to_rfc3339(),
        "attempts": set_aside.attempts,
        "body": content(&letter.body),
    })
}

fn chat_json(state: &ChatState) -> Value {
    json!({ "chat": state.chat.as_str(), "state": content(&state.document) })
}
