//! `botloom apply`, `setup` and `connect`: a spec on its way to users, through the API like any other client.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::api_client::{Api, new_credentials};
use crate::cli::{ApplyArgs, Connection, IngressArg, Login};
use crate::error::{self, CommandError, CommandResult};
use crate::terminal::{note, say};

/// How often the state of a task is asked for.
const POLL: Duration = Duration::from_millis(150);

/// Creates the first owner.
pub(crate) async fn setup(login: &Login) -> CommandResult {
    let (email, password) = new_credentials(login)?;
    let account = json!({ "email": email, "password": password });
    Api::new(&login.server).sign_up("/auth/setup", account).await?;
    say(format!("{email} owns {}", login.server));
    Ok(())
}

/// Gives a bot its token and connects it.
pub(crate) async fn connect(bot: &str, connection: &Connection, login: &Login) -> CommandResult {
    let api = Api::login(login).await?;
    attach(&api, bot, connection).await
}

/// Brings a spec to a server.
pub(crate) async fn apply(args: &ApplyArgs) -> CommandResult {
    if args.json || args.overwrite {
        let message = "--json and --overwrite are for a folder of specs";
        return Err(CommandError::Other(message.to_owned()));
    }
    let text = error::read(&args.file)?;
    let spec = super::validate::accept(&args.file, &text)?;
    let (bot, name) = (spec.spec.meta.bot_id.clone(), spec.spec.meta.name.clone());
    let api = Api::login(&args.login).await?;

    if ensure_bot(&api, &bot, &name).await? {
        say(format!("bot {bot} created"));
    } else {
        tell_of_rollback(&api, &bot).await?;
    }

    let stored = api.post_text("/spec", text).await?;
    let created = stored.status == StatusCode::CREATED;
    let stored = stored.ok()?;
    let version = stored["version"].as_u64().unwrap_or_default();
    let unchanged = if created { "" } else { " (unchanged)" };
    say(format!(
        "version {version}{unchanged}  {}",
        stored["specHash"].as_str().unwrap_or_default()
    ));

    let task = generate(&api, &bot, version).await?;
    if !args.wait && !args.deploy {
        say(format!("generating: task {task}"));
        return attach(&api, &bot, &args.connection).await;
    }
    let revision = generated(&api, &task).await?;
    say(format!("revision {revision}"));

    if args.deploy {
        let task = deploy(&api, &bot, &revision).await?;
        if args.wait {
            let epoch = deployed(&api, &task, say).await?;
            say(format!("live, epoch {epoch}"));
        } else {
            say(format!("deploying: task {task}"));
        }
    }
    attach(&api, &bot, &args.connection).await
}

/// Makes the bot if it is not there; answers whether it did.
pub(super) async fn ensure_bot(api: &Api, bot: &str, name: &str) -> Result<bool, CommandError> {
    let found = api.get(&format!("/bots/{bot}")).await?;
    if found.status != StatusCode::NOT_FOUND {
        found.ok()?;
        return Ok(false);
    }
    api.post("/bots", json!({ "botId": bot, "name": name }))
        .await?
        .ok()?;
    Ok(true)
}

/// Has a version built; answers the task.
pub(super) async fn generate(api: &Api, bot: &str, version: u64) -> Result<String, CommandError> {
    let body = json!({ "botId": bot, "specVersion": version });
    Ok(task_id(&api.post("/generate", body).await?.ok()?))
}

/// Has a revision put live; answers the task.
pub(super) async fn deploy(api: &Api, bot: &str, revision: &str) -> Result<String, CommandError> {
    let body = json!({ "botId": bot, "revHash": revision, "strategy": "flip" });
    Ok(task_id(&api.post("/deploy", body).await?.ok()?))
}

pub(super) async fn attach(api: &Api, bot: &str, connection: &Connection) -> CommandResult {
    if let Some(token) = &connection.bot_token {
        api.put(&format!("/bots/{bot}/token"), json!({ "token": token }))
            .await?
            .ok()?;
        say("token stored");
    }
    if let Some(ingress) = connection.ingress {
        let ingress = match ingress {
            IngressArg::Webhook => "webhook",
            IngressArg::Polling => "polling",
        };
        let answer = api
            .post(&format!("/bots/{bot}/connect"), json!({ "ingress": ingress }))
            .await?
            .ok()?;
        let username = answer["telegram"]["username"].as_str();
        let link = username.map_or_else(String::new, |username| format!(": https://t.me/{username}"));
        say(format!("connected by {ingress}{link}"));
    }
    Ok(())
}

fn task_id(answer: &Value) -> String {
    answer["taskId"].as_str().unwrap_or_default().to_owned()
}

/// Waits for a generation and answers its revision.
pub(super) async fn generated(api: &Api, task: &str) -> Result<String, CommandError> {
    loop {
        let state = api.get(&format!("/tasks/{task}")).await?.ok()?;
        match state["status"].as_str() {
            Some("succeeded") => return Ok(state["revHash"].as_str().unwrap_or_default().to_owned()),
            Some("failed") => {
                return Err(CommandError::Api(format!(
                    "generation failed: {}",
                    failure(&state)
                )));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

/// Waits for a deployment and shows its stages as they end; answers the epoch.
pub(super) async fn deployed(
    api: &Api,
    task: &str,
    mut show: impl FnMut(String),
) -> Result<u64, CommandError> {
    let mut shown = 0;
    loop {
        let state = api.get(&format!("/deployments/{task}")).await?.ok()?;
        let stages = state["stages"].as_array().map_or(&[][..], Vec::as_slice);
        for stage in stages
            .iter()
            .filter(|stage| !stage["finishedAt"].is_null())
            .skip(shown)
        {
            shown += 1;
            let detail = stage["detail"].as_str().unwrap_or_default();
            let line = format!("  {:<11} {detail}", stage["name"].as_str().unwrap_or_default());
            show(line.trim_end().to_owned());
        }
        match state["status"].as_str() {
            Some("succeeded") => {
                if let Some(until) = state["watchedUntil"].as_str() {
                    note(format!(
                        "until {until} the revision before comes back by itself if too many updates fail"
                    ));
                }
                return Ok(state["epoch"].as_u64().unwrap_or_default());
            }
            Some("failed") => {
                note("nothing changed for users: the revision that was live still is");
                return Err(CommandError::Api(format!(
                    "deployment failed: {}",
                    failure(&state)
                )));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

/// Says so if the bot's last deployment was a rollback that nobody asked for.
async fn tell_of_rollback(api: &Api, bot: &str) -> CommandResult {
    let listed = api
        .get(&format!("/deployments?botId={bot}&limit=1"))
        .await?
        .ok()?;
    if let Some(reason) = listed["items"][0]["reason"].as_str() {
        note(format!(
            "the last deployment was unhealthy and the revision before came back: {reason}"
        ));
    }
    Ok(())
}

fn failure(state: &Value) -> String {
    let error = &state["error"];
    let (code, detail) = (
        error["code"].as_str().unwrap_or("unknown"),
        error["detail"].as_str().unwrap_or_default(),
    );
    format!("{code}: {detail}")
}
