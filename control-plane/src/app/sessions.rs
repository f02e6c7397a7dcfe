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
    pub(crate) old: &'a Secret,
    pub(crate) new: &'a Secret,
    /// The session that goes on.
    pub(crate) keep: &'a SessionHash,
    /// Whether the caller's API tokens end too.
    pub(crate) revoke_tokens: bool,
}

/// Changes the caller's password and ends all sessions but this one, and what browsers are known by; answers the cookie by
/// which this one is known from now on. Guesses of the old password are counted per session: nobody else can use them up.
pub(crate) async fn change_password(
    app: &App,
    actor: Actor,
    user: &User,
    wanted: NewPassword<'_>,
) -> Result<Secret, Error> {
    let attempt = app
        .attempts
        .begin(Source::Known(*wanted.keep), &user.email, app.now())
        .map_err(|wait_secs| Error::TooManyAttempts { wait_secs })?;
    let right = app
        .passwords
        .verify(wanted.old, Some(&user.password_hash))
        .await
        .map_err(|_| Error::Internal("password hash"))?;
    if !right {
        return Err(Error::WrongPassword);
    }
    attempt.forgive();
    let hash = accounts::hash(app, wanted.new).await?;
    let entry = actor.did(app, verb::PASSWORD_CHANGED, object::USER, &user.id, None);
    let change = PasswordChange {
        user: user.id,
        old: &user.password_hash,
        new: &hash,
        keep: wanted.keep,
        revoke_tokens: wanted.revoke_tokens,
    };
    // Another change may have come in between; then the old password was not the right one any more.
    if !app.deps.ports.catalog.change_password(change, &entry).await? {
        return Err(Error::WrongPassword);
    }
    let user = User {
        password_hash: hash,
        ..user.clone()
    };
    Ok(device::issue(&app.deps.vault, &user))
}
