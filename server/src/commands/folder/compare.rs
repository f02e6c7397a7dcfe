//! `botloom diff`: what `apply` would change.

use botloom_spec::{Change, Diff, PatchOp};
use serde_json::{Value, json};

use super::files::{self, LocalSpec};
use super::lock::Lock;
use super::remote;
use crate::api_client::Api;
use crate::cli::DiffArgs;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// One bot's spec on the server against the file.
struct Compared {
    bot: String,
    /// The server's newest version; `None`: it has none.
    version: Option<u64>,
    /// Whether somebody posted since the file was pulled.
    behind: bool,
    diff: Diff,
}

impl Compared {
    fn state(&self) -> &'static str {
        match self.version {
            None => "new",
            Some(_) if self.diff.patch.is_empty() => "unchanged",
            Some(_) => "changed",
        }
    }

    fn heading(&self) -> String {
        let version = self
            .version
            .map_or_else(String::new, |version| format!(" from version {version}"));
        let behind = if self.behind {
            ", which was posted after the file was pulled"
        } else {
            ""
        };
        format!("{}  {}{version}{behind}", self.bot, self.state())
    }

    fn json(&self) -> Value {
        json!({
            "botId": self.bot,
            "state": self.state(),
            "version": self.version,
            "postedSincePull": self.behind,
            "changes": self.diff.changes,
            "patch": self.diff.patch,
        })
    }
}

/// Prints the differences; fails with [`CommandError::Differences`] if there are some.
pub(crate) async fn diff(args: &DiffArgs) -> CommandResult {
    let specs = files::read(&args.dir)?;
    let lock = Lock::read(&args.dir)?;
    let api = Api::login(&args.login).await?;
    let mut all = Vec::new();
    for (bot, local) in &specs {
        all.push(compare(&api, &lock, bot, local).await?);
    }
    if args.json {
        let bots: Vec<Value> = all.iter().map(Compared::json).collect();
        say(format!("{:#}", json!({ "bots": bots })));
    } else {
        for compared in &all {
            say(compared.heading());
            for change in &compared.diff.changes {
                say(format!("  {}", change.message));
            }
        }
    }
    if all.iter().all(|compared| compared.state() == "unchanged") {
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
    let diff = match &newest {
        None => whole(local)?,
        Some(newest) if newest.spec_hash == local.accepted.hash => Diff::default(),
        Some(newest) => botloom_spec::diff(&remote::spec(api, bot, newest.version).await?, spec),
    };
    Ok(Compared {
        bot: bot.to_owned(),
        version: newest.map(|newest| newest.version),
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
