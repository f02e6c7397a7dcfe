//! `botloom tokens`: API tokens for programs.

use serde_json::json;

use super::listing::{everything, project, show};
use crate::api_client::Api;
use crate::cli::people::{ProjectArgs, TokensCommand};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Logs in; answers where the tokens of the project are, too.
async fn tokens_of(at: &ProjectArgs) -> Result<(Api, String), CommandError> {
    let api = Api::login(&at.login).await?;
    let project = project(&api, at.project.as_deref()).await?;
    Ok((api, format!("/projects/{project}/tokens")))
}

/// Runs one of the commands.
pub(crate) async fn tokens(command: TokensCommand) -> CommandResult {
    match command {
        TokensCommand::List { at } => {
            let (api, path) = tokens_of(&at).await?;
            let columns = [
                ("TOKEN", "/tokenId"),
                ("NAME", "/name"),
                ("ROLE", "/role"),
                ("USER", "/userId"),
                ("EXPIRES", "/expiresAt"),
                ("LAST USED", "/lastUsedAt"),
            ];
            show(&everything(&api, &path).await?, at.json, &columns);
        }
        TokensCommand::Create { name, role, days, at } => {
            let (api, path) = tokens_of(&at).await?;
            let body = json!({ "name": name, "role": role.as_str(), "days": days });
            let made = api.post(&path, body).await?.ok()?;
            if at.json {
                say(made);
            } else {
                say(made["token"].as_str().unwrap_or_default());
            }
        }
        TokensCommand::Revoke { token, at } => {
            let (api, path) = tokens_of(&at).await?;
            api.delete(&format!("{path}/{token}")).await?.ok()?;
            say("revoked");
        }
    }
    Ok(())
}
