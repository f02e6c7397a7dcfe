//! A catalog that goes away: every question fails until it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::{InvitationId, TokenId};
use botloom_core::model::{
    ApiToken, AuditEntry, BotRow, Deployment, Invitation, ManagedBot, ManagedOutcome, ManagedRequest, Member,
    Membership, ProfileRow, Project, RevisionRow, Role, SealedToken, Session, SessionHash, SpecVersion,
    SpecVersionSummary, TelegramIdentity, User,
};
use botloom_core::ports::{
    Acceptance, Accounts, Audit, AuditQuery, Bots, Catalog, Connection, Deployments, Idempotency,
    IdempotencyClaim, IdempotencyKey, Leases, ManagedBots, MemberChange, Members, NewBot,
    NewDeploymentOutcome, NewVersion, NewVersionOutcome, Page, PageRequest, Profiles, Revisions, StoreError,
    StoreResult, StoredResponse, Tokens, Versions,
};
use botloom_core::{BotId, Epoch, ProjectId, TaskId, TimestampMs, UserId};
use uuid::Uuid;

#[derive(Debug)]
pub(crate) struct Switched {
    inner: Arc<dyn Catalog>,
    away: AtomicBool,
}

impl Switched {
    pub(crate) fn new(inner: Arc<dyn Catalog>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
        }
    }

    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    fn pass(&self) -> StoreResult<&dyn Catalog> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("switched off"));
        }
        Ok(&*self.inner)
    }
}

macro_rules! forward {
    ($port:ident $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $port for Switched {
            $(async fn $name(&self, $($arg: $kind),*) -> StoreResult<$answer> {
                self.pass()?.$name($($arg),*).await
            })*
        }
    };
}

forward! { Accounts
    fn create_first_owner(user: &User, project: &Project) -> bool;
    fn has_users() -> bool;
    fn user_by_email(email: &str) -> Option<User>;
    fn user(id: UserId) -> Option<User>;
    fn memberships(user: UserId) -> Vec<Membership>;
    fn create_session(session: &Session) -> ();
    fn session(hash: &SessionHash) -> Option<Session>;
    fn touch_session(hash: &SessionHash, at: TimestampMs) -> ();
    fn delete_session(hash: &SessionHash) -> bool;
    fn sessions(user: UserId, page: &PageRequest) -> Page<Session>;
    fn end_session(user: UserId, hash: &SessionHash, entry: &AuditEntry) -> bool;
    fn end_other_sessions(user: UserId, keep: &SessionHash, entry: &AuditEntry) -> u64;
    fn change_password(user: UserId, old: &str, new: &str, keep: &SessionHash, entry: &AuditEntry) -> bool;
    fn expire_sessions(seen_before: TimestampMs, created_before: TimestampMs) -> u64;
}

forward! { Members
    fn members(project: ProjectId, page: &PageRequest) -> Page<Member>;
    fn set_role(project: ProjectId, user: UserId, role: Role, entry: &AuditEntry) -> MemberChange;
    fn remove_member(project: ProjectId, user: UserId, entry: &AuditEntry) -> MemberChange;
    fn create_invitation(invitation: &Invitation, entry: &AuditEntry) -> ();
    fn invitation(hash: &Sha256Hash) -> Option<Invitation>;
    fn invitations(project: ProjectId, page: &PageRequest) -> Page<Invitation>;
    fn revoke_invitation(project: ProjectId, id: InvitationId, entry: &AuditEntry) -> bool;
    fn accept_invitation(hash: &Sha256Hash, user: UserId, at: TimestampMs, entry: &AuditEntry) -> Acceptance;
    fn register(hash: &Sha256Hash, user: &User, at: TimestampMs, entry: &AuditEntry) -> Acceptance;
    fn expire_invitations(at: TimestampMs) -> u64;
}

forward! { Tokens
    fn create_token(token: &ApiToken, entry: &AuditEntry) -> ();
    fn token(hash: &Sha256Hash) -> Option<ApiToken>;
    fn tokens(project: ProjectId, page: &PageRequest) -> Page<ApiToken>;
    fn touch_token(id: TokenId, at: TimestampMs) -> ();
    fn revoke_token(project: ProjectId, id: TokenId, entry: &AuditEntry) -> bool;
    fn expire_tokens(at: TimestampMs) -> u64;
}

forward! { Audit
    fn record(entry: &AuditEntry) -> ();
    fn audit(query: &AuditQuery, page: &PageRequest) -> Page<AuditEntry>;
}

forward! { Bots
    fn create_bot(bot: &NewBot) -> bool;
    fn bot(id: &BotId) -> Option<BotRow>;
    fn bots(projects: &[ProjectId], page: &PageRequest) -> Page<BotRow>;
    fn live_bots() -> Vec<BotRow>;
    fn set_token(id: &BotId, token: &SealedToken, identity: &TelegramIdentity) -> ();
    fn bot_of_telegram_id(telegram_id: i64, except: &BotId) -> Option<BotId>;
    fn set_connection(id: &BotId, connection: Option<&Connection>) -> ();
    fn set_suspended(id: &BotId, reason: Option<&str>) -> ();
    fn set_paused(id: &BotId, at: Option<TimestampMs>) -> bool;
    fn rename_bot(id: &BotId, name: &str) -> ();
    fn delete_bot(id: &BotId, at: TimestampMs) -> bool;
    fn sealed_bots(after: Option<&BotId>) -> Vec<BotRow>;
    fn reseal(read: &BotRow, token: Option<&SealedToken>, webhook_secret: Option<&SealedToken>) -> bool;
    fn activate(id: &BotId, seen: Epoch, rev: RevHash) -> Option<Epoch>;
    fn overtake(id: &BotId, seen: Epoch, ahead: Epoch) -> Option<Epoch>;
}

forward! { Profiles
    fn due_profiles(now: TimestampMs, limit: u32) -> Vec<BotRow>;
    fn profile(telegram_id: i64) -> Option<ProfileRow>;
    fn claim_profile(telegram_id: i64, now: TimestampMs, until: TimestampMs) -> Option<ProfileRow>;
    fn save_profile(row: &ProfileRow) -> bool;
    fn reopen_profile(telegram_id: i64) -> ();
}

forward! { ManagedBots
    fn put_managed_request(request: &ManagedRequest) -> ();
    fn managed_request(bot: &BotId) -> Option<ManagedRequest>;
    fn note_managed_bot(username: &str, made: &ManagedBot, now: TimestampMs) -> Option<ManagedRequest>;
    fn end_managed_request(username: &str, outcome: &ManagedOutcome) -> bool;
    fn delete_managed_request(bot: &BotId) -> bool;
    fn expire_managed_requests(before: TimestampMs) -> u64;
    fn remember_account(user: UserId, account: i64, at: TimestampMs) -> bool;
    fn knows_account(user: UserId, account: i64) -> bool;
}

forward! { Leases
    fn hold_lease(name: &str, holder: Uuid, now: TimestampMs, until: TimestampMs) -> bool;
    fn end_lease(name: &str, holder: Uuid) -> ();
}

forward! { Versions
    fn add_version(version: &NewVersion) -> NewVersionOutcome;
    fn version(bot: &BotId, version: u32) -> Option<SpecVersion>;
    fn latest_version(bot: &BotId) -> Option<SpecVersion>;
    fn set_version_note(bot: &BotId, version: u32, note: Option<&str>) -> Option<SpecVersionSummary>;
    fn versions(bot: &BotId, page: &PageRequest) -> Page<SpecVersionSummary>;
}

forward! { Revisions
    fn add_revision(revision: &RevisionRow) -> bool;
    fn revision(rev: &RevHash) -> Option<RevisionRow>;
    fn revisions(bot: &BotId, page: &PageRequest) -> Page<RevisionRow>;
}

forward! { Deployments
    fn create_deployment(deployment: &Deployment) -> NewDeploymentOutcome;
    fn deployment(task: &TaskId) -> Option<Deployment>;
    fn deployments(bot: &BotId, page: &PageRequest) -> Page<Deployment>;
    fn save_deployment(deployment: &Deployment) -> bool;
    fn unfinished_deployments() -> Vec<Deployment>;
    fn watched_deployments() -> Vec<Deployment>;
    fn previous_revision(bot: &BotId) -> Option<RevHash>;
}

forward! { Idempotency
    fn claim_key(key: &IdempotencyKey, fingerprint: &Sha256Hash, now: TimestampMs, lease_ms: i64) -> IdempotencyClaim;
    fn complete_key(key: &IdempotencyKey, response: &StoredResponse) -> ();
    fn release_key(key: &IdempotencyKey) -> ();
    fn expire_keys(before: TimestampMs) -> u64;
}
