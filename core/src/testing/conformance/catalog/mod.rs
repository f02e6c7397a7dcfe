//! Suites of the catalog, one per part of the port. Each case gets an empty catalog.

pub mod accounts;
pub mod audit;
pub mod bots;
pub mod deployments;
pub mod idempotency;
pub mod identities;
pub mod managed_bots;
pub mod members;
mod pages;
pub mod profiles;
pub mod projects;
pub mod revisions;
pub mod tokens;
pub mod versions;
pub mod webhook_pace;
pub mod webhook_survey;
pub mod webhooks;

use std::error::Error;
use std::sync::Arc;

use super::cases::T0;
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{AuditId, BotId, ProjectId, UserId};
use crate::model::{AuditActor, AuditEntry, Project, User};
use crate::ports::{AuditQuery, Catalog, NewBot, PageRequest, StoreResult};

/// What the suites are run against.
pub type Subject = Arc<dyn Catalog>;

type Fixture<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn user(email: &str) -> User {
    User {
        id: UserId::generate(),
        email: email.to_owned(),
        password_hash: Some("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA".to_owned()),
        created_at: T0,
    }
}

fn project(name: &str) -> Project {
    Project {
        id: ProjectId::generate(),
        name: name.to_owned(),
        created_at: T0,
    }
}

fn rev(text: &str) -> RevHash {
    RevHash(Sha256Hash::of(text))
}

/// The first owner with their project.
async fn owner(catalog: &Subject) -> Fixture<(User, Project)> {
    let (user, project) = (user("owner@example.org"), project("default"));
    assert!(catalog.create_first_owner(&user, &project).await?);
    Ok((user, project))
}

async fn add_bot(catalog: &Subject, project: ProjectId, id: &str) -> StoreResult<bool> {
    let bot = NewBot {
        id: BotId::new(id).expect("the suites name bots rightly"),
        project,
        name: format!("Bot {id}"),
        created_at: T0,
    };
    catalog.create_bot(&bot).await
}

/// A bot `a-bot` of the first owner's project.
async fn a_bot(catalog: &Subject) -> Fixture<BotId> {
    let (_, project) = owner(catalog).await?;
    assert!(add_bot(catalog, project.id, "a-bot").await?);
    Ok(BotId::new("a-bot")?)
}

/// Under which the suites note what they do.
const LOGGED: ProjectId = ProjectId(uuid::Uuid::from_u128(17));

/// An entry of the audit log with an id of its own, at [`T0`].
fn entry(verb: &'static str) -> AuditEntry {
    AuditEntry {
        id: AuditId::generate(),
        at: T0,
        actor: AuditActor::System,
        verb: verb.into(),
        object_kind: "thing".into(),
        object_id: "it".to_owned(),
        project: Some(LOGGED),
        address: None,
        request: None,
        before: None,
        after: None,
    }
}

/// The newest 200 entries that the suites noted, newest first.
async fn everything(catalog: &Subject) -> Fixture<Vec<AuditEntry>> {
    let query = AuditQuery {
        projects: vec![LOGGED],
        ..AuditQuery::default()
    };
    let page = PageRequest {
        cursor: None,
        limit: 200,
    };
    Ok(catalog.audit(&query, &page).await?.items)
}
