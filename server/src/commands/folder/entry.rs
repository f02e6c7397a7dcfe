//! A bot's spec on its way from its file to the server.

use http::StatusCode;
use serde_json::{Value, json};

use super::files::LocalSpec;
use super::lock::{Base, Lock};
use super::remote::{self, Newest};
use crate::api_client::Api;
use crate::commands::apply as way;
use crate::error::{CommandError, CommandResult};

/// What became of the spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing was tried.
    Untouched,
    /// The server's newest version has this content.
    Unchanged,
    /// The bot was made for it.
    Created,
    /// It is a new version.
    Posted,
    /// An older version has this content; it is the newest again.
    Restored,
    /// The server did not take it.
    Refused,
    /// Somebody posted since the file was pulled.
    Conflict,
    /// The bot was deleted on the server.
    Deleted,
}

impl Fate {
    /// In a word, for programs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Untouched => "untouched",
            Self::Unchanged => "unchanged",
            Self::Created => "created",
            Self::Posted => "posted",
            Self::Restored => "restored",
            Self::Refused => "refused",
            Self::Conflict => "conflict",
            Self::Deleted => "deleted",
        }
    }

    /// In words, for people.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Deleted => "deleted on the server",
            other => other.as_str(),
        }
    }
}

/// A bot and how far its spec got.
pub(super) struct Entry<'a> {
    pub(super) bot: &'a str,
    pub(super) local: &'a LocalSpec,
    /// What the file was made of, as far as that is known.
    base: Option<Base>,
    /// The newest version on the server, as far as we know.
    pub(super) newest: Option<Newest>,
    pub(super) fate: Fate,
    /// The build, if one was asked for and not waited for.
    pub(super) task: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) deployment: Option<String>,
    /// What went wrong.
    pub(super) error: Option<String>,
}

impl<'a> Entry<'a> {
    /// A bot as the server has it, with nothing done yet.
    pub(super) async fn look(
        api: &Api,
        bot: &'a str,
        local: &'a LocalSpec,
        lock: Option<&Lock>,
    ) -> Result<Self, CommandError> {
        Ok(Self {
            bot,
            local,
            base: lock.and_then(|lock| lock.base(bot)).cloned(),
            newest: remote::newest(api, bot).await?,
            fate: Fate::Untouched,
            task: None,
            revision: None,
            deployment: None,
            error: None,
        })
    }

    pub(super) fn is_current(&self) -> bool {
        self.newest
            .as_ref()
            .is_some_and(|newest| newest.spec_hash == self.local.accepted.hash)
    }

    pub(super) fn version(&self) -> Option<u64> {
        self.newest.as_ref().map(|newest| newest.version)
    }

    /// The versions, if somebody posted something else than what is in the file since it was pulled.
    fn edited_meanwhile(&self) -> Option<String> {
        let (newest, base) = (self.newest.as_ref()?, self.base.as_ref()?);
        let edited = base.spec_hash != newest.spec_hash && !self.is_current();
        edited.then(|| {
            format!(
                "{} (pulled at version {}, now at {})",
                self.bot, base.version, newest.version
            )
        })
    }

    /// Notes what went wrong, and answers it with the bot named.
    pub(super) fn fail(&mut self, error: &CommandError) -> String {
        self.error = Some(error.to_string());
        format!("{}: {error}", self.bot)
    }

    /// Posts the spec if it differs, and makes it the newest version; a new bot goes into this project.
    pub(super) async fn post(&mut self, api: &Api, project: Option<&str>) -> CommandResult {
        if self.is_current() {
            self.fate = Fate::Unchanged;
            return Ok(());
        }
        let posted = self.post_changed(api, project).await;
        if posted.is_err() && matches!(self.fate, Fate::Untouched | Fate::Created) {
            self.fate = Fate::Refused;
        }
        posted
    }

    async fn post_changed(&mut self, api: &Api, project: Option<&str>) -> CommandResult {
        if self.newest.is_none() && !way::exists(api, self.bot).await? {
            let made = way::create(api, self.bot, self.local.name(), project).await?;
            if made.is_problem("bot-exists") && self.base.is_some() {
                self.fate = Fate::Deleted;
                return Err(CommandError::Api(format!("deleted on the server. {WAY_OUT}")));
            }
            made.ok()?;
            self.fate = Fate::Created;
        }
        let seen = self.version();
        let stored = api.post_on("/spec", self.local.text.clone(), seen).await?;
        let is_new = stored.status == StatusCode::CREATED;
        if stored.status == StatusCode::PRECONDITION_FAILED {
            self.fate = Fate::Conflict;
        }
        let mut newest = Newest::of(&stored.ok()?)?;
        // An older version has this content: what git went back to becomes the newest again.
        if !is_new && seen.is_some_and(|seen| newest.version < seen) {
            let path = format!("/spec/{}/restore?botId={}", newest.version, self.bot);
            let restored = api.post_on(&path, Vec::new(), seen).await?;
            if restored.status == StatusCode::PRECONDITION_FAILED {
                self.fate = Fate::Conflict;
            }
            newest = Newest::of(&restored.ok()?)?;
            self.fate = Fate::Restored;
        } else if self.fate == Fate::Untouched {
            self.fate = if is_new { Fate::Posted } else { Fate::Unchanged };
        }
        self.newest = Some(newest);
        Ok(())
    }

    pub(super) fn json(&self) -> Value {
        let mut shown = json!({
            "botId": self.bot,
            "version": self.version(),
            "result": self.fate.as_str(),
            "deployment": self.deployment,
        });
        let more = [
            ("taskId", &self.task),
            ("revHash", &self.revision),
            ("error", &self.error),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                shown[name] = value.as_str().into();
            }
        }
        shown
    }
}

/// What to do about the file of a bot that was deleted.
pub(super) const WAY_OUT: &str = "Its id stays taken: delete the file and run `botloom pull`, or give the spec another botId. Or it is in a project that you \
     cannot see";

/// Marks the bots that somebody edited since their files were pulled; answers what is to be said about them.
pub(super) fn conflicts(entries: &mut [Entry<'_>]) -> CommandResult {
    let mut edited = Vec::new();
    for entry in entries {
        if let Some(versions) = entry.edited_meanwhile() {
            entry.fate = Fate::Conflict;
            edited.push(versions);
        }
    }
    if edited.is_empty() {
        return Ok(());
    }
    Err(CommandError::Other(format!(
        "edited on the server since it was pulled: {}. Nothing was changed. Pull and merge, or `--overwrite`",
        edited.join(", ")
    )))
}
