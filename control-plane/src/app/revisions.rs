//! Looking at revisions and their files.

use botloom_core::hash::{RevHash, Sha256Hash};
use botloom_core::ids::BotId;
use botloom_core::model::RevisionRow;
use botloom_core::ports::{ArtifactName, Page, PageRequest};
use bytes::Bytes;

use super::actor::Actor;
use super::{Error, access};
use crate::auth::policy::Action;
use crate::state::App;

/// A revision of a bot that the user may read.
pub(crate) async fn get(app: &App, actor: Actor, rev: &RevHash) -> Result<RevisionRow, Error> {
    let revision = app
        .deps
        .ports
        .catalog
        .revision(rev)
        .await?
        .ok_or(Error::NotFound)?;
    access::bot(app, actor, &revision.bot, Action::Read).await?;
    Ok(revision)
}

/// Revisions of a bot, newest first.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    bot: &BotId,
    page: &PageRequest,
) -> Result<Page<RevisionRow>, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    Ok(app.deps.ports.catalog.revisions(bot, page).await?)
}

/// Digest of one of its files.
pub(crate) fn digest(revision: &RevisionRow, name: ArtifactName) -> Sha256Hash {
    match name {
        ArtifactName::BotJs => revision.digests.bot_js,
        ArtifactName::SpecJson => revision.digests.spec_json,
        ArtifactName::RevJson => revision.digests.rev_json,
    }
}

/// One of its files, compared with its digest.
pub(crate) async fn artifact(app: &App, revision: &RevisionRow, name: ArtifactName) -> Result<Bytes, Error> {
    let expected = digest(revision, name);
    Ok(app
        .deps
        .ports
        .artifacts
        .get(&revision.bot, &revision.rev_hash, name, &expected)
        .await?)
}
