//! Rows of the catalog, one file each.

mod account;
mod audit;
mod bot;
mod deployment;
mod identity;
mod managed;
mod member;
mod node;
mod profile;
mod revision;
mod task;
mod token;
mod version;
mod webhook;

pub use account::{Membership, Project, Role, Session, SessionHash, User};
pub use audit::{AuditActor, AuditEntry, consequence};
pub use bot::{BotRow, IngressMode, SealedToken, TelegramIdentity};
pub use deployment::{DeployError, Deployment, Stage, StageRecord, TaskStatus};
pub use identity::{AttemptPurpose, Identity, LoginAttempt, Newcomer};
pub use managed::{ManagedBot, ManagedOutcome, ManagedRequest, TelegramAccount};
pub use member::{Invitation, Member};
pub use node::{Ask, AskAnswer, NodeBeat, NodeId};
pub use profile::ProfileRow;
pub use revision::{ArtifactDigests, BotPassport, BuildInfo, RevJson, RevisionRow, Security};
pub use task::{Task, TaskError, TaskKind, TaskPayload};
pub use token::ApiToken;
pub use version::{SpecVersion, SpecVersionSummary};
pub use webhook::{
    Found, Registered, Registration, Tried, WebhookCheck, WebhookFinding, WebhookGrant, WebhookMove,
    WebhookPace, WebhookPaceState, WebhookState, WebhookStatus, WebhookSurvey, WebhookTally,
};
