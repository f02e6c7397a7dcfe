//! What was set aside: looking, replaying, discarding.

use botloom_core::ids::BotId;
use botloom_core::ports::{DeadLetter, LetterQuery, Page, PageRequest};

use super::actor::{Actor, object, verb};
use super::{Error, access, audit};
use crate::auth::policy::Action;
use crate::state::App;

/// Dead letters of a bot.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    bot: &BotId,
    query: &LetterQuery,
    page: &PageRequest,
) -> Result<Page<DeadLetter>, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    Ok(app.deps.ports.dead_letters.letters(bot, query, page).await?)
}

/// One of them.
pub(crate) async fn get(app: &App, actor: Actor, bot: &BotId, id: &str) -> Result<DeadLetter, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    app.deps
        .ports
        .dead_letters
        .dead_letter(bot, id)
        .await?
        .ok_or(Error::NotFound)
}

/// Puts one back where it came from.
pub(crate) async fn replay(app: &App, actor: Actor, bot: &BotId, id: &str) -> Result<(), Error> {
    let row = access::bot(app, actor, bot, Action::HandleDeadLetters).await?;
    let letters = &app.deps.ports.dead_letters;
    if letters.replay(bot, id).await? {
        let entry = actor.did(
            app,
            verb::DEAD_LETTER_REPLAYED,
            object::DEAD_LETTER,
            &id,
            Some(row.project),
        );
        audit::note(app, entry).await;
        Ok(())
    } else if letters.dead_letter(bot, id).await?.is_some() {
        Err(Error::NotReplayable)
    } else {
        Err(Error::NotFound)
    }
}

/// Throws one away.
pub(crate) async fn discard(app: &App, actor: Actor, bot: &BotId, id: &str) -> Result<(), Error> {
    let row = access::bot(app, actor, bot, Action::HandleDeadLetters).await?;
    if app.deps.ports.dead_letters.discard(bot, id).await? {
        let entry = actor.did(
            app,
            verb::DEAD_LETTER_DISCARDED,
            object::DEAD_LETTER,
            &id,
            Some(row.project),
        );
        audit::note(app, entry).await;
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}
