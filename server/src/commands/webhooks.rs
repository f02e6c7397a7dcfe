//! `botloom webhooks`: whether Telegram delivers.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::listing::{self, everything, named_project, show};
use crate::api_client::Api;
use crate::cli::webhooks::{WebhookArgs, WebhooksCommand};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Runs one of the commands.
pub(crate) async fn webhooks(command: WebhooksCommand) -> CommandResult {
    match command {
        WebhooksCommand::List { status, project, at } => {
            let api = Api::login(&at.login).await?;
            let project = named_project(&api, project.as_deref()).await?;
            let path = status.map_or_else(
                || "/webhooks".to_owned(),
                |status| format!("/webhooks?status={}", status.as_str()),
            );
            let mut bots = everything(&api, &path).await?;
            if project.is_some() {
                let of_it = listing::bots(&api, project.as_deref()).await?;
                let of_it: HashSet<&str> = of_it.iter().filter_map(|bot| bot["botId"].as_str()).collect();
                bots.retain(|bot| bot["botId"].as_str().is_some_and(|bot| of_it.contains(bot)));
            }
            if !at.json {
                bots.iter_mut().for_each(add_codes);
            }
            let columns = [
                ("BOT", "/botId"),
                ("STATUS", "/health/status"),
                ("SINCE", "/health/since"),
                ("CHECKED", "/health/checkedAt"),
                ("WAITING", "/health/pendingUpdates"),
                ("FOUND", "/codes"),
            ];
            show(&bots, at.json, &columns);
        }
        WebhooksCommand::Show { bot, at } => {
            let api = Api::login(&at.login).await?;
            let found = look(&api, &bot).await?;
            tell(&at, &found, || describe(&bot, &found));
        }
        WebhooksCommand::Reclaim { bot, at } => {
            let api = Api::login(&at.login).await?;
            let path = format!("/bots/{bot}/webhook/reclaim");
            let answer = api.post(&path, Value::Null).await?.ok()?;
            tell(&at, &answer["telegram"], || {
                format!("Telegram gives the updates of {bot} to this server")
            });
        }
        WebhooksCommand::Progress { at } => {
            let api = Api::login(&at.login).await?;
            let progress = api.get("/webhooks/progress").await?.ok()?;
            tell(&at, &progress, || {
                let left = &progress["left"];
                let left = if progress["moveHeld"].is_object() {
                    format!("{left} left, held")
                } else {
                    let secs = progress["etaSeconds"].as_u64().unwrap_or_default();
                    format!("{left} left, about {}", span(secs))
                };
                let mut lines = vec![
                    format!(
                        "{} healthy, {} repairing, {} drifted, {} unknown",
                        progress["healthy"], progress["repairing"], progress["drifted"], progress["unknown"],
                    ),
                    left,
                ];
                lines.extend(troubles(&progress));
                lines.join("\n")
            });
        }
    }
    Ok(())
}

/// What keeps webhooks from being set right, in words.
fn troubles(progress: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(until) = progress["heldUntil"].as_str() {
        lines.push(format!("Telegram asks to wait until {until}"));
    }
    if let Some(since) = progress["moveHeld"]["since"].as_str() {
        let held = &progress["moveHeld"];
        lines.push(format!(
            "The move to the new public URL is held since {since}: of {} bots moved lately, deliveries of {} fail there; {} \
             stay at the old one.",
            held["moved"], held["failing"], held["rest"]
        ));
        lines.push(
            "  `botloom webhooks list --status drifted` names them. Once they get their updates it goes on by itself; if the \
             URL is wrong, set BOTLOOM_PUBLIC_URL back and restart: only bots that were moved are moved back."
                .to_owned(),
        );
    }
    if let Some(since) = progress["unansweredSince"].as_str() {
        lines.push(format!(
            "Telegram does not answer for {} bots, the first since {since}",
            progress["unanswered"]
        ));
    }
    lines
}

/// The codes of what was found, as a cell of a table.
fn add_codes(bot: &mut Value) {
    let findings = bot["health"]["findings"].as_array();
    let codes: Vec<&str> = findings
        .into_iter()
        .flatten()
        .filter_map(|finding| finding["code"].as_str())
        .collect();
    if !codes.is_empty() {
        bot["codes"] = codes.join(" ").into();
    }
}

/// How a bot's updates come, as the server shows it.
async fn look(api: &Api, bot: &str) -> Result<Value, CommandError> {
    let answer = api.get(&format!("/bots/{bot}")).await?.ok()?;
    let telegram = &answer["telegram"];
    Ok(json!({ "ingress": telegram["ingress"], "webhook": telegram["webhook"] }))
}

fn describe(bot: &str, found: &Value) -> String {
    let Some(ingress) = found["ingress"].as_str() else {
        return format!("{bot} is not connected");
    };
    let health = &found["webhook"]["health"];
    let Some(status) = health["status"].as_str() else {
        return format!("{bot} ({ingress}) was not checked yet");
    };
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut lines = vec![
        format!("{bot} ({ingress}) is {status} since {}", text(&health["since"])),
        format!(
            "checked {}, {} updates wait at Telegram",
            text(&health["checkedAt"]),
            health["pendingUpdates"].as_u64().unwrap_or_default()
        ),
    ];
    if let Some(since) = health["unansweredSince"].as_str() {
        lines.push(format!("Telegram does not answer since {since}"));
    }
    for finding in health["findings"].as_array().into_iter().flatten() {
        lines.push(format!(
            "{}: {}",
            text(&finding["code"]),
            text(&finding["message"])
        ));
        lines.push(format!("  {}", text(&finding["remedy"])));
        if matches!(
            finding["code"].as_str(),
            Some("webhook-missing" | "webhook-foreign" | "polling-blocked")
        ) {
            lines.push(format!(
                "  It belongs here: botloom webhooks reclaim {bot}; it moved: botloom disconnect {bot}"
            ));
        }
    }
    lines.join("\n")
}

fn tell(at: &WebhookArgs, answer: &Value, words: impl FnOnce() -> String) {
    if at.json {
        say(answer);
    } else {
        say(words());
    }
}

/// Seconds for people.
fn span(secs: u64) -> String {
    match secs {
        0..120 => format!("{secs} s"),
        120..7_200 => format!("{} min", secs / 60),
        _ => format!("{} h", secs / 3_600),
    }
}
