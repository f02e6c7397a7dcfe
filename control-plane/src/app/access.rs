//! What a caller may see and do: roles come from memberships, rules from the policy table.

use botloom_core::ids::{BotId, ProjectId};
use botloom_core::model::{BotRow, Membership, Role};

use super::Error;
use super::actor::Actor;
use crate::auth::policy::{self, Action};
use crate::state::App;

/// The caller's projects with the role in each, oldest project first. Asked of the store for every request: whoever was
/// removed is nobody at once. An API token never has more than its user has now, nor more than it was made for.
pub(crate) async fn memberships(app: &App, actor: Actor) -> Result<Vec<Membership>, Error> {
    let mut memberships = app.deps.ports.catalog.memberships(actor.user).await?;
    if let Some(grant) = actor.grant {
        memberships.retain(|membership| membership.project.id == grant.project);
        for membership in &mut memberships {
            membership.role = membership.role.min(grant.role);
        }
    }
    Ok(memberships)
}

/// The caller's role in a project.
pub(crate) async fn role(app: &App, actor: Actor, project: ProjectId) -> Result<Option<Role>, Error> {
    let memberships = memberships(app, actor).await?;
    Ok(memberships
        .into_iter()
        .find(|membership| membership.project.id == project)
        .map(|membership| membership.role))
}

/// Refuses what the caller may not do in a project: not found for strangers, forbidden for members.
pub(crate) async fn project(
    app: &App,
    actor: Actor,
    project: ProjectId,
    action: Action,
) -> Result<(), Error> {
    match role(app, actor, project).await? {
        None => Err(Error::NotFound),
        Some(role) if policy::allows(role, action) => Ok(()),
        Some(_) => Err(Error::Forbidden),
    }
}

/// A bot that exists and that the caller may do this to.
pub(crate) async fn bot(app: &App, actor: Actor, id: &BotId, action: Action) -> Result<BotRow, Error> {
    let row = app
        .deps
        .ports
        .catalog
        .bot(id)
        .await?
        .filter(|row| row.deleted_at.is_none())
        .ok_or(Error::NotFound)?;
    project(app, actor, row.project, action).await?;
    Ok(row)
}
