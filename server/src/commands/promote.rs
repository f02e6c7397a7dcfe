//! `botloom promote`: from a staging bot to its production bot.

use serde_json::{Value, json};

use super::apply::{deploy, deployed, generated, is_live};
use crate::api_client::Api;
use crate::cli::bots::PromoteArgs;
use crate::error::{CommandError, CommandResult};
use crate::terminal::{note, say};

/// Promotes a version, and deploys it if that is wanted.
pub(crate) async fn promote(args: &PromoteArgs) -> CommandResult {
    let api = Api::login(&args.at.login).await?;
    if args.dry_run {
        return compare(&api, args).await;
    }
    let body = json!({ "version": args.version, "note": args.note });
    let mut promoted = api
        .post(&format!("/bots/{}/promote", args.bot), body)
        .await?
        .ok()?;
    let text = |name: &str| promoted[name].as_str().unwrap_or_default().to_owned();
    let (bot, task) = (text("botId"), text("taskId"));
    let tell = |line: String| if args.at.json { note(line) } else { say(line) };
    let unchanged = if promoted["created"] == true {
        ""
    } else {
        " (unchanged)"
    };
    let (from, version) = (&promoted["fromVersion"], &promoted["version"]);
    tell(format!(
        "{} version {from} is {bot} version {version}{unchanged}",
        args.bot
    ));
    if args.deploy || args.wait {
        let revision = generated(&api, &task).await?;
        tell(format!("revision {revision}"));
        if args.deploy && is_live(&api, &bot, &revision).await? {
            tell(format!("{bot} runs it already: nothing to promote"));
        } else if args.deploy {
            let deployment = deploy(&api, &bot, &revision).await?;
            if args.wait {
                let epoch = deployed(&api, &deployment, tell).await?;
                tell(format!("{bot} is live, epoch {epoch}"));
            } else {
                tell(format!("deploying: task {deployment}"));
            }
            promoted["deploymentTaskId"] = deployment.into();
        }
        promoted["revHash"] = revision.into();
    } else {
        tell(format!("generating: task {task}"));
    }
    if args.at.json {
        say(promoted);
    }
    Ok(())
}

/// Says how what is live on both differs. Fails as `diff` does if it does.
async fn compare(api: &Api, args: &PromoteArgs) -> CommandResult {
    let found = api.get(&format!("/bots/{}/promotion", args.bot)).await?.ok()?;
    let behind = found["behind"] == true;
    if args.at.json {
        say(&found);
    } else {
        let version = |version: &Value| {
            version
                .as_u64()
                .map_or("nothing".to_owned(), |n| format!("version {n}"))
        };
        say(format!(
            "{} runs {}, {} runs {}: {}",
            args.bot,
            version(&found["stagingVersion"]),
            found["productionBotId"].as_str().unwrap_or_default(),
            version(&found["productionVersion"]),
            if behind {
                "production is behind"
            } else {
                "nothing to promote"
            },
        ));
        for change in found["changes"].as_array().into_iter().flatten() {
            say(format!("  {}", change["message"].as_str().unwrap_or_default()));
        }
    }
    if behind {
        Err(CommandError::Differences)
    } else {
        Ok(())
    }
}
