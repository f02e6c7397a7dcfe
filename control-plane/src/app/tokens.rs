//! API tokens: credentials of programs that act for a person.

use botloom_core::ids::{ProjectId, TokenId};
use botloom_core::model::{ApiToken, Role};
use botloom_core::ports::{Page, PageRequest};
use botloom_core::secret::Secret;

use super::actor::{Actor, object, verb};
use super::{Error, access};
use crate::auth::bearer;
use crate::auth::policy::Action;
use crate::state::App;

/// Days that a token holds where nothing is said.
pub(crate) const DEFAULT_DAYS: u64 = 90;
/// Most days that one may hold.
pub(crate) const MAX_DAYS: u64 = 366;
const DAY_MS: i64 = 24 * 3_600_000;

/// A token that somebody wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) days: u64,
}

/// Makes a token of a project; it is told this once. It acts for its user, with at most the role that they have at that
/// moment.
pub(crate) async fn create(
    app: &App,
    actor: Actor,
    project: ProjectId,
    wanted: Wanted,
) -> Result<(ApiToken, Secret), Error> {
    access::project(app, actor, project, Action::ManageTokens).await?;
    let days = i64::try_from(wanted.days.min(MAX_DAYS)).map_err(|_| Error::Internal("days"))?;
    let secret = bearer::generate();
    let now = app.now();
    let token = ApiToken {
        id: TokenId::generate(),
        hash: bearer::digest(&secret),
        user: actor.user,
        name: wanted.name,
        role: wanted.role,
        project,
        created_at: now,
        expires_at: now.plus(days * DAY_MS),
        last_used_at: None,
    };
    let mut entry = actor.did(app, verb::TOKEN_CREATED, object::TOKEN, &token.id, Some(project));
    entry.after = Some(token.role.as_str().to_owned());
    app.deps.ports.catalog.create_token(&token, &entry).await?;
    Ok((token, secret))
}

/// Tokens of a project, newest first.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    project: ProjectId,
    page: &PageRequest,
) -> Result<Page<ApiToken>, Error> {
    access::project(app, actor, project, Action::ManageTokens).await?;
    Ok(app.deps.ports.catalog.tokens(project, page).await?)
}

/// Ends a token of a project, whoever made it; its event streams end when they look at it next.
pub(crate) async fn revoke(app: &App, actor: Actor, project: ProjectId, id: TokenId) -> Result<(), Error> {
    access::project(app, actor, project, Action::ManageTokens).await?;
    let entry = actor.did(app, verb::TOKEN_REVOKED, object::TOKEN, &id, Some(project));
    let revoked = app.deps.ports.catalog.revoke_token(project, id, &entry).await?;
    if revoked { Ok(()) } else { Err(Error::NotFound) }
}
