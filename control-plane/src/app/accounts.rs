//! People: the first owner, logging in and out.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{ProjectId, UserId};
use botloom_core::model::{Membership, Project, User};
use botloom_core::ports::Notice;
use botloom_core::secret::Secret;

use super::actor::{Actor, Origin, object, system_did, verb};
use super::{Error, audit};
use crate::auth::attempts::Source;
use crate::auth::device;
use crate::auth::session::SessionId;
use crate::state::App;

/// Characters of a new password. No other rule: length is what counts (NIST SP 800-63B, 5.1.1.2).
pub(crate) const PASSWORD_LENGTH: RangeInclusive<usize> = 8..=256;
/// Name of the project that comes with the first owner.
const FIRST_PROJECT: &str = "default";

/// An e-mail address, as far as it can be judged without writing to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email(pub(crate) String);

impl FromStr for Email {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        match text.split_once('@') {
            Some((name, host)) if plain && text.len() <= 254 => {
                if name.is_empty() || host.is_empty() || host.contains('@') {
                    return Err(Error::InvalidAccount(
                        "the e-mail address needs a name and a host",
                    ));
                }
                Ok(Self(text.to_owned()))
            }
            _ => Err(Error::InvalidAccount(
                "the e-mail address needs an @ and no spaces",
            )),
        }
    }
}

/// How somebody comes who has no session yet.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) origin: Origin,
    /// The address, for counting; an IPv6 network counts as one.
    pub(crate) bucket: IpAddr,
    /// The session that came along, valid or not.
    pub(crate) session: Option<SessionId>,
    /// What may be the cookie of a known browser.
    pub(crate) device: Option<Secret>,
    /// What the browser calls itself.
    pub(crate) agent: Option<String>,
}

impl Visit {
    /// The visitor, once it is known who it is.
    pub(crate) fn actor(&self, user: UserId) -> Actor {
        Actor {
            user,
            grant: None,
            origin: self.origin,
        }
    }
}

/// A login that has just happened.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) user: User,
    pub(crate) session: SessionId,
    /// The cookie of a browser that was not known.
    pub(crate) device: Option<Secret>,
    pub(crate) memberships: Vec<Membership>,
}

/// How somebody logged in, as the audit log names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginMethod {
    Password,
    Oidc,
}

impl LoginMethod {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Oidc => "oidc",
        }
    }
}

/// Makes the first owner unless somebody exists; answers whether it did.
pub(crate) async fn ensure_owner(app: &App, email: &str, password: &str) -> Result<bool, Error> {
    if app.deps.ports.catalog.has_users().await? {
        return Ok(false);
    }
    let email = email.trim().parse()?;
    if !PASSWORD_LENGTH.contains(&password.chars().count()) {
        return Err(Error::InvalidAccount(
            "the owner's password must have 8 to 256 characters",
        ));
    }
    Ok(create_owner(app, None, &email, &Secret::new(password))
        .await?
        .is_some())
}

/// The first start: makes the owner and logs them in.
pub(crate) async fn set_up(
    app: &App,
    visit: &Visit,
    email: &Email,
    password: &Secret,
) -> Result<Login, Error> {
    if app.deps.ports.catalog.has_users().await? {
        return Err(Error::AlreadySetUp);
    }
    let user = create_owner(app, Some(visit), email, password)
        .await?
        .ok_or(Error::AlreadySetUp)?;
    open_session(app, user, visit, LoginMethod::Password).await
}

async fn create_owner(
    app: &App,
    visit: Option<&Visit>,
    email: &Email,
    password: &Secret,
) -> Result<Option<User>, Error> {
    let password_hash = hash(app, password).await?;
    let now = app.now();
    let user = User {
        id: UserId::generate(),
        email: email.0.clone(),
        password_hash: Some(password_hash),
        created_at: now,
    };
    let project = Project {
        id: ProjectId::generate(),
        name: FIRST_PROJECT.into(),
        created_at: now,
    };
    let created = app.deps.ports.catalog.create_first_owner(&user, &project).await?;
    if created {
        let entry = match visit {
            Some(visit) => {
                let actor = visit.actor(user.id);
                actor.did(app, verb::OWNER_CREATED, object::USER, &user.id, Some(project.id))
            }
            None => system_did(app, verb::OWNER_CREATED, object::USER, &user.id, project.id),
        };
        audit::note(app, entry).await;
        tracing::info!(user = %user.id, project = %project.id, "the first owner was created");
    }
    Ok(created.then_some(user))
}

/// The hash of a new password.
pub(crate) async fn hash(app: &App, password: &Secret) -> Result<String, Error> {
    app.passwords
        .hash(password)
        .await
        .map_err(|_| Error::Internal("password hash"))
}

/// Logs in. The session that came along ends: a login never goes on with an id that somebody else may know.
pub(crate) async fn log_in(app: &App, visit: &Visit, email: &str, password: &Secret) -> Result<Login, Error> {
    if !app.options.password_login {
        return Err(Error::PasswordLoginOff);
    }
    let known = known_browser(app, visit, email).await?;
    let source = known.map_or(Source::Address(visit.bucket), Source::Known);
    let attempt = app
        .attempts
        .begin(source, email, app.now())
        .map_err(|wait_secs| Error::TooManyAttempts { wait_secs })?;
    let outcome = judge(app, email, password).await;
    if !matches!(outcome, Err(Error::InvalidCredentials)) {
        attempt.forgive();
    }
    open_session(app, outcome?, visit, LoginMethod::Password).await
}

/// The browser that comes, if the account was logged in with it under the present password.
async fn known_browser(app: &App, visit: &Visit, email: &str) -> Result<Option<Sha256Hash>, Error> {
    let Some(cookie) = &visit.device else {
        return Ok(None);
    };
    let user = app.deps.ports.catalog.user_by_email(email).await?;
    Ok(user.and_then(|user| device::recognise(&app.deps.vault, cookie, &user)))
}

/// The user whose password this is.
async fn judge(app: &App, email: &str, password: &Secret) -> Result<User, Error> {
    let user = app.deps.ports.catalog.user_by_email(email).await?;
    let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let right = app
        .passwords
        .verify(password, stored)
        .await
        .map_err(|_| Error::Internal("password hash"))?;
    user.filter(|_| right).ok_or(Error::InvalidCredentials)
}

/// Opens a session in place of the one that came along.
pub(crate) async fn open_session(
    app: &App,
    user: User,
    visit: &Visit,
    method: LoginMethod,
) -> Result<Login, Error> {
    if let Some(old) = &visit.session {
        end_session(app, old.digest()).await?;
    }
    let session = SessionId::generate();
    app.deps
        .ports
        .catalog
        .create_session(&session.open(user.id, app.now(), visit.origin.address, visit.agent.clone()))
        .await?;
    let mut entry = visit.actor(user.id).did(
        app,
        verb::SESSION_OPENED,
        object::SESSION,
        &session.digest(),
        None,
    );
    entry.after = Some(method.as_str().to_owned());
    audit::note(app, entry).await;
    let memberships = app.deps.ports.catalog.memberships(user.id).await?;
    let vault = &app.deps.vault;
    let known = visit
        .device
        .as_ref()
        .and_then(|cookie| device::recognise(vault, cookie, &user));
    Ok(Login {
        device: known.is_none().then(|| device::issue(vault, &user)),
        user,
        session,
        memberships,
    })
}

/// Ends a session that a login replaces, and tells its event streams.
async fn end_session(app: &App, session: Sha256Hash) -> Result<(), Error> {
    if app.deps.ports.catalog.delete_session(&session).await? {
        app.deps.ports.bus.publish(Notice::SessionEnded { session }).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_name_and_a_host() {
        for good in ["a@b", "first.last+tag@mail.example.org", "ü@ü.example"] {
            assert!(good.parse::<Email>().is_ok(), "{good}");
        }
        let long = format!("{}@b", "a".repeat(260));
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\n", long.as_str()] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
