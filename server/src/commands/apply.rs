//! `botloom setup` and `connect`, and the steps of a spec's way to users, through the API like any other client.

use std::fmt::{Display, Formatter};
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::listing;
use crate::api_client::{Answer, Api, new_credentials};
use crate::cli::{ApplyArgs, Connection, IngressArg, Login};
use crate::error::{CommandError, CommandResult};
use crate::terminal::{note, say};

/// How often the state of a task is asked for.
const POLL: Duration = Duration::from_millis(150);

/// Creates the first owner.
pub(crate) async fn setup(login: &Login) -> CommandResult {
    let (email, password) = new_credentials(login).await?;
    let account = json!({ "email": email, "password": password });
    Api::new(&login.server).sign_up("/auth/setup", account).await?;
    say(format!("{email} owns {}", login.server));
    Ok(())
}

/// Gives a bot its token and connects it.
pub(crate) async fn connect(bot: &str, connection: &Connection, login: &Login) -> CommandResult {
    let api = Api::login(login).await?;
    attach(&api, bot, connection, say).await
}

/// Whether there is such a bot that the caller may see.
pub(super) async fn exists(api: &Api, bot: &str) -> Result<bool, CommandError> {
    let found = api.get(&format!("/bots/{bot}")).await?;
    if found.status == StatusCode::NOT_FOUND {
        return Ok(false);
    }
    found.ok().map(|_| true)
}

/// Asks for a new bot; where it is not clear in which project, the error says how to name one of them.
pub(super) async fn create(
    api: &Api,
    bot: &str,
    name: &str,
    project: Option<&str>,
) -> Result<Answer, CommandError> {
    let body = json!({ "botId": bot, "name": name, "projectId": project });
    let answer = api.post("/bots", body).await?;
    if answer.is_problem("project-required") {
        listing::project(api, None).await?;
    }
    Ok(answer)
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

/// Gives a bot what the options say of its connection.
pub(super) async fn attach(
    api: &Api,
    bot: &str,
    connection: &Connection,
    mut tell: impl FnMut(String),
) -> CommandResult {
    if let Some(token) = connection.token() {
        api.put(&format!("/bots/{bot}/token"), json!({ "token": token }))
            .await?
            .ok()?;
        tell("token stored".to_owned());
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
        tell(format!("connected by {ingress}{link}"));
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
                note(if state["error"]["code"] == "superseded" {
                    "this deployment changed nothing: what the other one made live is live; see `botloom deployments list`"
                } else {
                    "nothing changed for users: the revision that was live still is"
                });
                return Err(CommandError::Api(format!(
                    "deployment failed: {}",
                    failure(&state)
                )));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

/// Whether a revision is live.
pub(super) async fn is_live(api: &Api, bot: &str, revision: &str) -> Result<bool, CommandError> {
    let row = api.get(&format!("/bots/{bot}")).await?.ok()?;
    Ok(row["activeRevHash"] == revision)
}

/// How a revision that should be live stands.
pub(super) enum Standing {
    /// It was live before.
    Already,
    /// Its deployment has this task.
    Asked(String),
    /// It went live with this epoch.
    Live(u64),
}

impl Display for Standing {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Already => f.write_str("live already"),
            Self::Asked(task) => write!(f, "task {task}"),
            Self::Live(epoch) => write!(f, "live, epoch {epoch}"),
        }
    }
}

/// How a revision is to be made live.
#[derive(Clone, Copy)]
pub(super) struct Deploying {
    /// Wait for the end.
    wait: bool,
    /// Also if the platform found this very revision unhealthy and took it back.
    also_unhealthy: bool,
}

impl ApplyArgs {
    /// What the options say about it.
    pub(super) fn deploying(&self) -> Deploying {
        Deploying {
            wait: self.wait,
            also_unhealthy: self.redeploy_unhealthy,
        }
    }
}

/// Makes a revision live if it is not.
pub(super) async fn make_live(
    api: &Api,
    bot: &str,
    revision: &str,
    how: Deploying,
    show: impl FnMut(String),
) -> Result<Standing, CommandError> {
    if is_live(api, bot, revision).await? {
        return Ok(Standing::Already);
    }
    if !how.also_unhealthy
        && let Some(reason) = unhealthy(api, bot, revision).await?
    {
        return Err(CommandError::Api(format!(
            "this revision is not deployed again: its {}. Change the spec, or `--redeploy-unhealthy`",
            rolled_back(&reason)
        )));
    }
    let task = deploy(api, bot, revision).await?;
    if how.wait {
        deployed(api, &task, show).await.map(Standing::Live)
    } else {
        Ok(Standing::Asked(task))
    }
}

/// Why the platform took a revision back by itself, if that is how its last deployment ended.
async fn unhealthy(api: &Api, bot: &str, revision: &str) -> Result<Option<String>, CommandError> {
    let listed = api
        .get(&format!("/deployments?botId={bot}&limit=200"))
        .await?
        .ok()?;
    let last = listed["items"]
        .as_array()
        .into_iter()
        .flatten()
        // Deploying what is live once more says nothing about it.
        .filter(|one| one["fromRev"] != one["toRev"])
        .find(|one| one["toRev"] == revision && one["status"] == "succeeded");
    // A rollback tells the reason of the deployment that it took back.
    let own = last.filter(|one| one["rollback"] == false);
    Ok(own.and_then(|one| one["reason"].as_str()).map(ToOwned::to_owned))
}

/// Says so if the bot's last deployment was a rollback that nobody asked for.
pub(super) async fn tell_of_rollback(api: &Api, bot: &str) -> CommandResult {
    let listed = api
        .get(&format!("/deployments?botId={bot}&limit=1"))
        .await?
        .ok()?;
    if let Some(reason) = listed["items"][0]["reason"].as_str() {
        note(format!("{bot}: the {}", rolled_back(reason)));
    }
    Ok(())
}

fn rolled_back(reason: &str) -> String {
    format!("last deployment was unhealthy and the revision before came back: {reason}")
}

fn failure(state: &Value) -> String {
    let error = &state["error"];
    let (code, detail) = (
        error["code"].as_str().unwrap_or("unknown"),
        error["detail"].as_str().unwrap_or_default(),
    );
    format!("{code}: {detail}")
}
