//! `botloom apply` of a folder: from the folder to the server.

use serde_json::{Value, json};

use super::entry::{Entry, Fate, conflicts};
use super::fileless::{self, Fileless};
use super::files;
use super::lock::Lock;
use super::table::table;
use crate::api_client::Api;
use crate::cli::ApplyArgs;
use crate::commands::apply as way;
use crate::commands::listing::named_project;
use crate::error::{CommandError, CommandResult};
use crate::terminal::{note, say};

/// What went wrong on the way.
#[derive(Default)]
struct Failures {
    /// A line for each bot.
    of_bots: Vec<String>,
    /// Nothing more is done: somebody else posts at this moment, or the lock cannot be written.
    stop: bool,
}

/// Brings the folder's specs to a server.
pub(crate) async fn apply(args: &ApplyArgs) -> CommandResult {
    if args.connection.token().is_some() || args.connection.ingress.is_some() {
        let message = "--bot-token (BOTLOOM_BOT_TOKEN) and --connect are for one bot, a folder has many: connect each with \
                       `botloom connect`";
        return Err(CommandError::Usage(message.to_owned()));
    }
    let mut lock = Lock::hold(&args.file).await?;
    let specs = files::read(&args.file, args.json)?;
    let api = Api::login(&args.login).await?;
    let project = named_project(&api, args.project.as_deref()).await?;
    let fileless = fileless::find(&api, &lock, &specs).await?;
    // What the server has is known of all before anything is written.
    let mut entries = Vec::new();
    for (bot, local) in &specs {
        entries.push(Entry::look(&api, bot, local, Some(&lock)).await?);
    }
    if !args.overwrite
        && let Err(error) = conflicts(&mut entries)
    {
        report(&entries, &fileless, args.json);
        return Err(error);
    }
    let mut failures = post_all(&api, &mut entries, &mut lock, project.as_deref()).await;
    if args.deploy && !failures.stop {
        deploy_all(&api, &mut entries, args, &mut failures).await;
    }
    report(&entries, &fileless, args.json);
    match failures.of_bots.as_slice() {
        [] => Ok(()),
        [only] => Err(CommandError::Api(only.clone())),
        several => Err(CommandError::Api(format!(
            "{} failures:\n  {}",
            several.len(),
            several.join("\n  ")
        ))),
    }
}

/// Posts what differs, and notes what then is the newest version. A bot that fails keeps no other one back, but for one
/// that somebody else posts to at this moment.
async fn post_all(api: &Api, entries: &mut [Entry<'_>], lock: &mut Lock, project: Option<&str>) -> Failures {
    let mut failures = Failures::default();
    for entry in entries {
        if let Err(error) = post(api, entry, lock, project).await {
            failures.of_bots.push(entry.fail(&error));
            if entry.fate == Fate::Conflict || matches!(error, CommandError::File { .. }) {
                failures.stop = true;
                break;
            }
        }
    }
    failures
}

async fn post(api: &Api, entry: &mut Entry<'_>, lock: &mut Lock, project: Option<&str>) -> CommandResult {
    if entry.newest.is_some() && !entry.is_current() {
        way::tell_of_rollback(api, entry.bot).await?;
    }
    entry.post(api, project).await?;
    if let Some(newest) = &entry.newest {
        lock.set(entry.bot, newest);
        lock.save()?;
    }
    Ok(())
}

/// Makes the newest version of every bot live that has come so far.
async fn deploy_all(api: &Api, entries: &mut [Entry<'_>], args: &ApplyArgs, failures: &mut Failures) {
    for entry in entries.iter_mut().filter(|entry| entry.error.is_none()) {
        entry.deployment = Some(match deploy(api, entry, args).await {
            Ok(told) => told,
            Err(error) => {
                failures.of_bots.push(entry.fail(&error));
                "failed".to_owned()
            }
        });
    }
}

async fn deploy(api: &Api, entry: &mut Entry<'_>, args: &ApplyArgs) -> Result<String, CommandError> {
    let version = entry.version().unwrap_or_default();
    let task = way::generate(api, entry.bot, version).await?;
    let revision = way::generated(api, &task).await?;
    let standing = way::make_live(api, entry.bot, &revision, args.deploying(), |_| {}).await;
    entry.revision = Some(revision);
    Ok(standing?.to_string())
}

fn report(entries: &[Entry<'_>], fileless: &[Fileless], as_json: bool) {
    if as_json {
        let bots: Vec<Value> = entries
            .iter()
            .map(Entry::json)
            .chain(fileless.iter().map(|one| one.json("result")))
            .collect();
        say(format!("{:#}", json!({ "bots": bots })));
    } else {
        let mut rows = vec![["BOT", "VERSION", "SPEC", "REVISION"].map(String::from).to_vec()];
        for entry in entries {
            let version = entry
                .version()
                .map_or_else(String::new, |version| version.to_string());
            let deployment = entry.deployment.clone().unwrap_or_default();
            rows.push(vec![
                entry.bot.to_owned(),
                version,
                entry.fate.words().to_owned(),
                deployment,
            ]);
        }
        say(table(&rows));
    }
    for one in fileless {
        note(one.words());
    }
}
