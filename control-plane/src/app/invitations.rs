//! Invitations: links with which people join a project, with or without an account.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{InvitationId, ProjectId, UserId};
use botloom_core::model::{Invitation, Membership, Project, Role, User};
use botloom_core::ports::{Acceptance, Page, PageRequest};
use botloom_core::secret::Secret;

use super::accounts::{self, Email, Login, LoginMethod, Visit};
use super::actor::{Actor, object, verb};
use super::{Error, access};
use crate::auth::policy::Action;
use crate::state::App;

/// Days that an invitation holds where nothing is said.
pub(crate) const DEFAULT_DAYS: u64 = 7;
/// Most days that one may hold.
pub(crate) const MAX_DAYS: u64 = 30;
const DAY_MS: i64 = 24 * 3_600_000;

/// Makes an invitation; its secret is told this once.
pub(crate) async fn create(
    app: &App,
    actor: Actor,
    project: ProjectId,
    role: Role,
    days: u64,
) -> Result<(Invitation, Secret), Error> {
    access::project(app, actor, project, Action::ManageMembers).await?;
    let secret = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
    let now = app.now();
    let days = i64::try_from(days.min(MAX_DAYS)).map_err(|_| Error::Internal("days"))?;
    let invitation = Invitation {
        id: InvitationId::generate(),
        hash: Sha256Hash::of(secret.expose()),
        project,
        role,
        created_by: actor.user,
        created_at: now,
        expires_at: now.plus(days * DAY_MS),
    };
    let mut entry = actor.did(
        app,
        verb::INVITATION_CREATED,
        object::INVITATION,
        &invitation.id,
        Some(project),
    );
    entry.after = Some(role.as_str().to_owned());
    app.deps
        .ports
        .catalog
        .create_invitation(&invitation, &entry)
        .await?;
    Ok((invitation, secret))
}

/// Open invitations, newest first.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    project: ProjectId,
    page: &PageRequest,
) -> Result<Page<Invitation>, Error> {
    access::project(app, actor, project, Action::ManageMembers).await?;
    Ok(app.deps.ports.catalog.invitations(project, page).await?)
}

/// Ends an invitation that was not used.
pub(crate) async fn revoke(
    app: &App,
    actor: Actor,
    project: ProjectId,
    id: InvitationId,
) -> Result<(), Error> {
    access::project(app, actor, project, Action::ManageMembers).await?;
    let entry = actor.did(
        app,
        verb::INVITATION_REVOKED,
        object::INVITATION,
        &id,
        Some(project),
    );
    let revoked = app
        .deps
        .ports
        .catalog
        .revoke_invitation(project, id, &entry)
        .await?;
    if revoked { Ok(()) } else { Err(Error::NotFound) }
}

/// The invitation with this secret, and where it leads.
pub(crate) async fn look_at(app: &App, secret: &Secret) -> Result<(Invitation, Project), Error> {
    open(app, &Sha256Hash::of(secret.expose())).await
}

/// The open invitation whose secret has this digest, and where it leads.
pub(crate) async fn open(app: &App, hash: &Sha256Hash) -> Result<(Invitation, Project), Error> {
    let catalog = &app.deps.ports.catalog;
    let invitation = catalog
        .invitation(hash)
        .await?
        .filter(|invitation| app.now() < invitation.expires_at)
        .ok_or(Error::InvitationInvalid)?;
    // Its author is an owner of the project as long as it is open.
    let memberships = catalog.memberships(invitation.created_by).await?;
    let project = memberships
        .into_iter()
        .filter(|membership| membership.role == Role::Owner)
        .map(|membership| membership.project)
        .find(|project| project.id == invitation.project)
        .ok_or(Error::InvitationInvalid)?;
    Ok((invitation, project))
}

/// Joins with the account that the actor has.
pub(crate) async fn accept(app: &App, actor: Actor, secret: &Secret) -> Result<Membership, Error> {
    accept_by_hash(app, actor, &Sha256Hash::of(secret.expose())).await
}

/// The same, of the invitation whose secret has this digest.
pub(crate) async fn accept_by_hash(app: &App, actor: Actor, hash: &Sha256Hash) -> Result<Membership, Error> {
    let (invitation, _) = open(app, hash).await?;
    let mut entry = actor.did(
        app,
        verb::MEMBER_JOINED,
        object::USER,
        &actor.user,
        Some(invitation.project),
    );
    entry.after = Some(invitation.role.as_str().to_owned());
    let catalog = &app.deps.ports.catalog;
    joined(
        catalog
            .accept_invitation(hash, actor.user, app.now(), &entry)
            .await?,
    )
}

/// Joins with a new account, and logs it in.
pub(crate) async fn register(
    app: &App,
    visit: &Visit,
    secret: &Secret,
    email: &Email,
    password: &Secret,
) -> Result<Login, Error> {
    if !app.options.password_login {
        return Err(Error::PasswordLoginOff);
    }
    // Before the costly hash: without an invitation nothing is computed.
    let (invitation, _) = look_at(app, secret).await?;
    let user = User {
        id: UserId::generate(),
        email: email.0.clone(),
        password_hash: Some(accounts::hash(app, password).await?),
        created_at: app.now(),
    };
    let actor = visit.actor(user.id);
    let mut entry = actor.did(
        app,
        verb::MEMBER_JOINED,
        object::USER,
        &user.id,
        Some(invitation.project),
    );
    entry.after = Some(invitation.role.as_str().to_owned());
    let hash = Sha256Hash::of(secret.expose());
    let catalog = &app.deps.ports.catalog;
    joined(catalog.register(&hash, &user, app.now(), &entry).await?)?;
    accounts::open_session(app, user, visit, LoginMethod::Password).await
}

fn joined(acceptance: Acceptance) -> Result<Membership, Error> {
    match acceptance {
        Acceptance::Joined(membership) => Ok(membership),
        Acceptance::Gone => Err(Error::InvitationInvalid),
        Acceptance::AlreadyMember => Err(Error::AlreadyMember),
        Acceptance::EmailTaken => Err(Error::EmailTaken),
    }
}
