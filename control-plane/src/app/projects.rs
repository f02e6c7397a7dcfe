//! Projects: making, naming, deleting.

use std::str::FromStr;

use botloom_core::ids::ProjectId;
use botloom_core::model::{Membership, Project, Role};
use botloom_core::ports::{NewProjectOutcome, ProjectRemoval, ProjectRename};

use super::actor::{Actor, object, verb};
use super::{Error, access};
use crate::auth::policy::Action;
use crate::state::App;

/// Most characters of a name.
const MAX_NAME: usize = 64;

/// A name that a project may have. An id is none: commands take either.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectName(pub(crate) String);

impl FromStr for ProjectName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let shown = (1..=MAX_NAME).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if shown && text.parse::<ProjectId>().is_err() {
            Ok(Self(text.to_owned()))
        } else {
            Err(())
        }
    }
}

/// Makes a project that the caller owns.
pub(crate) async fn create(app: &App, actor: Actor, name: ProjectName) -> Result<Membership, Error> {
    let project = Project {
        id: ProjectId::generate(),
        name: name.0,
        created_at: app.now(),
    };
    let most = app.options.limits.projects_per_user;
    let mut entry = actor.did(
        app,
        verb::PROJECT_CREATED,
        object::PROJECT,
        &project.id,
        Some(project.id),
    );
    entry.after = Some(project.name.clone());
    let catalog = &app.deps.ports.catalog;
    match catalog.create_project(&project, actor.user, most, &entry).await? {
        NewProjectOutcome::Created => Ok(Membership {
            project,
            role: Role::Owner,
        }),
        NewProjectOutcome::NameTaken => Err(Error::ProjectExists),
        NewProjectOutcome::TooMany => Err(Error::TooManyProjects { most }),
    }
}

/// Gives a project another name.
pub(crate) async fn rename(
    app: &App,
    actor: Actor,
    project: ProjectId,
    name: &ProjectName,
) -> Result<Membership, Error> {
    access::project(app, actor, project, Action::ManageProject).await?;
    let entry = actor.did(
        app,
        verb::PROJECT_RENAMED,
        object::PROJECT,
        &project,
        Some(project),
    );
    match app
        .deps
        .ports
        .catalog
        .rename_project(project, &name.0, &entry)
        .await?
    {
        ProjectRename::Renamed { .. } => {
            let memberships = access::memberships(app, actor).await?;
            let renamed = memberships.into_iter().find(|one| one.project.id == project);
            renamed.ok_or(Error::NotFound)
        }
        ProjectRename::NameTaken => Err(Error::ProjectExists),
        ProjectRename::Missing => Err(Error::NotFound),
    }
}

/// Deletes a project without bots. Nobody belongs to it afterwards, so that it is gone is told in the caller's own log.
pub(crate) async fn delete(app: &App, actor: Actor, project: ProjectId) -> Result<(), Error> {
    access::project(app, actor, project, Action::ManageProject).await?;
    let entry = actor.did(app, verb::PROJECT_DELETED, object::PROJECT, &project, None);
    let catalog = &app.deps.ports.catalog;
    match catalog.delete_project(project, app.now(), &entry).await? {
        ProjectRemoval::Removed => Ok(()),
        ProjectRemoval::HasBots => Err(Error::ProjectNotEmpty),
        ProjectRemoval::Missing => Err(Error::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_read_and_is_no_id() {
        for good in ["a", "Pizza & Co", "ü".repeat(64).as_str()] {
            assert!(good.parse::<ProjectName>().is_ok(), "{good}");
        }
        let id = ProjectId::generate().to_string();
        let long = "a".repeat(65);
        for bad in ["", " a", "a ", "a\nb", "a\0", id.as_str(), long.as_str()] {
            assert!(bad.parse::<ProjectName>().is_err(), "{bad:?}");
        }
    }
}
