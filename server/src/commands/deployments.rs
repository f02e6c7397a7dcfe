//! `botloom deployments` and `botloom revisions`: what went live when, and what was built.

use std::collections::HashMap;

use serde_json::Value;

use super::apply::deployed;
use super::going_live::named;
use super::listing::{everything, newest, segment, show};
use crate::api_client::Api;
use crate::cli::bots::At;
use crate::cli::releases::{DeploymentsCommand, NewestArgs};
use crate::error::{CommandError, CommandResult};
use crate::terminal::{note, say};

/// Lists what was built of a bot.
pub(crate) async fn revisions(args: &NewestArgs) -> CommandResult {
    let api = Api::login(&args.at.login).await?;
    let path = format!("/revisions?botId={}", segment(&args.bot));
    let mut revisions = newest(&api, &path, args.limit).await?;
    if !args.at.json {
        let bot = api.get(&format!("/bots/{}", segment(&args.bot))).await?.ok()?;
        for revision in &mut revisions {
            if revision["revHash"] == bot["activeRevHash"] {
                revision["live"] = "live".into();
            }
        }
    }
    let columns = [
        ("REVISION", "/revHash"),
        ("VERSION", "/specVersion"),
        ("LIVE", "/live"),
        ("WHEN", "/createdAt"),
    ];
    show(&revisions, args.at.json, &columns);
    Ok(())
}

/// Runs one of the commands.
pub(crate) async fn deployments(command: DeploymentsCommand) -> CommandResult {
    match command {
        DeploymentsCommand::List(args) => list(&args).await,
        DeploymentsCommand::Show { task, watch, at } => look(&task, watch, &at).await,
    }
}

async fn list(args: &NewestArgs) -> CommandResult {
    let api = Api::login(&args.at.login).await?;
    let bot = segment(&args.bot);
    let mut deployments = newest(&api, &format!("/deployments?botId={bot}"), args.limit).await?;
    if !args.at.json {
        // Hashes tell people nothing.
        let revisions = everything(&api, &format!("/revisions?botId={bot}")).await?;
        let versions: HashMap<&str, &Value> = revisions
            .iter()
            .filter_map(|revision| Some((revision["revHash"].as_str()?, &revision["specVersion"])))
            .collect();
        for deployment in &mut deployments {
            for (column, revision) in [("from", "fromRev"), ("to", "toRev")] {
                let version = deployment[revision].as_str().and_then(|rev| versions.get(rev));
                deployment[column] = version.map_or(Value::Null, |version| (*version).clone());
            }
            deployment["kind"] = kind(deployment).into();
            deployment["why"] = why(deployment).map_or(Value::Null, Into::into);
        }
    }
    let columns = [
        ("TASK", "/taskId"),
        ("WHAT", "/kind"),
        ("STATUS", "/status"),
        ("STAGE", "/stage"),
        ("FROM", "/from"),
        ("TO", "/to"),
        ("EPOCH", "/epoch"),
        ("WHEN", "/createdAt"),
        ("WHY", "/why"),
    ];
    show(&deployments, args.at.json, &columns);
    Ok(())
}

fn kind(deployment: &Value) -> &'static str {
    if deployment["rollback"] == true {
        "rollback"
    } else {
        "deploy"
    }
}

/// Why it failed, or was taken back, or takes something back.
fn why(deployment: &Value) -> Option<String> {
    let error = &deployment["error"];
    let failure = error["code"].as_str().map(|code| {
        let detail = error["detail"].as_str().unwrap_or_default();
        format!("{code}: {detail}")
    });
    failure.or_else(|| deployment["reason"].as_str().map(ToOwned::to_owned))
}

/// Shows a deployment; to its end, if it is to be watched.
async fn look(task: &str, watch: bool, at: &At) -> CommandResult {
    let api = Api::login(&at.login).await?;
    let tell = |line: String| if at.json { note(line) } else { say(line) };
    let path = format!("/deployments/{}", segment(task));
    let mut deployment = api.get(&path).await?.ok()?;
    if !at.json {
        describe(&api, &deployment).await?;
    }
    let mut ended = Ok(());
    if watch {
        ended = deployed(&api, task, tell).await.map(drop);
        deployment = api.get(&path).await?.ok()?;
    } else if !at.json {
        for stage in deployment["stages"].as_array().into_iter().flatten() {
            say(stage_line(stage));
        }
    }
    if at.json {
        say(deployment);
    } else {
        close(&deployment);
    }
    ended
}

/// What does not change while it goes on.
async fn describe(api: &Api, deployment: &Value) -> Result<(), CommandError> {
    let text = |name: &str| deployment[name].as_str().unwrap_or_default().to_owned();
    for (title, words) in [
        ("BOT", text("botId")),
        ("WHAT", kind(deployment).to_owned()),
        ("FROM", named(api, &deployment["fromRev"]).await?),
        ("TO", named(api, &deployment["toRev"]).await?),
        ("BEGUN", text("createdAt")),
    ] {
        say(format!("{title:<11} {words}"));
    }
    Ok(())
}

fn stage_line(stage: &Value) -> String {
    let detail = match (&stage["finishedAt"], stage["detail"].as_str()) {
        (Value::Null, None) => "…",
        (_, detail) => detail.unwrap_or_default(),
    };
    let line = format!("  {:<11} {detail}", stage["name"].as_str().unwrap_or_default());
    line.trim_end().to_owned()
}

/// How it stands, or ended.
fn close(deployment: &Value) {
    let status = deployment["status"].as_str().unwrap_or_default();
    let epoch = deployment["epoch"].as_u64();
    let epoch = epoch.map_or_else(String::new, |epoch| format!(", epoch {epoch}"));
    say(format!("{:<11} {status}{epoch}", "STATUS"));
    if let Some(why) = why(deployment) {
        say(format!("{:<11} {why}", "WHY"));
    }
    if let Some(until) = deployment["watchedUntil"].as_str() {
        say(format!("{:<11} {until}", "WATCHED TO"));
    }
}
