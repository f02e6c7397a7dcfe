//! Replaying or discarding many dead letters.

use std::collections::HashSet;

use botloom_core::ids::{BotId, ChatId};
use botloom_core::model::BotRow;
use botloom_core::ports::{DeadLetters, LetterCount, LetterQuery, PageRequest, StoreError};
use botloom_core::time::TimestampMs;

use super::actor::{Actor, object, verb};
use super::{Error, access, audit};
use crate::auth::policy::Action;
use crate::state::App;

/// What is done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handling {
    Replay,
    Discard,
}

/// Which are meant.
#[derive(Debug)]
pub(crate) enum Meant {
    /// These, in this order.
    Ids(Vec<String>),
    /// Those that a query finds, from a cursor on.
    Found(LetterQuery, PageRequest),
}

/// One that is meant, as it was found.
#[derive(Debug)]
enum Letter {
    Missing,
    /// With the chat that it goes back to, if it has one.
    There(Option<ChatId>),
}

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Replayed,
    Discarded,
    /// There is none with this id, or it was handled before.
    NotFound,
    /// It never reached a chat.
    NotReplayable,
    /// Its chat has as many updates waiting as it may; it and all later ones of the chat stay.
    ChatFull,
    /// The store failed; it may or may not have been handled.
    Failed,
    /// The store failed before its turn came.
    NotTried,
}

impl Outcome {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
            Self::NotFound => "not-found",
            Self::NotReplayable => "not-replayable",
            Self::ChatFull => "chat-full",
            Self::Failed => "failed",
            Self::NotTried => "not-tried",
        }
    }

    const fn is_done(self) -> bool {
        matches!(self, Self::Replayed | Self::Discarded)
    }

    /// Whether it stays although it may be handled later: those behind it must not overtake it.
    const fn holds_back(self) -> bool {
        matches!(self, Self::ChatFull | Self::Failed | Self::NotTried)
    }
}

/// What became of all.
#[derive(Debug)]
pub(crate) struct Handled {
    /// Each in its order.
    pub(crate) outcomes: Vec<(String, Outcome)>,
    /// How many of those that are meant are there still; `None`: the store cannot say.
    pub(crate) left: Option<LetterCount>,
    /// Where to go on. `None` also where one held back those behind it.
    pub(crate) next_cursor: Option<String>,
}

/// Handles those that are meant, one after the other, so that letters of a chat come back in their order. Done again it
/// finds those gone that were handled.
pub(crate) async fn handle(
    app: &App,
    actor: Actor,
    bot: &BotId,
    handling: Handling,
    meant: Meant,
) -> Result<Handled, Error> {
    let row = access::bot(app, actor, bot, Action::HandleDeadLetters).await?;
    let letters = &*app.deps.ports.dead_letters;
    let (mut wanted, mut next_cursor, mut query) = (Vec::new(), None, None);
    match meant {
        Meant::Ids(ids) => {
            for id in ids {
                let letter = letters.dead_letter(bot, &id).await?;
                let found = letter.map_or(Letter::Missing, |letter| Letter::There(letter.letter.chat));
                wanted.push((id, found));
            }
        }
        Meant::Found(asked, page) => {
            let Some((begun, page)) = Walk::of(page, app.now()) else {
                return Ok(Handled {
                    outcomes: Vec::new(),
                    left: letters.count(bot, &asked).await.ok(),
                    next_cursor: None,
                });
            };
            let found = letters.letters(bot, &asked, &page).await?;
            next_cursor = found.next_cursor.map(|cursor| begun.cursor(&cursor));
            for letter in found.items {
                if letter.letter.at > begun.0 {
                    next_cursor = None;
                    break;
                }
                wanted.push((letter.id, Letter::There(letter.letter.chat)));
            }
            query = Some(asked);
        }
    }
    let (outcomes, failure) = each(letters, bot, handling, wanted).await;
    if outcomes.iter().any(|(_, outcome)| outcome.holds_back()) {
        next_cursor = None;
    }
    let done = outcomes.iter().filter(|(_, outcome)| outcome.is_done()).count();
    if done > 0 {
        note(app, actor, &row, handling, &outcomes).await;
    }
    // Nothing was done: the failure says more than a list of things that were not.
    if let Some(failure) = failure.as_ref().filter(|_| done == 0) {
        tracing::warn!(%bot, error = %failure, "dead letters could not be handled");
        return Err(StoreError::unavailable("dead letters").into());
    }
    let left = if let Some(query) = &query {
        letters.count(bot, query).await.ok()
    } else {
        let stays = |outcome: Outcome| !outcome.is_done() && outcome != Outcome::NotFound;
        let stayed = outcomes.iter().filter(|(_, outcome)| stays(*outcome)).count();
        Some(LetterCount::exactly(stayed as u64))
    };
    Ok(Handled {
        outcomes,
        left,
        next_cursor,
    })
}

/// A walk over what a query finds, by when it began. What was set aside later is not meant: an update that is replayed and
/// fails again would be met again and again.
#[derive(Debug, Clone, Copy)]
struct Walk(TimestampMs);

impl Walk {
    /// The walk that a page belongs to, and the page as the store knows it. `None`: the cursor is none of a walk.
    fn of(page: PageRequest, now: TimestampMs) -> Option<(Self, PageRequest)> {
        let Some(cursor) = page.cursor else {
            return Some((Self(now), page));
        };
        let (begun, cursor) = cursor.split_once('~')?;
        let page = PageRequest {
            cursor: Some(cursor.to_owned()),
            ..page
        };
        Some((Self(TimestampMs(begun.parse().ok()?)), page))
    }

    fn cursor(self, cursor: &str) -> String {
        format!("{}~{cursor}", self.0.0)
    }
}

/// Ends at the first failure of the store.
async fn each(
    letters: &dyn DeadLetters,
    bot: &BotId,
    handling: Handling,
    wanted: Vec<(String, Letter)>,
) -> (Vec<(String, Outcome)>, Option<StoreError>) {
    let (mut outcomes, mut full, mut failure) = (Vec::with_capacity(wanted.len()), HashSet::new(), None);
    for (id, letter) in wanted {
        let outcome = match (&letter, handling) {
            _ if failure.is_some() => Outcome::NotTried,
            (Letter::Missing, _) => Outcome::NotFound,
            (Letter::There(None), Handling::Replay) => Outcome::NotReplayable,
            (Letter::There(Some(chat)), Handling::Replay) if full.contains(chat) => Outcome::ChatFull,
            (Letter::There(chat), Handling::Replay) => match letters.replay(bot, &id).await {
                Ok(true) => Outcome::Replayed,
                Ok(false) => Outcome::NotFound,
                Err(StoreError::Full) => {
                    full.extend(chat.clone());
                    Outcome::ChatFull
                }
                Err(error) => {
                    failure = Some(error);
                    Outcome::Failed
                }
            },
            (Letter::There(_), Handling::Discard) => match letters.discard(bot, &id).await {
                Ok(true) => Outcome::Discarded,
                Ok(false) => Outcome::NotFound,
                Err(error) => {
                    failure = Some(error);
                    Outcome::Failed
                }
            },
        };
        outcomes.push((id, outcome));
    }
    (outcomes, failure)
}

/// One entry for all: how many, and which were the first and the last.
async fn note(app: &App, actor: Actor, row: &BotRow, handling: Handling, outcomes: &[(String, Outcome)]) {
    let verb = match handling {
        Handling::Replay => verb::DEAD_LETTERS_REPLAYED,
        Handling::Discard => verb::DEAD_LETTERS_DISCARDED,
    };
    let done: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_done())
        .map(|(id, _)| id.as_str())
        .collect();
    let mut entry = actor.did(app, verb, object::BOT, &row.id, Some(row.project));
    entry.after = match done.as_slice() {
        [] => None,
        [only] => Some(format!("1: {only}")),
        [first, .., last] => Some(format!("{}: {first} to {last}", done.len())),
    };
    audit::note(app, entry).await;
}
