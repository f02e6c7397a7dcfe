//! A catalog that goes away: every question fails until it is back. And one with rows that cannot be read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::{InvitationId, TokenId};
use botloom_core::model::{
    ApiToken, AuditEntry, BotRow, Deployment, Identity, Invitation, LoginAttempt, ManagedBot, ManagedOutcome,
    ManagedRequest, Member, Membership, Newcomer, ProfileRow, Project, Registered, RevisionRow, Role,
    SealedToken, Session, SessionHash, SpecVersion, SpecVersionSummary, TelegramIdentity, Tried, User,
    WebhookCheck, WebhookGrant, WebhookPace, WebhookPaceState, WebhookStatus, WebhookSurvey, WebhookTally,
};
use botloom_core::ports::{
    Acceptance, Accounts, Admission, Admittance, Audit, AuditQuery, BotMark, Bots, BotsMark, Catalog,
    Connection, Deployments, Idempotency, IdempotencyClaim, IdempotencyKey, Identities, Leases, Linking,
    ManagedBots, MemberChange, Members, NewBot, NewDeploymentOutcome, NewProjectOutcome, NewVersion,
    NewVersionOutcome, Page, PageRequest, PasswordChange, Profiles, ProjectRemoval, ProjectRename, Projects,
    Registrar, Revisions, SettledWebhook, StagingChange, StoreError, StoreResult, StoredResponse,
    TokenChange, Tokens, Versions, Webhooks,
};
use botloom_core::{BotId, Epoch, ProjectId, TaskId, TimestampMs, UserId};
use uuid::Uuid;

#[derive(Debug)]
pub(crate) struct Switched {
    inner: Arc<dyn Catalog>,
    away: AtomicBool,
    /// Whether no bot can be read by its id.
    corrupt: AtomicBool,
    /// How often each question was asked.
    asked: Mutex<HashMap<&'static str, usize>>,
}

impl Switched {
    pub(crate) fn new(inner: Arc<dyn Catalog>) -> Self {
        Self {
            inner,
            away: AtomicBool::new(false),
            corrupt: AtomicBool::new(false),
            asked: Mutex::default(),
        }
    }

    /// The catalog itself, which is never away.
    pub(crate) fn inner(&self) -> &dyn Catalog {
        &*self.inner
    }

    /// How often the method of this name was called.
    pub(crate) fn asked(&self, method: &str) -> usize {
        self.asked.lock().unwrap().get(method).copied().unwrap_or(0)
    }

    pub(crate) fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn corrupt(&self, corrupt: bool) {
        self.corrupt.store(corrupt, Ordering::SeqCst);
    }

    fn pass(&self, method: &'static str) -> StoreResult<&dyn Catalog> {
        *self.asked.lock().unwrap().entry(method).or_default() += 1;
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("switched off"));
        }
        if method == "bot" && self.corrupt.load(Ordering::SeqCst) {
            return Err(StoreError::Corrupt("a row of this test".to_owned()));
        }
        Ok(&*self.inner)
    }
}

macro_rules! forward {
    ($port:ident $(fn $name:ident($($arg:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $port for Switched {
            $(async fn $name(&self, $($arg: $kind),*) -> StoreResult<$answer> {
                self.pass(stringify!($name))?.$name($($arg),*).await
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
    fn change_password(change: PasswordChange<'_>, entry: &AuditEntry) -> bool;
    fn expire_sessions(seen_before: TimestampMs, created_before: TimestampMs) -> u64;
}

forward! { Projects
    fn create_project(project: &Project, owner: UserId, most: u32, entry: &AuditEntry) -> NewProjectOutcome;
    fn rename_project(project: ProjectId, name: &str, entry: &AuditEntry) -> ProjectRename;
    fn delete_project(project: ProjectId, at: TimestampMs, entry: &AuditEntry) -> ProjectRemoval;
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

forward! { Identities
    fn start_attempt(attempt: &LoginAttempt) -> ();
    fn take_attempt(hash: &Sha256Hash, at: TimestampMs) -> Option<LoginAttempt>;
    fn expire_attempts(at: TimestampMs) -> u64;
    fn identity(issuer: &str, subject: &str) -> Option<Identity>;
    fn identities(user: UserId) -> Vec<Identity>;
    fn link_identity(identity: &Identity, entry: &AuditEntry) -> Linking;
    fn unlink_identities(user: UserId, entry: &AuditEntry) -> u64;
    fn admit(newcomer: &Newcomer, by: &Admittance, at: TimestampMs, entries: &[AuditEntry]) -> Admission;
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
    fn bots_mark() -> BotsMark;
    fn live_bot_marks() -> Vec<BotMark>;
    fn set_token(id: &BotId, seen: Option<&SealedToken>, token: &SealedToken, identity: &TelegramIdentity) -> TokenChange;
    fn set_connection(id: &BotId, connection: Option<&Connection>) -> ();
    fn replace_connection(id: &BotId, seen: Option<&Connection>, connection: Option<&Connection>) -> bool;
    fn suspend(id: &BotId, version: i64, reason: &str) -> bool;
    fn set_paused(id: &BotId, at: Option<TimestampMs>) -> bool;
    fn rename_bot(id: &BotId, name: &str) -> ();
    fn set_staging_of(id: &BotId, production: Option<&BotId>) -> StagingChange;
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

forward! { Webhooks
    fn enrol_webhook_checks(now: TimestampMs) -> u64;
    fn claim_webhook_checks(now: TimestampMs, until: TimestampMs, limit: u32) -> Vec<WebhookCheck>;
    fn settle_webhook_checks(settled: &[SettledWebhook]) -> Vec<bool>;
    fn note_webhook_told(claim: &WebhookCheck) -> ();
    fn forget_webhook_check(claim: &WebhookCheck) -> ();
    fn hasten_webhook_check(bot: &BotId, now: TimestampMs) -> ();
    fn webhook_check(bot: &BotId) -> Option<WebhookCheck>;
    fn webhook_checks(projects: &[ProjectId], status: Option<WebhookStatus>, page: &PageRequest) -> Page<WebhookCheck>;
    fn webhook_tally(projects: Option<&[ProjectId]>) -> Vec<WebhookTally>;
    fn webhook_check_ids() -> Vec<BotId>;
    fn webhook_survey(now: TimestampMs) -> WebhookSurvey;
    fn note_webhook_moves_held(since: Option<TimestampMs>) -> bool;
    fn begin_registration(bot: &BotId, url: &str, by: Registrar<'_>, now: TimestampMs, until: TimestampMs) -> bool;
    fn end_registration(bot: &BotId, by: Registrar<'_>, tried: &Tried, registered: Option<&Registered>) -> ();
    fn grant_webhook_change(bot: &BotId, now: TimestampMs, pace: WebhookPace) -> WebhookGrant;
    fn hold_webhook_changes(until: TimestampMs) -> ();
    fn webhook_pace(now: TimestampMs) -> WebhookPaceState;
    fn expire_webhook_grants(before: TimestampMs) -> u64;
    fn announce_public_url(url: Option<&str>) -> ();
    fn announced_public_url() -> Option<String>;
}

forward! { Idempotency
    fn claim_key(key: &IdempotencyKey, fingerprint: &Sha256Hash, now: TimestampMs, lease_ms: i64) -> IdempotencyClaim;
    fn complete_key(key: &IdempotencyKey, response: &StoredResponse) -> ();
    fn release_key(key: &IdempotencyKey) -> ();
    fn expire_keys(before: TimestampMs) -> u64;
}
