//! A person's own sessions, and their password.

use botloom_core::model::{Session, SessionHash, User};
use botloom_core::ports::{Notice, Page, PageRequest, PasswordChange};
use botloom_core::secret::Secret;

use super::actor::{Actor, object, verb};
use super::{Error, accounts};
use crate::auth::attempts::Source;
use crate::auth::{device, session};
use crate::state::App;

/// The caller's sessions, newest first. Those that have ended by themselves are left out.
pub(crate) async fn list(app: &App, actor: Actor, page: &PageRequest) -> Result<Page<Session>, Error> {
    let mut page = app.deps.ports.catalog.sessions(actor.user, page).await?;
    let now = app.now();
    page.items.retain(|one| !session::is_over(one, now));
    Ok(page)
}

/// Ends one of the caller's sessions.
pub(crate) async fn end(app: &App, actor: Actor, session: SessionHash) -> Result<(), Error> {
    let ports = &app.deps.ports;
    let entry = actor.did(app, verb::SESSION_ENDED, object::SESSION, &session, None);
    if !ports.catalog.end_session(actor.user, &session, &entry).await? {
        return Err(Error::NotFound);
    }
    ports.bus.publish(Notice::SessionEnded { session }).await;
    Ok(())
}

/// Ends all of the caller's sessions but this one. Their event streams end when they look at them next.
pub(crate) async fn end_others(app: &App, actor: Actor, keep: &SessionHash) -> Result<u64, Error> {
    let entry = actor.did(app, verb::SESSIONS_ENDED, object::USER, &actor.user, None);
    let catalog = &app.deps.ports.catalog;
    Ok(catalog.end_other_sessions(actor.user, keep, &entry).await?)
}

/// A new password that somebody wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewPassword<'a> {
    /// The present one; `None` where the account has none.
    pub(crate) old: Option<&'a Secret>,
    pub(crate) new: &'a Secret,
    /// Whether the caller's API tokens end too.
    pub(crate) revoke_tokens: bool,
}

/// Changes the caller's password and ends all sessions but this one, and what browsers are known by; answers the cookie by
/// which this one is known from now on. An account without a password gets its first within a fresh session: whoever finds a
/// browser open must not be able to come back later.
pub(crate) async fn change_password(
    app: &App,
    actor: Actor,
    user: &User,
    session: &Session,
    wanted: NewPassword<'_>,
) -> Result<Secret, Error> {
    let stored = user.password_hash.as_deref();
    match (wanted.old, stored) {
        (None, None) => session::require_fresh(session, app.now())?,
        (Some(_), None) => return Err(Error::PasswordNotSet),
        (None, Some(_)) => return Err(Error::WrongPassword),
        (Some(old), Some(stored)) => judge(app, user, &session.hash, old, stored).await?,
    }
    let hash = accounts::hash(app, wanted.new).await?;
    let entry = actor.did(app, verb::PASSWORD_CHANGED, object::USER, &user.id, None);
    let change = PasswordChange {
        user: user.id,
        old: stored,
        new: &hash,
        keep: &session.hash,
        revoke_tokens: wanted.revoke_tokens,
    };
    // Another change may have come in between; then the old password was not the right one any more.
    if !app.deps.ports.catalog.change_password(change, &entry).await? {
        return Err(Error::WrongPassword);
    }
    let user = User {
        password_hash: Some(hash),
        ..user.clone()
    };
    Ok(device::issue(&app.deps.vault, &user))
}

/// Guesses of the old password are counted per session: nobody else can use them up.
async fn judge(app: &App, user: &User, keep: &SessionHash, old: &Secret, stored: &str) -> Result<(), Error> {
    let attempt = app
        .attempts
        .begin(Source::Known(*keep), &user.email, app.now())
        .map_err(|wait_secs| Error::TooManyAttempts { wait_secs })?;
    let right = app
        .passwords
        .verify(old, Some(stored))
        .await
        .map_err(|_| Error::Internal("password hash"))?;
    if !right {
        return Err(Error::WrongPassword);
    }
    attempt.forgive();
    Ok(())
}
