//! `botloom login`, `logout`, `sessions` and `password`: a person's own logins.

use serde_json::json;
use url::Url;

use super::listing::{everything, show, tell};
use crate::api_client::{Api, new_password, password};
use crate::cli::Login;
use crate::cli::people::{PasswordArgs, SessionsCommand};
use crate::error::{CommandError, CommandResult};
use crate::saved_session;
use crate::terminal::{note, say};

/// Logs in and keeps the session.
pub(crate) async fn log_in(login: &Login) -> CommandResult {
    let (session, email) = Api::new(&login.server).open_session(login).await?;
    let path = saved_session::keep(&login.server, Some(&session))?;
    say(format!(
        "{email} is logged in at {}; kept in {}",
        login.server,
        path.display()
    ));
    Ok(())
}

/// Ends the session that is kept, and forgets it.
pub(crate) async fn log_out(server: &Url) -> CommandResult {
    let session = saved_session::find(server)?;
    let session = session.ok_or_else(|| CommandError::Other(format!("nobody is logged in at {server}")))?;
    let mut api = Api::new(server);
    api.go_on_with(&session)?;
    let ended = api.post("/auth/logout", json!({})).await?;
    saved_session::keep(server, None)?;
    // One that has ended by itself is ended.
    if ended.status != http::StatusCode::UNAUTHORIZED {
        ended.ok()?;
    }
    say(format!("logged out at {server}"));
    Ok(())
}

/// Runs one of the commands.
pub(crate) async fn sessions(command: SessionsCommand) -> CommandResult {
    match command {
        SessionsCommand::List { at } => {
            let api = Api::login(&at.login).await?;
            let columns = [
                ("SESSION", "/sessionId"),
                ("CURRENT", "/current"),
                ("SINCE", "/createdAt"),
                ("LAST USED", "/seenAt"),
                ("FROM", "/address"),
                ("BROWSER", "/agent"),
            ];
            show(&everything(&api, "/auth/sessions").await?, at.json, &columns);
        }
        SessionsCommand::End { session, at } => {
            let api = Api::login(&at.login).await?;
            api.delete(&format!("/auth/sessions/{session}")).await?.ok()?;
            tell(at.json, &json!({}), "ended");
        }
        SessionsCommand::EndOthers { at } => {
            let api = Api::login(&at.login).await?;
            let ended = api.delete("/auth/sessions").await?.ok()?;
            tell(at.json, &ended, format!("{} ended", ended["ended"]));
        }
    }
    Ok(())
}

/// Changes the password. The session that the command uses goes on.
pub(crate) async fn change_password(args: &PasswordArgs) -> CommandResult {
    let old = password(args.login.password.as_deref(), "Present password: ").await?;
    let new = new_password(
        args.new_password.as_deref(),
        "New password: ",
        "BOTLOOM_NEW_PASSWORD",
    )
    .await?;
    // Typed once, where it logs in as well.
    let login = Login {
        password: Some(old.clone()),
        ..args.login.clone()
    };
    let api = Api::login(&login).await?;
    let body = json!({ "oldPassword": old, "newPassword": new, "revokeTokens": args.revoke_tokens });
    api.post("/auth/password", body).await?.ok()?;
    say("the new password holds; all other sessions have ended");
    if !args.revoke_tokens {
        note("API tokens go on; --revoke-tokens ends them too");
    }
    Ok(())
}
