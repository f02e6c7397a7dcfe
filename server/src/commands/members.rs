//! `botloom members`: who belongs to a project, and inviting people.

use serde_json::{Value, json};

use super::listing::{everything, project, show, tell};
use crate::api_client::{Api, asked, new_credentials};
use crate::cli::people::{MembersCommand, ProjectArgs};
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Runs one of the commands.
pub(crate) async fn members(command: MembersCommand) -> CommandResult {
    match command {
        MembersCommand::List { at } => {
            let (api, project) = open(&at).await?;
            let members = everything(&api, &format!("/projects/{project}/members")).await?;
            let columns = [("E-MAIL", "/email"), ("ROLE", "/role"), ("USER", "/userId")];
            show(&members, at.json, &columns);
        }
        MembersCommand::Role { member, role, at } => {
            let (api, project) = open(&at).await?;
            let path = address(&api, &project, &member).await?;
            let changed = api.patch(&path, json!({ "role": role.as_str() })).await?.ok()?;
            tell(at.json, &changed, format!("{member} is {} now", role.as_str()));
        }
        MembersCommand::Remove { member, at } => {
            let (api, project) = open(&at).await?;
            let path = address(&api, &project, &member).await?;
            api.delete(&path).await?.ok()?;
            tell(at.json, &json!({}), format!("{member} is removed"));
        }
        MembersCommand::Invite { role, days, at } => {
            let (api, project) = open(&at).await?;
            let body = json!({ "role": role.as_str(), "days": days });
            let path = format!("/projects/{project}/invitations");
            let made = api.post(&path, body).await?.ok()?;
            let url = made["url"].as_str().unwrap_or_default().to_owned();
            tell(at.json, &made, url);
        }
        MembersCommand::Invitations { at } => {
            let (api, project) = open(&at).await?;
            let open = everything(&api, &format!("/projects/{project}/invitations")).await?;
            let columns = [
                ("INVITATION", "/invitationId"),
                ("ROLE", "/role"),
                ("EXPIRES", "/expiresAt"),
            ];
            show(&open, at.json, &columns);
        }
        MembersCommand::Revoke { invitation, at } => {
            let (api, project) = open(&at).await?;
            let path = format!("/projects/{project}/invitations/{invitation}");
            api.delete(&path).await?.ok()?;
            tell(at.json, &json!({}), "revoked".to_owned());
        }
        MembersCommand::Join { link, new, login } => {
            let link = invitation(link.as_deref()).await?;
            let secret = link.rsplit('#').next().unwrap_or_default();
            let joined = if new {
                let (email, password) = new_credentials(&login).await?;
                let body = json!({ "secret": secret, "email": email, "password": password });
                let answer = Api::new(&login.server).sign_up("/auth/register", body).await?;
                answer["projects"][0].clone()
            } else {
                let api = Api::login(&login).await?;
                api.post("/invitations/accept", json!({ "secret": secret }))
                    .await?
                    .ok()?
            };
            let (name, role) = (joined["name"].as_str(), joined["role"].as_str());
            say(format!(
                "{} of {}",
                role.unwrap_or_default(),
                name.unwrap_or_default()
            ));
        }
    }
    Ok(())
}

/// The link, wherever it is given.
async fn invitation(given: Option<&str>) -> Result<String, CommandError> {
    if given == Some("-") {
        let mut line = String::new();
        std::io::stdin()
            .read_line(&mut line)
            .map_err(|error| CommandError::Other(error.to_string()))?;
        return Ok(line.trim().to_owned());
    }
    let link = asked(given, "Link: ", "the link, or BOTLOOM_INVITATION").await?;
    Ok(link.trim().to_owned())
}

async fn open(at: &ProjectArgs) -> Result<(Api, String), CommandError> {
    let api = Api::login(&at.login).await?;
    let project = project(&api, at.project.as_deref()).await?;
    Ok((api, project))
}

/// The address of a member, found by e-mail.
async fn address(api: &Api, project: &str, email: &str) -> Result<String, CommandError> {
    let id = user_id(api, project, email).await?;
    id.map(|id| format!("/projects/{project}/members/{id}"))
        .ok_or_else(|| CommandError::Other(format!("{email} is no member of the project")))
}

/// The id of the member of a project with this e-mail address.
pub(super) async fn user_id(api: &Api, project: &str, email: &str) -> Result<Option<String>, CommandError> {
    let members = everything(api, &format!("/projects/{project}/members")).await?;
    let same = |member: &&Value| {
        let theirs = member["email"].as_str().unwrap_or_default();
        theirs.to_lowercase() == email.to_lowercase()
    };
    let member = members.iter().find(same);
    let id = member.and_then(|member| member["userId"].as_str());
    Ok(id.map(ToOwned::to_owned))
}
