//! `botloom apply` of a folder: from the folder to the server.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::files::{self, LocalSpec};
use super::lock::Lock;
use super::remote::{self, Newest};
use super::table::table;
use crate::api_client::Api;
use crate::cli::ApplyArgs;
use crate::commands::apply as single;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// A bot of the folder and how far it got.
struct Entry<'a> {
    bot: &'a str,
    local: &'a LocalSpec,
    /// The newest version on the server, as far as we know.
    newest: Option<Newest>,
    result: &'static str,
    deployment: Option<String>,
}

impl Entry<'_> {
    fn is_current(&self) -> bool {
        self.newest
            .as_ref()
            .is_some_and(|newest| newest.spec_hash == self.local.accepted.hash)
    }

    fn version(&self) -> Option<u64> {
        self.newest.as_ref().map(|newest| newest.version)
    }
}

/// Brings the folder's specs to a server.
pub(crate) async fn apply(args: &ApplyArgs) -> CommandResult {
    if args.connection.bot_token.is_some() || args.connection.ingress.is_some() {
        let message = "a folder has many bots: connect each with `botloom connect`";
        return Err(CommandError::Other(message.to_owned()));
    }
    let specs = files::read(&args.file)?;
    let mut lock = Lock::read(&args.file)?;
    let api = Api::login(&args.login).await?;
    let mut entries = plan(&api, &specs, &lock, args.overwrite).await?;
    let mut outcome = post_all(&api, &mut entries, &mut lock).await;
    if outcome.is_ok() && args.deploy {
        outcome = deploy_all(&api, &mut entries, args.wait).await;
    }
    report(&entries, args.json);
    outcome
}

/// What the server has, and whether it may be written over: all of it is known before anything is written.
async fn plan<'a>(
    api: &Api,
    specs: &'a BTreeMap<String, LocalSpec>,
    lock: &Lock,
    overwrite: bool,
) -> Result<Vec<Entry<'a>>, CommandError> {
    let mut entries = Vec::new();
    let mut edited = Vec::new();
    for (bot, local) in specs {
        let newest = remote::newest(api, bot).await?;
        let entry = Entry {
            bot,
            local,
            newest,
            result: "untouched",
            deployment: None,
        };
        let behind = entry.newest.as_ref().filter(|newest| lock.is_behind(bot, newest));
        if let (Some(newest), Some(base), false) = (behind, lock.base(bot), entry.is_current()) {
            edited.push(format!(
                "{bot} (pulled at version {}, now at {})",
                base.version, newest.version
            ));
        }
        entries.push(entry);
    }
    if edited.is_empty() || overwrite {
        return Ok(entries);
    }
    Err(CommandError::Other(format!(
        "edited on the server since it was pulled: {}. Nothing was changed. Pull and merge, or `--overwrite`",
        edited.join(", ")
    )))
}

/// Posts what differs, and notes what then is the newest version; stops at the first failure.
async fn post_all(api: &Api, entries: &mut [Entry<'_>], lock: &mut Lock) -> CommandResult {
    for entry in entries {
        if entry.is_current() {
            entry.result = "unchanged";
        } else if let Err(error) = post(api, entry).await {
            entry.result = "refused";
            return Err(CommandError::Api(format!("{}: {error}", entry.bot)));
        }
        if let Some(newest) = &entry.newest {
            lock.set(entry.bot, newest);
            lock.save()?;
        }
    }
    Ok(())
}

async fn post(api: &Api, entry: &mut Entry<'_>) -> CommandResult {
    let created = match &entry.newest {
        None => single::ensure_bot(api, entry.bot, entry.local.name()).await?,
        Some(_) => false,
    };
    let seen = entry.version();
    let stored = api.post_on("/spec", entry.local.text.clone(), seen).await?;
    let is_new = stored.status == StatusCode::CREATED;
    let mut newest = Newest::of(&stored.ok()?)?;
    entry.result = if created { "created" } else { "posted" };
    // An older version has this content: what git went back to becomes the newest again.
    if !is_new && seen.is_some_and(|seen| newest.version < seen) {
        let path = format!("/spec/{}/restore?botId={}", newest.version, entry.bot);
        newest = Newest::of(&api.post_on(&path, Vec::new(), seen).await?.ok()?)?;
        entry.result = "restored";
    }
    entry.newest = Some(newest);
    Ok(())
}

/// Makes every bot of the folder live whose newest version is not.
async fn deploy_all(api: &Api, entries: &mut [Entry<'_>], wait: bool) -> CommandResult {
    for entry in entries {
        let deployed = deploy(api, entry, wait).await;
        entry.deployment = Some(match &deployed {
            Ok(told) => told.clone(),
            Err(_) => "failed".to_owned(),
        });
        deployed.map_err(|error| CommandError::Api(format!("{}: {error}", entry.bot)))?;
    }
    Ok(())
}

async fn deploy(api: &Api, entry: &Entry<'_>, wait: bool) -> Result<String, CommandError> {
    let version = entry.version().unwrap_or_default();
    let task = single::generate(api, entry.bot, version).await?;
    let revision = single::generated(api, &task).await?;
    let row = api.get(&format!("/bots/{}", entry.bot)).await?.ok()?;
    if row["activeRevHash"] == revision.as_str() {
        return Ok("live already".to_owned());
    }
    let task = single::deploy(api, entry.bot, &revision).await?;
    if !wait {
        return Ok(format!("task {task}"));
    }
    let epoch = single::deployed(api, &task, |_| {}).await?;
    Ok(format!("live, epoch {epoch}"))
}

fn report(entries: &[Entry<'_>], as_json: bool) {
    if as_json {
        let shown = |entry: &Entry<'_>| {
            json!({
                "botId": entry.bot,
                "version": entry.version(),
                "result": entry.result,
                "deployment": entry.deployment,
            })
        };
        let bots: Vec<Value> = entries.iter().map(shown).collect();
        say(format!("{:#}", json!({ "bots": bots })));
        return;
    }
    let mut rows = vec![["BOT", "VERSION", "SPEC", "REVISION"].map(String::from).to_vec()];
    for entry in entries {
        let version = entry
            .version()
            .map_or_else(String::new, |version| version.to_string());
        let deployment = entry.deployment.clone().unwrap_or_default();
        rows.push(vec![
            entry.bot.to_owned(),
            version,
            entry.result.to_owned(),
            deployment,
        ]);
    }
    say(table(&rows));
}
