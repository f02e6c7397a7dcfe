//! `botloom pull`: from the server into the folder.

use std::path::PathBuf;

use botloom_spec::model::BotSpec;
use serde_json::{Value, json};

use super::entry::WAY_OUT;
use super::files::{self, path, pretty};
use super::lock::Lock;
use super::remote::{self, Newest};
use super::table::table;
use crate::api_client::Api;
use crate::cli::PullArgs;
use crate::commands::listing::{self, named_project};
use crate::error::{self, CommandError, CommandResult};
use crate::terminal::say;

/// What becomes of a file.
enum Fate {
    /// It has the newest content, or the bot has none.
    Unchanged,
    /// The newest content is what it was made of; what was edited here since stays.
    EditedHere,
    /// It is written.
    Written(Box<BotSpec>),
}

/// Writes the newest specs into the folder.
pub(crate) async fn pull(args: &PullArgs) -> CommandResult {
    let failed = |source| CommandError::File {
        path: args.dir.clone(),
        source,
    };
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    let mut lock = Lock::hold(&args.dir).await?;
    let api = Api::login(&args.login).await?;
    let project = named_project(&api, args.project.as_deref()).await?;
    let bots = listing::bots(&api, None).await?;
    let mut found = Vec::new();
    let mut conflicts = Vec::new();
    for shown in &bots {
        let bot = shown["botId"].as_str().unwrap_or_default();
        if project
            .as_ref()
            .is_some_and(|project| shown["projectId"] != **project)
        {
            continue;
        }
        let Some(newest) = remote::newest(&api, bot).await? else {
            continue;
        };
        match fate(args, &api, &lock, bot, &newest).await? {
            Some(fate) => found.push((bot.to_owned(), newest, fate)),
            None => conflicts.push(path(&args.dir, bot)),
        }
    }
    if !conflicts.is_empty() {
        return Err(conflict(&conflicts));
    }
    let mut rows = vec![["BOT", "VERSION", "FILE"].map(String::from).to_vec()];
    let mut shown = Vec::new();
    for (bot, newest, fate) in found {
        let told = match fate {
            Fate::Unchanged => "unchanged",
            Fate::EditedHere => "edited here",
            Fate::Written(spec) => {
                files::write(&path(&args.dir, &bot), &pretty(&spec)?)?;
                "written"
            }
        };
        lock.set(&bot, &newest);
        shown.push(json!({ "botId": bot, "version": newest.version, "file": told }));
        rows.push(vec![bot, newest.version.to_string(), told.to_owned()]);
    }
    let deleted = deleted(args, &mut lock, &bots);
    for (bot, version) in &deleted {
        shown.push(json!({ "botId": bot, "version": version, "file": "deleted on the server" }));
        rows.push(vec![
            bot.clone(),
            version.to_string(),
            "deleted on the server".to_owned(),
        ]);
    }
    lock.save()?;
    if args.json {
        say(format!("{:#}", json!({ "bots": shown })));
    } else {
        say(table(&rows));
    }
    if deleted.is_empty() {
        return Ok(());
    }
    let bots: Vec<&str> = deleted.iter().map(|(bot, _)| bot.as_str()).collect();
    Err(CommandError::Other(format!(
        "deleted on the server, but its file is still here: {}. {WAY_OUT}",
        bots.join(", ")
    )))
}

/// The bots of which files are here and that the server does not have any more, with the versions that were pulled. Those
/// of which the files are gone, too, are forgotten.
fn deleted(args: &PullArgs, lock: &mut Lock, there: &[Value]) -> Vec<(String, u64)> {
    let gone = lock
        .bots()
        .filter(|bot| there.iter().all(|shown| shown["botId"] != **bot));
    let gone: Vec<String> = gone.map(ToOwned::to_owned).collect();
    let mut deleted = Vec::new();
    for bot in gone {
        match lock.base(&bot) {
            Some(base) if path(&args.dir, &bot).exists() => deleted.push((bot, base.version)),
            _ => lock.forget(&bot),
        }
    }
    deleted
}

/// What is to become of the bot's file; `None` if it was edited here and on the server.
async fn fate(
    args: &PullArgs,
    api: &Api,
    lock: &Lock,
    bot: &str,
    newest: &Newest,
) -> Result<Option<Fate>, CommandError> {
    let file = path(&args.dir, bot);
    if file.exists() {
        let here = botloom_spec::check(&error::read(&file)?)
            .spec
            .map(|spec| spec.hash);
        if here.as_ref() == Some(&newest.spec_hash) {
            return Ok(Some(Fate::Unchanged));
        }
        let base = lock.base(bot).map(|base| &base.spec_hash);
        let edited = base.is_none() || here.as_ref() != base;
        if edited && !args.overwrite {
            let known = base == Some(&newest.spec_hash);
            return Ok(known.then_some(Fate::EditedHere));
        }
    }
    let spec = remote::spec(api, bot, newest.version).await?;
    Ok(Some(Fate::Written(Box::new(spec))))
}

fn conflict(files: &[PathBuf]) -> CommandError {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    CommandError::Other(format!(
        "edited here and on the server: {}. Nothing was written. See both with `botloom diff`; `--overwrite` takes the \
         server's",
        names.join(", ")
    ))
}
