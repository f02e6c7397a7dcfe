//! `botloom diff`: what `apply` would change.

use botloom_spec::{Change, Diff, PatchOp};
use serde_json::{Value, json};

use super::entry::WAY_OUT;
use super::fileless;
use super::files::{self, LocalSpec};
use super::lock::Lock;
use super::remote;
use crate::api_client::Api;
use crate::cli::DiffArgs;
use crate::commands::listing::named_project;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// How a bot's spec on the server stands to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server has no such bot, or no version of it.
    New,
    Unchanged,
    Changed,
    /// The server has no such bot, but the file was made of a version of it.
    Deleted,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

/// One bot's spec on the server against the file.
struct Compared {
    bot: String,
    state: State,
    /// The server's newest version; of a deleted bot, the one that the file was made of; `None`: it has none.
    version: Option<u64>,
    /// Whether somebody posted since the file was pulled.
    behind: bool,
    diff: Diff,
}

impl Compared {
    fn heading(&self, project: Option<&str>) -> String {
        let version = self
            .version
            .map_or_else(String::new, |version| format!(" from version {version}"));
        let behind = if self.behind {
            ", which was posted after the file was pulled"
        } else {
            ""
        };
        let words = match (self.state, project) {
            (State::Deleted, _) => {
                let version = self.version.unwrap_or_default();
                format!("deleted on the server (version {version} was pulled). {WAY_OUT}")
            }
            (State::New, Some(project)) => format!("new, in project {project}"),
            (state, _) => format!("{}{version}{behind}", state.as_str()),
        };
        format!("{}  {words}", self.bot)
    }

    fn json(&self) -> Value {
        json!({
            "botId": self.bot,
            "state": self.state.as_str(),
            "version": self.version,
            "postedSincePull": self.behind,
            "changes": self.diff.changes,
            "patch": self.diff.patch,
        })
    }
}

/// Prints the differences; fails with [`CommandError::Differences`] if there are some.
pub(crate) async fn diff(args: &DiffArgs) -> CommandResult {
    let specs = files::read(&args.dir, args.json)?;
    let lock = Lock::read(&args.dir)?;
    let api = Api::login(&args.login).await?;
    let project = named_project(&api, args.project.as_deref()).await?;
    let project = project.and(args.project.as_deref());
    let fileless = fileless::find(&api, &lock, &specs).await?;
    let mut all = Vec::new();
    for (bot, local) in &specs {
        all.push(compare(&api, &lock, bot, local).await?);
    }
    if args.json {
        let bots: Vec<Value> = all
            .iter()
            .map(Compared::json)
            .chain(fileless.iter().map(|one| one.json("state")))
            .collect();
        say(format!("{:#}", json!({ "bots": bots })));
    } else {
        for compared in &all {
            say(compared.heading(project));
            for change in &compared.diff.changes {
                say(format!("  {}", change.message));
            }
        }
        for one in &fileless {
            say(one.words());
        }
    }
    if fileless.is_empty() && all.iter().all(|compared| compared.state == State::Unchanged) {
        Ok(())
    } else {
        Err(CommandError::Differences)
    }
}

async fn compare(api: &Api, lock: &Lock, bot: &str, local: &LocalSpec) -> Result<Compared, CommandError> {
    let spec = &local.accepted.spec;
    let newest = remote::newest(api, bot).await?;
    let behind = newest
        .as_ref()
        .is_some_and(|newest| newest.spec_hash != local.accepted.hash && lock.is_behind(bot, newest));
    let (state, diff) = match (&newest, lock.base(bot)) {
        (None, Some(_)) => (State::Deleted, Diff::default()),
        (None, None) => (State::New, whole(local)?),
        (Some(newest), _) if newest.spec_hash == local.accepted.hash => (State::Unchanged, Diff::default()),
        (Some(newest), _) => {
            let there = remote::spec(api, bot, newest.version).await?;
            let diff = botloom_spec::diff(&there, spec);
            let is_same = diff.patch.is_empty();
            (if is_same { State::Unchanged } else { State::Changed }, diff)
        }
    };
    let pulled = || lock.base(bot).map(|base| base.version);
    Ok(Compared {
        bot: bot.to_owned(),
        state,
        version: newest.map(|newest| newest.version).or_else(pulled),
        behind,
        diff,
    })
}

/// A bot that the server does not have: everything is new.
fn whole(local: &LocalSpec) -> Result<Diff, CommandError> {
    let spec = &local.accepted.spec;
    let value = serde_json::to_value(spec).map_err(|error| CommandError::Other(error.to_string()))?;
    let message = format!("Bot {} added: {}", spec.meta.bot_id, local.name());
    Ok(Diff {
        changes: vec![Change {
            pointer: String::new(),
            message,
        }],
        patch: vec![PatchOp::Add {
            path: String::new(),
            value,
        }],
    })
}
