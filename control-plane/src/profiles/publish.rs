//! Publishes the profile of one bot.

use std::time::Duration;

use botloom_core::event::BotEvent;
use botloom_core::hash::RevHash;
use botloom_core::model::{BotRow, ProfileRow};
use botloom_core::ports::StoreResult;
use botloom_spec::model::BotSpec;
use botloom_spec::profile::{self, Profile};
use botloom_telegram::{CallError, Class, Token, classify};
use tokio_util::sync::CancellationToken;

use super::plan::{self, Step, Value};
use crate::app::telegram;
use crate::state::App;

/// Life of a claim; every call begins with a fresh one. Well above the longest wait for a call, so that no call of a node
/// that lost its claim is still under way.
const CLAIM_MS: i64 = 30_000;
/// Pause after the first try that did not get through; doubles with each.
const PAUSE_MS: i64 = 5_000;
/// Longest such pause.
const LONGEST_PAUSE_MS: i64 = 10 * 60_000;

/// How a call ended.
enum Called {
    /// Telegram has the value.
    Done,
    /// Telegram will not take it; nothing changed there.
    Refused(String),
    /// Not now. `executed`: it may have happened all the same.
    Later {
        pause_ms: Option<i64>,
        words: String,
        executed: bool,
    },
}

/// Claims a bot's profile and publishes it, as far as Telegram takes it now.
pub(super) async fn publish(app: &App, bot: &BotRow, shutdown: &CancellationToken) -> StoreResult<()> {
    let Some(id) = bot.identity.as_ref().map(|identity| identity.id) else {
        return Ok(());
    };
    let catalog = &app.deps.ports.catalog;
    let now = app.now();
    let Some(row) = catalog.claim_profile(id, now, now.plus(CLAIM_MS)).await? else {
        return Ok(());
    };
    let mut claim = Claim { app, row };
    // What was read before the claim may be older than what others have published since.
    let Some(live) = target(app, bot).await? else {
        // Not to be found due again and again: connecting the bot, or a token for it, reopens the row.
        return claim.save_until(LONGEST_PAUSE_MS).await.map(drop);
    };
    let Ok(profile) = wanted(app, bot, live.rev).await? else {
        let words = "The spec of the active revision cannot be read.".to_owned();
        return claim.settle(bot, live.rev, Some(words), false).await;
    };
    let steps = plan::steps(&profile, &claim.row.published);
    let (mut refused, changed) = (None, !steps.is_empty());
    for step in steps {
        if shutdown.is_cancelled() || target(app, bot).await?.as_ref() != Some(&live) {
            // Another revision, connection or token: the next look begins anew.
            return claim.give_back().await;
        }
        // Marked first: whoever goes on after a crash here knows that Telegram may have it.
        let before = claim.row.published.insert(step.item.clone(), String::new());
        if !claim.save_until(CLAIM_MS).await? {
            return Ok(());
        }
        let called = call(app, &live.token, &step).await;
        match called {
            Called::Done => claim.put(&step.item, step.digest),
            Called::Refused(words) => {
                claim.put(&step.item, before);
                refused.get_or_insert(words);
            }
            Called::Later {
                pause_ms,
                words,
                executed,
            } => {
                if !executed {
                    claim.put(&step.item, before);
                }
                return claim.pause(pause_ms, words).await;
            }
        }
    }
    claim.settle(bot, live.rev, refused, changed).await
}

/// What is to be published, and where.
struct Target {
    rev: RevHash,
    token: Token,
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.rev == other.rev && self.token.expose() == other.token.expose()
    }
}

/// As the catalog says at this moment; `None`: nothing is to be published for this Telegram bot any more.
async fn target(app: &App, bot: &BotRow) -> StoreResult<Option<Target>> {
    let Some(now) = app.deps.ports.catalog.bot(&bot.id).await? else {
        return Ok(None);
    };
    let takes_updates = now.ingress.is_some() && now.suspended.is_none() && now.deleted_at.is_none();
    let (Some(rev), true, true) = (now.active_rev, takes_updates, now.identity == bot.identity) else {
        return Ok(None);
    };
    match telegram::token(app, &now) {
        Ok(token) => Ok(Some(Target { rev, token })),
        Err(error) => {
            tracing::warn!(bot = %bot.id, ?error, "no profile is published: the token cannot be read");
            Ok(None)
        }
    }
}

/// What the spec of a revision says; the inner error: there is none that can be read.
async fn wanted(app: &App, bot: &BotRow, rev: RevHash) -> StoreResult<Result<Profile, ()>> {
    let catalog = &app.deps.ports.catalog;
    let Some(revision) = catalog.revision(&rev).await? else {
        return Ok(Err(()));
    };
    let Some(version) = catalog.version(&bot.id, revision.spec_version).await? else {
        return Ok(Err(()));
    };
    let spec = serde_json::from_str::<BotSpec>(&version.canonical);
    Ok(spec.map(|spec| profile::of(&spec)).map_err(|error| {
        tracing::warn!(bot = %bot.id, %rev, %error, "a stored spec cannot be read");
    }))
}

/// A claimed row.
struct Claim<'a> {
    app: &'a App,
    row: ProfileRow,
}

impl Claim<'_> {
    fn put(&mut self, item: &str, digest: Option<String>) {
        match digest {
            Some(digest) => self.row.published.insert(item.to_owned(), digest),
            None => self.row.published.remove(item),
        };
    }

    /// Saves the row, not due before so many milliseconds are over; `false`: the claim is somebody else's by now.
    async fn save_until(&mut self, ms: i64) -> StoreResult<bool> {
        self.row.due_at = self.app.now().plus(ms);
        let held = self.app.deps.ports.catalog.save_profile(&self.row).await?;
        self.row.version += 1;
        Ok(held)
    }

    async fn give_back(mut self) -> StoreResult<()> {
        self.save_until(0).await.map(drop)
    }

    async fn pause(mut self, ms: Option<i64>, words: String) -> StoreResult<()> {
        let doubled = PAUSE_MS << self.row.attempts.min(16);
        self.row.attempts = self.row.attempts.saturating_add(1);
        self.row.failure = Some(words);
        self.save_until(ms.unwrap_or(doubled.min(LONGEST_PAUSE_MS)))
            .await
            .map(drop)
    }

    /// The revision needs nothing more. `changed`: something was called for it.
    async fn settle(
        mut self,
        bot: &BotRow,
        rev: RevHash,
        refused: Option<String>,
        changed: bool,
    ) -> StoreResult<()> {
        self.row.settled = Some(rev);
        self.row.attempts = 0;
        self.row.failure.clone_from(&refused);
        if refused.is_none() {
            self.row.published_at = Some(self.app.now());
        }
        if !self.save_until(0).await? {
            return Ok(());
        }
        let event = match refused {
            Some(reason) => {
                tracing::warn!(bot = %bot.id, %rev, reason, "Telegram refused a profile");
                BotEvent::ProfileRefused {
                    rev_hash: rev,
                    reason,
                }
            }
            None if changed => BotEvent::ProfilePublished { rev_hash: rev },
            None => return Ok(()),
        };
        let ports = &self.app.deps.ports;
        ports
            .events
            .append(bot.project, &bot.id, self.app.now(), &event)
            .await
            .map(drop)
    }
}

async fn call(app: &App, token: &Token, step: &Step) -> Called {
    let client = &app.deps.telegram;
    let language = Some(step.language.as_str());
    let (method, calling) = match &step.value {
        Value::Commands(commands) if commands.is_empty() => (
            "deleteMyCommands",
            timed(app, client.delete_my_commands(token, language)).await,
        ),
        Value::Commands(commands) => (
            "setMyCommands",
            timed(app, client.set_my_commands(token, commands, language)).await,
        ),
        Value::Description(text) => (
            "setMyDescription",
            timed(app, client.set_my_description(token, text, language)).await,
        ),
        Value::ShortDescription(text) => (
            "setMyShortDescription",
            timed(app, client.set_my_short_description(token, text, language)).await,
        ),
    };
    let Err(error) = calling else {
        return Called::Done;
    };
    tracing::info!(method, %error, "a part of a profile was not published");
    let later = |pause_ms, words: &str, executed| Called::Later {
        pause_ms,
        words: words.to_owned(),
        executed,
    };
    match (classify(&error, method), error) {
        (Class::AlreadyDone, _) => Called::Done,
        (Class::RetryAfter { secs }, _) => {
            let words = format!("Telegram asks to wait {secs} s.");
            later(Some(i64::from(secs) * 1_000), &words, false)
        }
        (Class::Transient { ambiguous }, _) => later(None, "Telegram does not answer.", ambiguous),
        (Class::Unauthorized, _) => later(
            Some(LONGEST_PAUSE_MS),
            "Telegram does not know the token any more.",
            false,
        ),
        (_, CallError::Api { description, .. }) => {
            Called::Refused(format!("Telegram refused {}: {description}", step.item_words()))
        }
        _ => Called::Refused(format!("{} cannot be written as a call.", step.item_words())),
    }
}

/// Waits no longer than for any call of the API.
async fn timed<T>(app: &App, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let limit: Duration = app.options.telegram_timeout;
    tokio::time::timeout(limit, call).await.unwrap_or_else(|_| {
        Err(CallError::Ambiguous {
            detail: format!("no answer within {limit:?}"),
        })
    })
}
