//! `botloom audit`: who did what.

use url::form_urlencoded::Serializer;

use super::listing::{everything, project, show};
use super::members;
use crate::api_client::Api;
use crate::cli::people::AuditArgs;
use crate::error::{CommandError, CommandResult};
use crate::terminal::say;

/// Most entries of one request.
const PAGE: usize = 200;

/// Shows the newest entries, or prints all of them line by line.
pub(crate) async fn audit(args: &AuditArgs) -> CommandResult {
    let api = Api::login(&args.login).await?;
    let mut filters = Serializer::new(String::new());
    let of_project = match &args.project {
        Some(named) => Some(project(&api, Some(named)).await?),
        None => None,
    };
    let user = match &args.user {
        Some(email) if email.contains('@') => Some(user(&api, of_project.as_deref(), email).await?),
        other => other.clone(),
    };
    let given = [
        ("projectId", &of_project),
        ("userId", &user),
        ("verb", &args.verb),
        ("objectKind", &args.object_kind),
        ("objectId", &args.object),
        ("since", &args.since),
        ("until", &args.until),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            filters.append_pair(name, value);
        }
    }
    let filters = filters.finish();
    let mut left = if args.ndjson { usize::MAX } else { args.limit };
    let mut shown = Vec::new();
    let mut next = String::new();
    while left > 0 {
        let path = format!("/audit?limit={}&{filters}{next}", left.min(PAGE));
        let page = api.get(&path).await?.ok()?;
        for entry in page["items"].as_array().into_iter().flatten() {
            left = left.saturating_sub(1);
            if args.ndjson {
                say(entry);
            } else {
                shown.push(entry.clone());
            }
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => break,
        }
    }
    if !args.ndjson {
        let columns = [
            ("WHEN", "/at"),
            ("WHO", "/actor/email"),
            ("HOW", "/actor/kind"),
            ("WHAT", "/verb"),
            ("OBJECT", "/object/id"),
            ("BEFORE", "/before"),
            ("AFTER", "/after"),
            ("FROM", "/address"),
        ];
        show(&shown, args.json, &columns);
    }
    Ok(())
}

/// The id of a member with this e-mail address, of the project or of any of the caller's.
async fn user(api: &Api, project: Option<&str>, email: &str) -> Result<String, CommandError> {
    let projects = if let Some(project) = project {
        vec![project.to_owned()]
    } else {
        let projects = everything(api, "/projects").await?;
        let ids = projects.iter().filter_map(|one| one["projectId"].as_str());
        ids.map(ToOwned::to_owned).collect()
    };
    for project in projects {
        if let Some(id) = members::user_id(api, &project, email).await? {
            return Ok(id);
        }
    }
    Err(CommandError::Other(format!(
        "{email} is no member; of somebody who was one, give the id, as `botloom audit --json` shows it"
    )))
}
