//! What happens to versions after they were posted: notes, and the way back.

use botloom_core::ids::BotId;
use botloom_core::model::SpecVersionSummary;
use bytes::Bytes;

use super::actor::{Actor, verb};
use super::specs::{self, Accompanied, Edited, Posted};
use super::{Error, access, audit};
use crate::auth::policy::Action;
use crate::state::App;

/// Makes the content of an older version the latest version. It passes the checks that any posted spec passes: rules may
/// have become stricter since.
pub(crate) async fn restore(
    app: &App,
    actor: Actor,
    bot: &BotId,
    version: u32,
    edited: &Edited,
    with: Accompanied,
) -> Result<Posted, Error> {
    access::bot(app, actor, bot, Action::PostSpec).await?;
    let old = app.deps.ports.catalog.version(bot, version).await?;
    let old = old.ok_or(Error::NotFound)?;
    let with = Accompanied {
        restores: Some(version),
        ..with
    };
    specs::post(app, actor, Bytes::from(old.canonical), edited, with).await
}

/// Says something about a version, or takes it back.
pub(crate) async fn set_note(
    app: &App,
    actor: Actor,
    bot: &BotId,
    version: u32,
    note: Option<&str>,
) -> Result<SpecVersionSummary, Error> {
    let project = access::bot(app, actor, bot, Action::PostSpec).await?.project;
    let catalog = &app.deps.ports.catalog;
    let noted = catalog.set_version_note(bot, version, note).await?;
    let noted = noted.ok_or(Error::NotFound)?;
    let mut entry = actor.did_to_bot(app, verb::SPEC_NOTED, bot, project);
    entry.after = Some(noted.spec_hash.to_string());
    audit::note(app, entry).await;
    Ok(noted)
}
