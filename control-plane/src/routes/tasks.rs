//! `/tasks`: how far a build or a deployment is.

use axum::Json;
use axum::extract::State;
use botloom_core::ids::TaskId;
use botloom_core::model::Task;
use http::{StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

use super::path::One;
use crate::app::tasks;
use crate::auth::caller::Caller;
use crate::http::answer::Answer;
use crate::problem::Problem;
use crate::state::App;

/// Work was queued.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AcceptedView {
    /// UUID.
    task_id: String,
}

/// 202 with the address where the work can be watched.
pub(crate) fn accepted(task: TaskId, under: &str) -> Answer {
    let location = format!("{under}/{task}");
    Answer::json(
        StatusCode::ACCEPTED,
        &AcceptedView {
            task_id: task.to_string(),
        },
    )
    .with(header::LOCATION, &location)
}

/// Why work failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureView {
    /// Stable; `/problems/<code>` explains it.
    pub(crate) code: String,
    /// In words.
    pub(crate) detail: String,
}

/// A task.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskView {
    /// UUID.
    task_id: String,
    /// `generate` or `deploy`.
    kind: &'static str,
    /// Slug.
    bot_id: String,
    /// `queued`, `running`, `succeeded` or `failed`.
    status: &'static str,
    /// 0 to 100.
    progress: u8,
    /// What a build made.
    #[serde(skip_serializing_if = "Option::is_none")]
    rev_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FailureView>,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

impl TaskView {
    fn of(task: Task) -> Self {
        Self {
            task_id: task.id.to_string(),
            kind: task.payload.kind().as_str(),
            bot_id: task.bot.to_string(),
            status: task.status.as_str(),
            progress: task.progress,
            rev_hash: task.rev_hash.map(|rev| rev.to_string()),
            error: task.error.map(|error| FailureView {
                code: error.code,
                detail: error.detail,
            }),
            created_at: task.created_at.to_rfc3339(),
            updated_at: task.updated_at.to_rfc3339(),
        }
    }
}

/// Look at a task
#[utoipa::path(
    get, path = "/tasks/{taskId}", tag = "build and deploy",
    extensions(("x-botloom-access" = json!("viewer"))),
    params(("taskId" = String, Path, description = "UUID")),
    responses((status = 200, description = "The task", body = TaskView))
)]
pub(crate) async fn get_task(
    State(app): State<App>,
    caller: Caller,
    One(id): One<TaskId>,
) -> Result<Json<TaskView>, Problem> {
    Ok(Json(TaskView::of(tasks::get(&app, caller.actor, &id).await?)))
}
