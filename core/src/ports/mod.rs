//! What backends promise. One file per port; each method says whether it is atomic, whether it is ordered, and what
//! happens twice. `core::testing::conformance` holds the same promises as executable suites that every backend passes.

mod accounts;
pub mod analytics;
mod artifacts;
mod audit;
mod bots;
mod bus;
mod chat_states;
mod chats;
mod deployments;
mod error;
mod event_log;
mod idempotency;
mod identities;
mod lanes;
mod leases;
mod managed_bots;
mod members;
mod nodes;
mod outbox;
mod outcomes;
mod page;
mod profiles;
mod projects;
mod revisions;
mod sandboxes;
mod simulations;
mod tasks;
mod tokens;
mod versions;
mod webhooks;

mod dead_letters;

use std::sync::Arc;

pub use accounts::{Accounts, PasswordChange};
pub use analytics::{Analytics, AnalyticsEvent, AnalyticsQuery, AnalyticsRow, DEFAULT_RETENTION_MS};
pub use artifacts::{ArtifactError, ArtifactName, Artifacts};
pub use audit::{Audit, AuditQuery};
pub use bots::{BotMark, Bots, BotsMark, Connection, NewBot, StagingChange, TokenChange};
pub use bus::{Bus, Notice};
pub use chat_states::{ChatState, ChatStates};
pub use chats::{ChatPlace, ChatView, Chats, FirstMessage, Freed, Remedy, Standing};
pub use dead_letters::{
    DeadLetter, DeadLetterReason, DeadLetters, Direction, LetterCount, LetterOrder, LetterQuery,
    NewDeadLetter,
};
pub use deployments::{Deployments, NewDeploymentOutcome};
pub use error::{StoreError, StoreResult};
pub use event_log::{EventLog, EventPage};
pub use idempotency::{Idempotency, IdempotencyClaim, IdempotencyKey, StoredResponse};
pub use identities::{Admission, Admittance, Identities, Linking, ProjectKey};
pub use lanes::{
    ActiveRevision, Claims, Commit, CommitOutcome, DedupKey, Fail, FailOutcome, Ingest, IngestOutcome,
    LaneLease, LaneLimits, LaneStats, Lanes, NextTurn, QueuedUpdate, SetRevision, StateChange, Token, Turn,
};
pub use leases::Leases;
pub use managed_bots::ManagedBots;
pub use members::{Acceptance, MemberChange, Members};
pub use nodes::{BEAT_EVERY, NODE_LIFE, Nodes, OpenAsk};
pub use outbox::{AckOut, AckOutOutcome, AfterAck, OutClass, OutMessage, OutTurn, Outbox, QueuedMessage};
pub use outcomes::{BotOutcomes, OUTCOMES_LIFE, OutcomeCounts, Outcomes};
pub use page::{Page, PageRequest};
pub use profiles::Profiles;
pub use projects::{NewProjectOutcome, ProjectRemoval, ProjectRename, Projects};
pub use revisions::Revisions;
pub use sandboxes::{ProbeReport, SandboxError, Sandboxes};
pub use simulations::{Happening, LIVE_LONGEST, SimulatedHttp, SimulatedTurn, Simulation, Simulations};
pub use tasks::{EnqueueOutcome, NewTask, TaskLease, Tasks};
pub use tokens::Tokens;
pub use versions::{NewVersion, NewVersionOutcome, Versions};
pub use webhooks::{Registrar, SettledWebhook, Webhooks};

/// Users, projects, members, identities, API tokens, bots, published profiles, managed bots, versions, revisions, deployments,
/// idempotency keys, leases, audit log, checks of webhooks: one database.
pub trait Catalog:
    Accounts
    + Projects
    + Members
    + Identities
    + Tokens
    + Bots
    + Profiles
    + ManagedBots
    + Versions
    + Revisions
    + Deployments
    + Idempotency
    + Leases
    + Audit
    + Webhooks
{
}

impl<
    T: Accounts
        + Projects
        + Members
        + Identities
        + Tokens
        + Bots
        + Profiles
        + ManagedBots
        + Versions
        + Revisions
        + Deployments
        + Idempotency
        + Leases
        + Audit
        + Webhooks,
> Catalog for T
{
}

/// Everything a role may ask of the outside. Made in one place and handed around.
#[derive(Clone, Debug)]
pub struct Ports {
    /// Rows of the control plane.
    pub catalog: Arc<dyn Catalog>,
    /// Files of revisions.
    pub artifacts: Arc<dyn Artifacts>,
    /// Updates in, per chat.
    pub lanes: Arc<dyn Lanes>,
    /// Messages out, per chat.
    pub outbox: Arc<dyn Outbox>,
    /// What was set aside.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Updates and messages that wait, for people.
    pub chats: Arc<dyn Chats>,
    /// Work for generator and deployer.
    pub tasks: Arc<dyn Tasks>,
    /// Hints between parts.
    pub bus: Arc<dyn Bus>,
    /// Which processes there are.
    pub nodes: Arc<dyn Nodes>,
    /// Live events with replay.
    pub events: Arc<dyn EventLog>,
    /// How updates ended, for the watch over new revisions.
    pub outcomes: Arc<dyn Outcomes>,
    /// Counters and telemetry.
    pub analytics: Arc<dyn Analytics>,
    /// The clock.
    pub clock: crate::time::SharedClock,
}
