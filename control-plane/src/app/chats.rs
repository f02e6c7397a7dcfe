//! Chats of a bot: what waits in them, what they remember, and helping one that is stuck.

use botloom_core::event::BotEvent;
use botloom_core::ids::{BotId, ChatId, Lane};
use botloom_core::model::BotRow;
use botloom_core::ports::{
    ChatPlace, ChatView, DeadLetterReason, Direction, Freed, Page, PageRequest, Remedy,
};
use botloom_core::time::TimestampMs;

use super::actor::{Actor, object, verb};
use super::memory::{Keys, Memory};
use super::{Error, access, audit};
use crate::auth::policy::{self, Action};
use crate::state::App;

/// Chats in which something waits.
pub(crate) async fn list(
    app: &App,
    actor: Actor,
    bot: &BotId,
    place: Option<ChatPlace>,
    page: &PageRequest,
) -> Result<Page<ChatView>, Error> {
    access::bot(app, actor, bot, Action::Read).await?;
    Ok(app.deps.ports.chats.chats(bot, place, page).await?)
}

/// One chat with what it remembers.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) view: ChatView,
    pub(crate) memory: Memory,
    pub(crate) now: TimestampMs,
}

/// Looks at a chat. Who may not edit sees of what it remembers only that it does.
pub(crate) async fn get(app: &App, actor: Actor, bot: &BotId, chat: ChatId) -> Result<Looked, Error> {
    let row = access::bot(app, actor, bot, Action::Read).await?;
    let role = access::role(app, actor, row.project).await?;
    let lane = lane(bot, chat);
    let view = app.deps.ports.chats.chat(&lane).await?;
    let document = app.deps.ports.lanes.state(&lane).await?;
    let now = app.now();
    let memory = match document {
        None => Memory::default(),
        Some(document) => {
            let mut keys = keys(app, &row).await?;
            if !role.is_some_and(|role| policy::allows(role, Action::HandleChats)) {
                keys = keys.without_values();
            }
            Memory::read(&document, &keys, now)
        }
    };
    Ok(Looked { view, memory, now })
}

/// The state keys of the revision that is live, or else of the newest version.
async fn keys(app: &App, row: &BotRow) -> Result<Keys, Error> {
    let catalog = &app.deps.ports.catalog;
    let live = match &row.active_rev {
        Some(rev) => catalog.revision(rev).await?,
        None => None,
    };
    let version = match live {
        Some(revision) => catalog.version(&row.id, revision.spec_version).await?,
        None => catalog.latest_version(&row.id).await?,
    };
    Ok(version.map_or_else(Keys::default, |version| Keys::of(&version.canonical)))
}

/// What is to be done about what failed first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unblock {
    pub(crate) update: Option<Remedy>,
    pub(crate) message: Option<Remedy>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Unblocked {
    pub(crate) update: Option<Freed>,
    pub(crate) message: Option<Freed>,
}

/// Helps a chat that is stuck.
pub(crate) async fn unblock(
    app: &App,
    actor: Actor,
    bot: &BotId,
    chat: ChatId,
    wanted: Unblock,
) -> Result<Unblocked, Error> {
    let row = access::bot(app, actor, bot, Action::HandleChats).await?;
    let (lane, chats) = (lane(bot, chat), &app.deps.ports.chats);
    let mut done = Unblocked {
        update: None,
        message: None,
    };
    if let Some(remedy) = wanted.update {
        let freed = chats.free_updates(&lane, remedy).await?;
        note_freed(app, actor, &row, &lane, Direction::In, &freed).await;
        done.update = Some(freed);
    }
    if let Some(remedy) = wanted.message {
        let freed = chats.free_messages(&lane, remedy).await?;
        note_freed(app, actor, &row, &lane, Direction::Out, &freed).await;
        done.message = Some(freed);
    }
    Ok(done)
}

/// Notes what was done, if something was, and tells who listens of what was set aside.
async fn note_freed(app: &App, actor: Actor, row: &BotRow, lane: &Lane, direction: Direction, freed: &Freed) {
    let what = match direction {
        Direction::In => "update",
        Direction::Out => "message",
    };
    let after = match freed {
        Freed::Retried => format!("{what} retried"),
        Freed::SetAside(id) => format!("{what} set aside as {id}"),
        Freed::Empty | Freed::Busy | Freed::NotBlocked | Freed::NotBefore(_) => return,
    };
    let mut entry = actor.did(app, verb::CHAT_UNBLOCKED, object::CHAT, lane, Some(row.project));
    entry.after = Some(after);
    audit::note(app, entry).await;
    if let Freed::SetAside(id) = freed {
        let event = BotEvent::DeadLettered {
            direction: direction.as_str().to_owned(),
            id: id.clone(),
            reason: DeadLetterReason::ByHand.as_str().to_owned(),
        };
        let events = &app.deps.ports.events;
        if let Err(error) = events.append(row.project, &row.id, app.now(), &event).await {
            tracing::warn!(%error, "an event could not be logged");
        }
    }
}

/// Makes a chat forget everything; a turn of it that runs starts again without it.
pub(crate) async fn forget(app: &App, actor: Actor, bot: &BotId, chat: ChatId) -> Result<(), Error> {
    let row = access::bot(app, actor, bot, Action::HandleChats).await?;
    let lane = lane(bot, chat);
    app.deps.ports.chats.forget_state(&lane).await?;
    let entry = actor.did(
        app,
        verb::CHAT_STATE_FORGOTTEN,
        object::CHAT,
        &lane,
        Some(row.project),
    );
    audit::note(app, entry).await;
    Ok(())
}

fn lane(bot: &BotId, chat: ChatId) -> Lane {
    Lane {
        bot: bot.clone(),
        chat,
    }
}
