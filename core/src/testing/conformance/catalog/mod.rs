//! Suites of the catalog, one per part of the port. Each case gets an empty catalog.

pub mod accounts;
pub mod bots;
pub mod deployments;
pub mod idempotency;
mod pages;
pub mod revisions;
pub mod versions;

use std::error::Error;
use std::sync::Arc;

use super::cases::T0;
use crate::hash::{RevHash, Sha256Hash};
use crate::ids::{BotId, ProjectId, UserId};
use crate::model::{Project, User};
use crate::ports::{Catalog, NewBot, StoreResult};

/// What the suites are run against.
pub type Subject = Arc<dyn Catalog>;

type Fixture<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn user(email: &str) -> User {
    User {
        id: UserId::generate(),
        email: email.to_owned(),
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaA".to_owned(),
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
