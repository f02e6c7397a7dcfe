//! `botloom apply` of one file: from the file to the server, and to Telegram.

use serde_json::json;

use super::entry::{Entry, Fate, conflicts};
use super::files::{self, LocalSpec};
use super::lock::Lock;
use crate::api_client::Api;
use crate::cli::ApplyArgs;
use crate::commands::apply::{self as way, Standing};
use crate::commands::listing::named_project;
use crate::commands::validate;
use crate::error::{self, CommandError, CommandResult};
use crate::terminal::{note, say};

/// Brings a spec to a server. Where the folder of its file has a lock that names the bot, the lock counts. It is kept if the file is
/// the bot's own of that folder: of another one, a draft, the bot's file does not know.
pub(crate) async fn apply_file(args: &ApplyArgs) -> CommandResult {
    let lock = Lock::beside(&args.file).await?;
    let local = read(args)?;
    let bot = local.accepted.spec.meta.bot_id.as_str();
    let mut lock = lock.filter(|lock| lock.base(bot).is_some());
    let api = Api::login(&args.login).await?;
    let project = named_project(&api, args.project.as_deref()).await?;
    let mut entry = Entry::look(&api, bot, &local, lock.as_ref()).await?;
    let own = args.file.file_name() == Some(format!("{bot}.json").as_ref());
    let kept = lock.as_mut().filter(|_| own);
    let brought = bring(&api, args, &mut entry, kept, project.as_deref()).await;
    if let Err(error) = &brought {
        entry.fail(error);
    }
    if args.json {
        say(format!("{:#}", json!({ "bots": [entry.json()] })));
    }
    brought
}

/// The spec, if it has no errors; its findings are printed.
fn read(args: &ApplyArgs) -> Result<LocalSpec, CommandError> {
    let text = error::read(&args.file)?;
    let checked = botloom_spec::check(&text);
    for finding in &checked.findings {
        note(validate::line(finding));
    }
    if let Some(accepted) = checked.spec {
        return Ok(LocalSpec { text, accepted });
    }
    if args.json {
        let file = files::judged(&args.file, &checked.findings, None);
        say(format!("{:#}", json!({ "bots": [], "files": [file] })));
    }
    Err(validate::refused(&args.file, &checked.findings))
}

async fn bring(
    api: &Api,
    args: &ApplyArgs,
    entry: &mut Entry<'_>,
    lock: Option<&mut Lock>,
    project: Option<&str>,
) -> CommandResult {
    let bot = entry.bot;
    let tell = |line: String| if args.json { note(line) } else { say(line) };
    if entry.newest.is_some() {
        way::tell_of_rollback(api, bot).await?;
    }
    if !args.overwrite {
        conflicts(std::slice::from_mut(entry))?;
    }
    entry.post(api, project).await?;
    let Some(newest) = &entry.newest else {
        return Err(CommandError::Api("the server took no version".to_owned()));
    };
    let version = newest.version;
    if let Some(lock) = lock {
        lock.set(bot, newest);
        lock.save()?;
    }
    if entry.fate == Fate::Created {
        tell(format!("bot {bot} created"));
    }
    let how = match entry.fate {
        Fate::Unchanged => " (unchanged)",
        Fate::Restored => " (restored)",
        _ => "",
    };
    tell(format!("version {version}{how}  {}", newest.spec_hash));

    let task = way::generate(api, bot, version).await?;
    if args.wait || args.deploy {
        let revision = way::generated(api, &task).await?;
        tell(format!("revision {revision}"));
        entry.revision = Some(revision.clone());
        if args.deploy {
            let standing = way::make_live(api, bot, &revision, args.deploying(), tell).await;
            let standing = standing.inspect_err(|_| entry.deployment = Some("failed".to_owned()))?;
            entry.deployment = Some(standing.to_string());
            tell(match standing {
                Standing::Asked(task) => format!("deploying: task {task}"),
                other => other.to_string(),
            });
        }
    } else {
        tell(format!("generating: task {task}"));
        entry.task = Some(task);
    }
    way::attach(api, bot, &args.connection, tell).await
}
