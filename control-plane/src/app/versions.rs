//! What happens to versions after they were posted: notes, and the way back.

use botloom_core::ids::{BotId, UserId};
use botloom_core::model::SpecVersionSummary;
use bytes::Bytes;

use super::specs::{self, Accompanied, Edited, Posted};
use super::{Error, access};
use crate::auth::policy::Action;
use crate::state::App;

/// Makes the content of an older version the latest version. It passes the checks that any posted spec passes: rules may
/// have become stricter since.
pub(crate) async fn restore(
    app: &App,
    user: UserId,
    bot: &BotId,
    version: u32,
    edited: &Edited,
    with: Accompanied,
) -> Result<Posted, Error> {
    access::bot(app, user, bot, Action::PostSpec).await?;
    let old = app.deps.ports.catalog.version(bot, version).await?;
    let old = old.ok_or(Error::NotFound)?;
    let with = Accompanied {
        restores: Some(version),
        ..with
    };
    specs::post(app, user, Bytes::from(old.canonical), edited, with).await
}

/// Says something about a version, or takes it back.
pub(crate) async fn set_note(
    app: &App,
    user: UserId,
    bot: &BotId,
    version: u32,
    note: Option<&str>,
) -> Result<SpecVersionSummary, Error> {
    access::bot(app, user, bot, Action::PostSpec).await?;
    let catalog = &app.deps.ports.catalog;
    catalog
        .set_version_note(bot, version, note)
        .await?
        .ok_or(Error::NotFound)
}
