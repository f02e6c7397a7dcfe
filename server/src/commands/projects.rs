//! `botloom projects`.

use serde_json::json;

use super::listing::{everything, project, show, tell};
use crate::api_client::Api;
use crate::cli::people::ProjectsCommand;
use crate::error::CommandResult;

/// Runs one of the commands.
pub(crate) async fn projects(command: ProjectsCommand) -> CommandResult {
    match command {
        ProjectsCommand::List { at } => {
            let api = Api::login(&at.login).await?;
            let columns = [
                ("PROJECT", "/name"),
                ("ROLE", "/role"),
                ("ID", "/projectId"),
                ("CREATED", "/createdAt"),
            ];
            show(&everything(&api, "/projects").await?, at.json, &columns);
        }
        ProjectsCommand::Create { name, at } => {
            let api = Api::login(&at.login).await?;
            let made = api.post("/projects", json!({ "name": name })).await?.ok()?;
            tell(at.json, &made, format!("{name} is yours"));
        }
        ProjectsCommand::Rename {
            project: named,
            name,
            at,
        } => {
            let api = Api::login(&at.login).await?;
            let id = project(&api, Some(&named)).await?;
            let path = format!("/projects/{id}");
            let renamed = api.patch(&path, json!({ "name": name })).await?.ok()?;
            tell(at.json, &renamed, format!("{named} is called {name} now"));
        }
        ProjectsCommand::Delete { project: named, at } => {
            let api = Api::login(&at.login).await?;
            let id = project(&api, Some(&named)).await?;
            api.delete(&format!("/projects/{id}")).await?.ok()?;
            tell(at.json, &json!({}), format!("{named} is deleted"));
        }
    }
    Ok(())
}
