//! `botloom tokens`: API tokens for programs.

use serde_json::json;

use super::listing::{everything, project, show};
use crate::api_client::Api;
use crate::cli::people::TokensCommand;
use crate::error::CommandResult;
use crate::terminal::say;

/// Runs one of the commands.
pub(crate) async fn tokens(command: TokensCommand) -> CommandResult {
    match command {
        TokensCommand::List { json, login } => {
            let api = Api::login(&login).await?;
            let tokens = everything(&api, "/tokens").await?;
            let columns = [
                ("TOKEN", "/tokenId"),
                ("NAME", "/name"),
                ("ROLE", "/role"),
                ("PROJECT", "/projectId"),
                ("EXPIRES", "/expiresAt"),
                ("LAST USED", "/lastUsedAt"),
            ];
            show(&tokens, json, &columns);
        }
        TokensCommand::Create {
            name,
            role,
            days,
            only,
            json,
            login,
        } => {
            let api = Api::login(&login).await?;
            let mut body = json!({ "name": name, "role": role.as_str(), "days": days });
            if let Some(only) = only {
                body["projectId"] = project(&api, Some(&only)).await?.into();
            }
            let made = api.post("/tokens", body).await?.ok()?;
            if json {
                say(made);
            } else {
                say(made["token"].as_str().unwrap_or_default());
            }
        }
        TokensCommand::Revoke { token, login } => {
            let api = Api::login(&login).await?;
            api.delete(&format!("/tokens/{token}")).await?.ok()?;
            say("revoked");
        }
    }
    Ok(())
}
