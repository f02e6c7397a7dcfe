//! API tokens: credentials of programs that act for a person.

use botloom_core::ids::{ProjectId, TokenId};
use botloom_core::model::{ApiToken, Role};
use botloom_core::ports::{Page, PageRequest};
use botloom_core::secret::Secret;

use super::actor::{Actor, object, verb};
use super::{Error, access};
use crate::auth::bearer;
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
    pub(crate) project: Option<ProjectId>,
    pub(crate) days: u64,
}

/// Makes a token; it is told this once. Its role is at most the one that its user has: in the project it is for, or
/// anywhere.
pub(crate) async fn create(app: &App, actor: Actor, wanted: Wanted) -> Result<(ApiToken, Secret), Error> {
    let memberships = access::memberships(app, actor).await?;
    let fitting = memberships.iter().filter(|membership| {
        wanted
            .project
            .is_none_or(|project| membership.project.id == project)
    });
    let highest = fitting.map(|membership| membership.role).max();
    match (highest, wanted.project) {
        (None, Some(_)) => return Err(Error::NotFound),
        (Some(highest), _) if wanted.role <= highest => {}
        _ => return Err(Error::Forbidden),
    }
    let days = i64::try_from(wanted.days.min(MAX_DAYS)).map_err(|_| Error::Internal("days"))?;
    let secret = bearer::generate();
    let now = app.now();
    let token = ApiToken {
        id: TokenId::generate(),
        hash: bearer::digest(&secret),
        user: actor.user,
        name: wanted.name,
        role: wanted.role,
        project: wanted.project,
        created_at: now,
        expires_at: now.plus(days * DAY_MS),
        last_used_at: None,
    };
    let mut entry = actor.did(app, verb::TOKEN_CREATED, object::TOKEN, &token.id, token.project);
    entry.after = Some(token.role.as_str().to_owned());
    app.deps.ports.catalog.create_token(&token, &entry).await?;
    Ok((token, secret))
}

/// The caller's tokens, newest first.
pub(crate) async fn list(app: &App, actor: Actor, page: &PageRequest) -> Result<Page<ApiToken>, Error> {
    Ok(app.deps.ports.catalog.tokens(actor.user, page).await?)
}

/// Ends one of the caller's tokens; its event streams end when they look at it next.
pub(crate) async fn revoke(app: &App, actor: Actor, id: TokenId) -> Result<(), Error> {
    let entry = actor.did(app, verb::TOKEN_REVOKED, object::TOKEN, &id, None);
    let revoked = app
        .deps
        .ports
        .catalog
        .revoke_token(actor.user, id, &entry)
        .await?;
    if revoked { Ok(()) } else { Err(Error::NotFound) }
}
