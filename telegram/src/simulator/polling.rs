//! `getUpdates`: a long poll, of which a bot has one at a time.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::params::Params;
use super::reply::{Outcome, Refusal};
use super::world::{Bot, PollEnd, Shared};
use crate::update::Known;

const WEBHOOK_ACTIVE: &str = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
const OTHER_POLL: &str =
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
const WEBHOOK_SET: &str = "Conflict: terminated by setWebhook request";

/// Updates that one answer holds at most, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Conflicts that follow each other faster than this are answered this late.
const CONFLICT_PAUSE: Duration = Duration::from_secs(3);
/// The same offset within this time is a loop that spins: it is made to wait as long.
const SPIN: Duration = Duration::from_secs(3);
/// The same offset within this time gets one update.
const FAST_SPIN: Duration = Duration::from_millis(500);
/// An offset further than this past the newest update is ignored.
const MAX_AHEAD: i64 = 10;

/// Waits for updates and gives them as an array.
pub(crate) async fn get_updates(shared: &Arc<Shared>, bot: i64, params: &Params) -> Outcome {
    let offset = params.int("offset").unwrap_or(0);
    let mut limit = usize::try_from(params.int("limit").unwrap_or(100).clamp(1, 100)).unwrap_or(100);
    let mut timeout = Duration::from_secs(params.int("timeout").unwrap_or(0).clamp(0, 50).unsigned_abs());
    let allowed = params.typed::<Vec<String>>("allowed_updates")?;

    let begun = {
        let mut world = shared.world();
        let state = world
            .bots
            .get_mut(&bot)
            .ok_or_else(|| Refusal::new(401, "Unauthorized"))?;
        if state.webhook.is_some() {
            None
        } else {
            if let Some(names) = &allowed {
                state.allowed = Known::recognised(names);
            }
            let now = shared.clock.now();
            if let Some((last, at)) = state.poll.last.replace((offset, now))
                && last == offset
            {
                if timeout < SPIN && now < at + SPIN {
                    timeout = SPIN;
                }
                if now < at + FAST_SPIN {
                    limit = 1;
                }
            }
            state.poll.newest += 1;
            state.wake.notify_waiters();
            confirm(state, offset);
            Some((state.poll.newest, Arc::clone(&state.wake)))
        }
    };
    let Some((number, wake)) = begun else {
        return conflict(shared, bot, WEBHOOK_ACTIVE).await;
    };

    let until = Instant::now() + timeout;
    loop {
        let notified = wake.notified();
        tokio::pin!(notified);
        // From here on a wake-up counts, also one that comes before the wait below.
        notified.as_mut().enable();
        let end = {
            let mut world = shared.world();
            let state = world
                .bots
                .get_mut(&bot)
                .ok_or_else(|| Refusal::new(401, "Unauthorized"))?;
            let end = state.poll.end_of(number);
            if end.is_none() {
                state.queue.expire(shared.clock.now());
                let updates = take(state, offset, limit);
                if !updates.is_empty() || Instant::now() >= until {
                    return Ok(Value::Array(updates));
                }
            }
            end
        };
        match end {
            Some(PollEnd::OtherPoll) => return conflict(shared, bot, OTHER_POLL).await,
            Some(PollEnd::Webhook) => return conflict(shared, bot, WEBHOOK_SET).await,
            None => {}
        }
        tokio::select! {
            () = notified => {}
            () = tokio::time::sleep_until(until) => {}
            () = shared.shutdown.cancelled() => return Ok(Value::Array(Vec::new())),
        }
    }
}

/// Forgets what the offset confirms.
fn confirm(bot: &mut Bot, offset: i64) {
    let pending = &mut bot.queue.pending;
    let Some(newest) = pending.last_key_value().map(|(id, _)| *id) else {
        return;
    };
    let first = if offset < 0 {
        let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
        pending.keys().rev().take(keep).last().copied().unwrap_or(0)
    } else if offset > newest + MAX_AHEAD {
        return;
    } else {
        offset
    };
    *pending = pending.split_off(&first);
}

fn take(bot: &Bot, offset: i64, limit: usize) -> Vec<Value> {
    let newest = bot.queue.pending.last_key_value().map_or(0, |(id, _)| *id);
    let from = if offset > newest + MAX_AHEAD {
        0
    } else {
        offset.max(0)
    };
    let mut bytes = 0;
    bot.queue
        .pending
        .range(from..)
        .take(limit)
        .take_while(|(_, update)| {
            let fits = bytes == 0 || bytes + update.json.len() <= MAX_BYTES;
            bytes += update.json.len();
            fits
        })
        .filter_map(|(_, update)| serde_json::from_slice(&update.json).ok())
        .collect()
}

/// The refusal; late where the bot runs into it again and again.
async fn conflict(shared: &Shared, bot: i64, words: &str) -> Outcome {
    let now = shared.clock.now();
    let repeated = {
        let mut world = shared.world();
        let last = world
            .bots
            .get_mut(&bot)
            .and_then(|bot| bot.poll.conflict_at.replace(now));
        last.is_some_and(|at| now < at + CONFLICT_PAUSE)
    };
    if repeated {
        tokio::time::sleep(shared.clock.real(CONFLICT_PAUSE)).await;
    }
    Err(Refusal::new(409, words))
}
