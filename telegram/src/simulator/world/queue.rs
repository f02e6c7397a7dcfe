//! A bot's updates that nobody has taken yet.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Query, Shared, World};
use crate::simulator::lanes::LaneKey;
use crate::update::{Kind, Known, QueueId, Routed};

/// Updates kept for a bot; beyond them new ones are lost, as at Telegram.
const MAX_PENDING: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Queue {
    next_id: i64,
    pub(crate) pending: BTreeMap<i64, Pending>,
}

#[derive(Debug, Clone)]
pub(crate) struct Pending {
    pub(crate) json: Bytes,
    pub(crate) lane: LaneKey,
    /// In simulated time.
    pub(crate) expires: Duration,
}

impl Queue {
    pub(super) fn new(next_id: i64) -> Self {
        Self {
            next_id,
            pending: BTreeMap::new(),
        }
    }

    /// Forgets what nobody took in time.
    pub(crate) fn expire(&mut self, now: Duration) {
        self.pending.retain(|_, update| update.expires > now);
    }
}

/// An update that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadUpdate {
    /// Its number waits already.
    #[error("an update with this update_id waits already")]
    Taken,
    /// It is none.
    #[error("{0}")]
    Malformed(String),
}

impl World {
    /// Makes an update of a payload, unless the bot does not want its kind. Gives its number.
    pub(crate) fn push(&mut self, shared: &Shared, bot: i64, kind: &str, payload: Value) -> Option<i64> {
        let mut update = Map::new();
        update.insert(kind.to_owned(), payload);
        self.push_update(shared, bot, update).ok().flatten()
    }

    /// Adds a whole update, numbered where it has no `update_id`. `None`: the bot does not want its kind.
    pub(crate) fn push_update(
        &mut self,
        shared: &Shared,
        bot: i64,
        mut update: Map<String, Value>,
    ) -> Result<Option<i64>, BadUpdate> {
        let now = shared.clock.now();
        let Some(bot) = self.bots.get_mut(&bot) else {
            return Ok(None);
        };
        let id = match update.shift_remove("update_id") {
            Some(id) => id
                .as_i64()
                .ok_or_else(|| BadUpdate::Malformed("update_id is no number".into()))?,
            None => bot.queue.next_id,
        };
        if bot.queue.pending.contains_key(&id) {
            return Err(BadUpdate::Taken);
        }
        // Telegram writes the number first.
        update.shift_insert(0, "update_id".to_owned(), id.into());
        let json = serde_json::to_string(&update).map_err(|e| BadUpdate::Malformed(e.to_string()))?;
        let routed = Routed::parse(&json).map_err(|e| BadUpdate::Malformed(e.to_string()))?;
        let wanted = match (&bot.allowed, &routed.kind) {
            (Some(allowed), kind) => allowed.iter().any(|name| name == kind.as_str()),
            (None, Kind::Known(known)) => known.is_default(),
            (None, Kind::Unknown(_)) => true,
        };
        if !wanted {
            return Ok(None);
        }
        bot.queue.next_id = bot.queue.next_id.max(id + 1);
        if bot.queue.pending.len() >= MAX_PENDING {
            return Ok(None);
        }
        if let Some((method, answer_within)) = question(&routed.kind) {
            let id = update
                .get(routed.kind.as_str())
                .and_then(|payload| payload.get("id"));
            if let Some(id) = id.and_then(Value::as_str) {
                bot.queries.retain(|_, query| query.expires > now);
                bot.queries.insert(
                    id.to_owned(),
                    Query {
                        method,
                        expires: now + answer_within,
                    },
                );
            }
        }
        let lane = lane_of(&routed);
        let expires = now + routed.kind.ttl();
        let pending = Pending {
            json: json.into(),
            lane,
            expires,
        };
        bot.queue.pending.insert(id, pending);
        if let Some(webhook) = &mut bot.webhook {
            webhook.lanes.push(lane, id);
        }
        bot.wake.notify_waiters();
        bot.wake.notify_one();
        self.journal.count_update();
        Ok(Some(id))
    }
}

/// The method that answers such an update, and the time there is for it.
fn question(kind: &Kind<'_>) -> Option<(&'static str, Duration)> {
    let Kind::Known(known) = kind else { return None };
    match known {
        Known::CallbackQuery => Some(("answerCallbackQuery", known.ttl())),
        Known::InlineQuery => Some(("answerInlineQuery", known.ttl())),
        // Says the reference; the update itself lives longer.
        Known::PreCheckoutQuery => Some(("answerPreCheckoutQuery", Duration::from_secs(10))),
        Known::ShippingQuery => Some(("answerShippingQuery", Duration::from_secs(10))),
        _ => None,
    }
}

fn lane_of(routed: &Routed<'_>) -> LaneKey {
    let (name, by) = match &routed.kind {
        Kind::Known(known) => known.queue(),
        Kind::Unknown(_) => ("unknown", QueueId::Chat),
    };
    let chat = routed.chat.as_ref().map(|chat| chat.id);
    let user = routed.from.as_ref().map(|user| user.id);
    let id = match by {
        QueueId::Chat => chat.or(user),
        QueueId::User => user.or(chat),
        // Poll ids are numbers of 64 bits; another text is a queue of its own kind and nothing worse.
        QueueId::Poll => routed
            .poll_id
            .as_ref()
            .and_then(|id| id.parse::<u64>().ok())
            .map(u64::cast_signed),
    };
    (name, id.unwrap_or(0))
}

impl Known {
    /// By name, with the names that Telegram ignores left out.
    pub(crate) fn recognised(names: &[String]) -> Option<Vec<String>> {
        let known: Vec<String> = names
            .iter()
            .map(|n| n.to_ascii_lowercase())
            .filter(|n| Self::from_name(n).is_some())
            .collect();
        if known.is_empty() { None } else { Some(known) }
    }
}
