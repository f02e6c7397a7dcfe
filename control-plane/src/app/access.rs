//! What a user may see and do: roles come from memberships, rules from the policy table.

use botloom_core::ids::{BotId, ProjectId, UserId};
use botloom_core::model::{BotRow, Role};

use super::Error;
use crate::auth::policy::{self, Action};
use crate::state::App;

/// The user's role in a project.
pub(crate) async fn role(app: &App, user: UserId, project: ProjectId) -> Result<Option<Role>, Error> {
    let memberships = app.deps.ports.catalog.memberships(user).await?;
    Ok(memberships
        .into_iter()
        .find(|membership| membership.project.id == project)
        .map(|membership| membership.role))
}

/// Refuses what the user may not do in a project: not found for strangers, forbidden for members.
pub(crate) async fn project(
    app: &App,
    user: UserId,
    project: ProjectId,
    action: Action,
) -> Result<(), Error> {
    match role(app, user, project).await? {
        None => Err(Error::NotFound),
        Some(role) if policy::allows(role, action) => Ok(()),
        Some(_) => Err(Error::Forbidden),
    }
}

/// A bot that exists and that the user may do this to.
pub(crate) async fn bot(app: &App, user: UserId, id: &BotId, action: Action) -> Result<BotRow, Error> {
    let row = app
        .deps
        .ports
        .catalog
        .bot(id)
        .await?
        .filter(|row| row.deleted_at.is_none())
        .ok_or(Error::NotFound)?;
    project(app, user, row.project, action).await?;
    Ok(row)
}
