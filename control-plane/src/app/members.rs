//! Who belongs to a project.

use botloom_core::ids::{ProjectId, UserId};
use botloom_core::model::{Member, Role};
use botloom_core::ports::{MemberChange, Page, PageRequest};

use super::actor::{Actor, object, verb};
use super::{Error, access};
use crate::auth::policy::Action;
use crate::state::App;

/// Members of a project, by e-mail.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    project: ProjectId,
    page: &PageRequest,
) -> Result<Page<Member>, Error> {
    access::project(app, actor, project, Action::Read).await?;
    Ok(app.deps.ports.catalog.members(project, page).await?)
}

/// Gives a member another role.
pub(crate) async fn set_role(
    app: &App,
    actor: Actor,
    project: ProjectId,
    user: UserId,
    role: Role,
) -> Result<Member, Error> {
    access::project(app, actor, project, Action::ManageMembers).await?;
    let catalog = &app.deps.ports.catalog;
    let entry = actor.did(app, verb::MEMBER_ROLE_CHANGED, object::USER, &user, Some(project));
    done(catalog.set_role(project, user, role, &entry).await?)?;
    let person = catalog.user(user).await?.ok_or(Error::NotFound)?;
    Ok(Member {
        user,
        email: person.email,
        role,
    })
}

/// Takes somebody out of a project. Everybody may leave, though not by a program of theirs that may less. Requests of somebody who is gone are refused from then on, and
/// their event streams end when they look at their right next.
pub(crate) async fn remove(app: &App, actor: Actor, project: ProjectId, user: UserId) -> Result<(), Error> {
    let action = if user == actor.user && actor.grant.is_none() {
        Action::Leave
    } else {
        Action::ManageMembers
    };
    access::project(app, actor, project, action).await?;
    let entry = actor.did(app, verb::MEMBER_REMOVED, object::USER, &user, Some(project));
    done(
        app.deps
            .ports
            .catalog
            .remove_member(project, user, &entry)
            .await?,
    )
}

fn done(change: MemberChange) -> Result<(), Error> {
    match change {
        MemberChange::Changed { .. } => Ok(()),
        MemberChange::Missing => Err(Error::NotFound),
        MemberChange::LastOwner => Err(Error::LastOwner),
    }
}
