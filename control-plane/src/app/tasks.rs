//! Tasks: their ids, and looking at them.

use botloom_core::ids::TaskId;
use botloom_core::model::Task;

use super::actor::Actor;
use super::{Error, access};
use crate::auth::policy::Action;
use crate::idempotency::KEPT_MS;
use crate::state::App;

/// The id for a task: with an idempotency key the one that belongs to it, so that a second try after a crash meets the
/// first one's task instead of making another.
pub(crate) async fn new_id(app: &App, of_key: Option<TaskId>) -> Result<TaskId, Error> {
    let Some(id) = of_key else {
        return Ok(TaskId::generate());
    };
    let before = app.deps.ports.tasks.task(&id).await?;
    // A key may be used anew once it is forgotten; then it is about another task.
    let forgotten = before.is_some_and(|task| app.now().since(task.created_at) >= KEPT_MS);
    Ok(if forgotten { TaskId::generate() } else { id })
}

/// A task of a project that the user may read.
pub(crate) async fn get(app: &App, actor: Actor, id: &TaskId) -> Result<Task, Error> {
    let task = app.deps.ports.tasks.task(id).await?.ok_or(Error::NotFound)?;
    access::project(app, actor, task.project, Action::Read).await?;
    Ok(task)
}
