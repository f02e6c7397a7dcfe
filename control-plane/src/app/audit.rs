//! The audit log: noting what was done, and reading it.

use std::collections::HashMap;

use botloom_core::ids::{ProjectId, UserId};
use botloom_core::model::AuditEntry;
use botloom_core::ports::{AuditQuery, Page, PageRequest};

use super::actor::Actor;
use super::{Error, access};
use crate::auth::policy::{self, Action};
use crate::state::App;

/// An entry with the e-mail address of whoever did it.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) entry: AuditEntry,
    pub(crate) email: Option<String>,
}

/// Notes what has just been done. If the store fails between the two, the log of the server is where it stands: what was
/// done is not undone for it.
pub(crate) async fn note(app: &App, entry: AuditEntry) {
    if let Err(error) = app.deps.ports.catalog.record(&entry).await {
        tracing::error!(?entry, ?error, "what was done is missing in the audit log");
    }
}

/// What the caller may see: entries of one project, or of all that they own and their own affairs.
pub(crate) async fn visible(
    app: &App,
    actor: Actor,
    project: Option<ProjectId>,
    wanted: AuditQuery,
) -> Result<AuditQuery, Error> {
    if let Some(project) = project {
        access::project(app, actor, project, Action::ReadAudit).await?;
        return Ok(AuditQuery {
            projects: vec![project],
            ..wanted
        });
    }
    let memberships = access::memberships(app, actor).await?;
    let readable = memberships
        .into_iter()
        .filter(|membership| policy::allows(membership.role, Action::ReadAudit));
    Ok(AuditQuery {
        projects: readable.map(|membership| membership.project.id).collect(),
        own: actor.grant.is_none().then_some(actor.user),
        ..wanted
    })
}

/// Entries, newest first.
pub(crate) async fn list(app: &App, query: &AuditQuery, page: &PageRequest) -> Result<Page<Noted>, Error> {
    let catalog = &app.deps.ports.catalog;
    let page = catalog.audit(query, page).await?;
    let mut emails: HashMap<UserId, Option<String>> = HashMap::new();
    let mut items = Vec::with_capacity(page.items.len());
    for entry in page.items {
        let email = match entry.actor.user() {
            None => None,
            Some(user) => {
                if let Some(known) = emails.get(&user) {
                    known.clone()
                } else {
                    let email = catalog.user(user).await?.map(|user| user.email);
                    emails.insert(user, email.clone());
                    email
                }
            }
        };
        items.push(Noted { entry, email });
    }
    Ok(Page {
        items,
        next_cursor: page.next_cursor,
    })
}
