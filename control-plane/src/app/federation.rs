//! Logins at an identity provider: who comes in, and with which account. An account is found by issuer and subject alone,
//! never by e-mail address.

use botloom_core::ids::UserId;
use botloom_core::model::{
    AttemptPurpose, AuditEntry, Identity, LoginAttempt, Newcomer, Role, SessionHash, User,
};
use botloom_core::ports::{Admission, Admittance, Linking};
use botloom_core::secret::Secret;
use url::Url;

use super::accounts::{self, Email, Login, LoginMethod, Visit};
use super::actor::{Actor, object, verb};
use super::{Error, invitations};
use crate::auth::session::{self, SessionId};
use crate::oidc::{ATTEMPT_MS, AttemptSecret, OidcError, Provider, ReturnTo, Verified};
use crate::state::App;

/// A login that is to be sent to the provider.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Where to.
    pub(crate) url: Url,
    /// For the browser's cookie.
    pub(crate) secret: AttemptSecret,
}

/// What the provider answered, as it stands in the query.
#[derive(Debug)]
pub(crate) struct ProviderAnswer {
    pub(crate) state: String,
    pub(crate) outcome: Outcome,
    /// RFC 9207: who answers.
    pub(crate) issuer: Option<String>,
}

/// Yes or no.
#[derive(Debug)]
pub(crate) enum Outcome {
    Code(Secret),
    /// An error code that may be shown.
    Refusal(String),
}

/// A login that has come back.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None`: the identity was linked with the account that is logged in.
    pub(crate) login: Option<Login>,
    pub(crate) return_to: ReturnTo,
}

pub(crate) fn provider(app: &App) -> Result<&Provider, Error> {
    let provider = app.oidc.as_ref().ok_or(OidcError::NotConfigured)?;
    Ok(provider)
}

/// Begins a login.
pub(crate) async fn begin(app: &App, purpose: AttemptPurpose, return_to: &ReturnTo) -> Result<Begun, Error> {
    let now = app.now();
    let secret = AttemptSecret::generate();
    let url = provider(app)?.authorization_url(&secret, now).await?;
    let attempt = LoginAttempt {
        hash: secret.digest(),
        purpose,
        return_to: return_to.as_str().to_owned(),
        expires_at: now.plus(ATTEMPT_MS),
    };
    app.deps.ports.catalog.start_attempt(&attempt).await?;
    Ok(Begun { url, secret })
}

/// Begins a login that uses an invitation.
pub(crate) async fn begin_joining(app: &App, secret: &Secret, return_to: &ReturnTo) -> Result<Begun, Error> {
    provider(app)?;
    let (invitation, _) = invitations::look_at(app, secret).await?;
    begin(app, AttemptPurpose::Join(invitation.hash), return_to).await
}

/// Finishes a login. Nothing is asked of the provider, and the login stays as it is, unless the answer belongs to a login of
/// this browser.
pub(crate) async fn finish(
    app: &App,
    visit: &Visit,
    secret: Option<&AttemptSecret>,
    answer: ProviderAnswer,
) -> Result<Finished, Error> {
    let provider = provider(app)?;
    let secret = secret
        .filter(|secret| secret.is_state(&answer.state))
        .ok_or(OidcError::AttemptInvalid)?;
    let catalog = &app.deps.ports.catalog;
    let attempt = catalog
        .take_attempt(&secret.digest(), app.now())
        .await?
        .ok_or(OidcError::AttemptInvalid)?;
    if answer
        .issuer
        .is_some_and(|issuer| issuer != provider.options.issuer)
    {
        return Err(OidcError::Untrusted("another issuer answers".into()).into());
    }
    let code = match answer.outcome {
        Outcome::Code(code) => code,
        Outcome::Refusal(error) => return Err(OidcError::Refused(error).into()),
    };
    let return_to = attempt
        .return_to
        .parse()
        .map_err(|_| Error::Internal("a path in the store"))?;
    let verified = provider
        .redeem(code.expose(), secret, app.now())
        .await
        .inspect_err(|error| {
            if matches!(error, OidcError::Untrusted(_)) {
                tracing::warn!(%error, "nobody was logged in by the identity provider");
            }
        })?;
    let login = match attempt.purpose {
        AttemptPurpose::Link(session) => {
            link(app, visit, session, &verified).await?;
            None
        }
        AttemptPurpose::LogIn => Some(log_in(app, visit, &verified).await?),
        AttemptPurpose::Join(invitation) => {
            Some(log_in_by(app, visit, &verified, Some(Admittance::Invitation(invitation))).await?)
        }
    };
    Ok(Finished { login, return_to })
}

/// Logs in; somebody who comes for the first time needs a rule of the settings.
async fn log_in(app: &App, visit: &Visit, verified: &Verified) -> Result<Login, Error> {
    let options = &provider(app)?.options;
    let rule = verified
        .email
        .as_deref()
        .filter(|email| options.allows(email))
        .map(|_| match options.join.clone() {
            Some((project, role)) => Admittance::Project { project, role },
            None => Admittance::Account,
        });
    log_in_by(app, visit, verified, rule).await
}

async fn log_in_by(
    app: &App,
    visit: &Visit,
    verified: &Verified,
    way: Option<Admittance>,
) -> Result<Login, Error> {
    let user = match (known(app, verified).await?, way) {
        (Some(user), Some(Admittance::Invitation(invitation))) => {
            match invitations::accept_by_hash(app, visit.actor(user.id), &invitation).await {
                Ok(_) | Err(Error::AlreadyMember) => user,
                Err(error) => return Err(error),
            }
        }
        (Some(user), _) => user,
        (None, Some(way)) => admit(app, visit, verified, &way).await?,
        (None, None) => return Err(OidcError::NotLinked.into()),
    };
    accounts::open_session(app, user, visit, LoginMethod::Oidc).await
}

/// The account that the identity is linked with.
async fn known(app: &App, verified: &Verified) -> Result<Option<User>, Error> {
    let catalog = &app.deps.ports.catalog;
    match catalog.identity(&verified.issuer, &verified.subject).await? {
        Some(identity) => Ok(catalog.user(identity.user).await?),
        None => Ok(None),
    }
}

/// Makes an account. Where a rule about addresses decides, the provider must vouch for the address; an invitation is the
/// word of an owner, and as good with an address that nobody checked as it is with a password.
async fn admit(app: &App, visit: &Visit, verified: &Verified, way: &Admittance) -> Result<User, Error> {
    let email = verified.email.as_deref().ok_or(OidcError::EmailUnusable(
        "The identity provider tells no e-mail address; an account needs one.",
    ))?;
    if !verified.vouched && !matches!(way, Admittance::Invitation(_)) {
        return Err(OidcError::EmailUnusable(
            "The identity provider does not vouch for your e-mail address; confirm it there, or ask for an invitation.",
        )
        .into());
    }
    let email: Email = email.parse().map_err(|_| {
        OidcError::EmailUnusable("The identity provider tells an e-mail address that cannot be one.")
    })?;
    let now = app.now();
    let user = User {
        id: UserId::generate(),
        email: email.0,
        password_hash: None,
        created_at: now,
    };
    let newcomer = Newcomer {
        identity: identity(app, verified, user.id),
        user,
    };
    let role = match way {
        Admittance::Invitation(hash) => Some(invitations::open(app, hash).await?.0.role),
        Admittance::Project { role, .. } => Some(*role),
        Admittance::Account => None,
    };
    let actor = visit.actor(newcomer.user.id);
    let entries = newcomer_entries(app, actor, &newcomer, role);
    let catalog = &app.deps.ports.catalog;
    match catalog.admit(&newcomer, way, now, &entries).await? {
        Admission::Admitted(_) => Ok(newcomer.user),
        Admission::EmailTaken => Err(OidcError::EmailTaken.into()),
        // The same person in another tab was faster.
        Admission::IdentityTaken => known(app, verified)
            .await?
            .ok_or(Error::Internal("an identity without an account")),
        Admission::Gone => match way {
            Admittance::Project { project, .. } => {
                tracing::error!(%project, "BOTLOOM_OIDC_JOIN_PROJECT names no project");
                Err(OidcError::NotLinked.into())
            }
            _ => Err(Error::InvitationInvalid),
        },
    }
}

/// `role`: that in the project which they join, if they join one.
fn newcomer_entries(app: &App, actor: Actor, newcomer: &Newcomer, role: Option<Role>) -> [AuditEntry; 2] {
    let came = if role.is_some() {
        verb::MEMBER_JOINED
    } else {
        verb::USER_CREATED
    };
    let mut first = actor.did(app, came, object::USER, &newcomer.user.id, None);
    first.after = role.map(|role| role.as_str().to_owned());
    [first, linked(app, actor, &newcomer.identity)]
}

fn linked(app: &App, actor: Actor, identity: &Identity) -> AuditEntry {
    let mut entry = actor.did(app, verb::IDENTITY_LINKED, object::USER, &identity.user, None);
    entry.after = Some(identity.issuer.clone());
    entry
}

fn identity(app: &App, verified: &Verified, user: UserId) -> Identity {
    Identity {
        issuer: verified.issuer.clone(),
        subject: verified.subject.clone(),
        user,
        email: verified.email.clone(),
        created_at: app.now(),
    }
}

/// Links an identity with the account that began it, if it is still logged in here: else a link that somebody else prepared
/// could be finished by whoever follows it.
async fn link(app: &App, visit: &Visit, session: SessionHash, verified: &Verified) -> Result<(), Error> {
    let here = visit.session.as_ref().map(SessionId::digest);
    let catalog = &app.deps.ports.catalog;
    let session = catalog
        .session(&session)
        .await?
        .filter(|session| Some(session.hash) == here && !session::is_over(session, app.now()))
        .ok_or(OidcError::AttemptInvalid)?;
    let identity = identity(app, verified, session.user);
    let entry = linked(app, visit.actor(session.user), &identity);
    match catalog.link_identity(&identity, &entry).await? {
        Linking::Linked | Linking::AlreadyTheirs => Ok(()),
        Linking::Taken => Err(OidcError::IdentityTaken.into()),
        Linking::HasAnother => Err(OidcError::HasAnother.into()),
    }
}

/// The caller's identities.
pub(crate) async fn identities(app: &App, actor: Actor) -> Result<Vec<Identity>, Error> {
    Ok(app.deps.ports.catalog.identities(actor.user).await?)
}

/// Takes all identities off the caller's account, which must have another way in.
pub(crate) async fn unlink(app: &App, actor: Actor, user: &User) -> Result<(), Error> {
    let catalog = &app.deps.ports.catalog;
    if catalog.identities(user.id).await?.is_empty() {
        return Err(Error::NotFound);
    }
    if !app.options.password_login {
        return Err(Error::PasswordLoginOff);
    }
    let entry = actor.did(app, verb::IDENTITY_UNLINKED, object::USER, &user.id, None);
    if catalog.unlink_identities(user.id, &entry).await? == 0 {
        return Err(Error::PasswordNotSet);
    }
    Ok(())
}
