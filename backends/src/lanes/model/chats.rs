//! Lanes and outboxes as people see them, and what people may do about one that is stuck.

use std::collections::BTreeSet;
use std::ops::Bound;

use botloom_core::ports::{
    ChatPlace, ChatView, DeadLetterReason, FirstMessage, Freed, Page, PageRequest, Remedy, Standing,
    StoreResult,
};
use botloom_core::{BotId, ChatId, Lane, TimestampMs};

use super::{InLane, Letter, Model, OutLane, Payload, Place, Records};
use crate::lanes::BY_HAND;

/// Most items of one page.
const PAGE: u32 = 200;
/// Chats of each direction that one call looks at.
const LOOKED_AT: usize = 2_000;

impl<R: Records> Model<R> {
    pub(crate) fn chats(
        &mut self,
        bot: &BotId,
        place: Option<ChatPlace>,
        page: &PageRequest,
    ) -> StoreResult<Page<ChatView>> {
        let nothing = Page {
            items: Vec::new(),
            next_cursor: None,
        };
        let after = match page.cursor.as_deref().map(ChatId::new) {
            Some(Err(_)) => return Ok(nothing),
            after => after.and_then(Result::ok),
        };
        let (waiting, mut more) = self.waiting(bot, after);
        let limit = page.limit.clamp(1, PAGE) as usize;
        let (mut items, mut last) = (Vec::new(), None);
        for chat in waiting {
            if items.len() == limit {
                more = true;
                break;
            }
            let lane = Lane {
                bot: bot.clone(),
                chat: chat.clone(),
            };
            let mut view = self.standings(&lane);
            if place.is_none_or(|place| view.places().any(|found| found == place)) {
                view.first_message = self.first_message(&lane)?;
                items.push(view);
            }
            last = Some(chat);
        }
        Ok(Page {
            items,
            next_cursor: last.filter(|_| more).map(|chat| chat.to_string()),
        })
    }

    /// The next chats in which something waits, in their order, and whether there are more.
    fn waiting(&self, bot: &BotId, after: Option<ChatId>) -> (Vec<ChatId>, bool) {
        let from = match after {
            // No chat sorts before "!": names are made of visible characters.
            None => ChatId::new("!").map_or(Bound::Unbounded, |chat| Bound::Included(lane_of(bot, chat))),
            Some(chat) => Bound::Excluded(lane_of(bot, chat)),
        };
        let range = (from, Bound::Unbounded);
        let inbound: Vec<&Lane> = self
            .lanes
            .range(range.clone())
            .map(|(lane, _)| lane)
            .take_while(|lane| lane.bot == *bot)
            .take(LOOKED_AT)
            .collect();
        let outbound: Vec<&Lane> = self
            .outboxes
            .range(range)
            .map(|(lane, _)| lane)
            .take_while(|lane| lane.bot == *bot)
            .take(LOOKED_AT)
            .collect();
        // Behind the end of a list that was cut nothing is known.
        let ends = [&inbound, &outbound]
            .into_iter()
            .filter(|lanes| lanes.len() == LOOKED_AT);
        let horizon = ends.filter_map(|lanes| lanes.last().copied()).min();
        let known: BTreeSet<&Lane> = inbound
            .iter()
            .chain(&outbound)
            .copied()
            .filter(|lane| horizon.is_none_or(|horizon| *lane <= horizon))
            .collect();
        let chats = known.into_iter().map(|lane| lane.chat.clone()).collect();
        (chats, horizon.is_some())
    }

    pub(crate) fn chat(&mut self, lane: &Lane) -> StoreResult<ChatView> {
        let mut view = self.standings(lane);
        view.first_message = self.first_message(lane)?;
        Ok(view)
    }

    /// All but the first message, which has to be read.
    fn standings(&self, lane: &Lane) -> ChatView {
        let inbound = self.lanes.get(lane);
        let mut view = ChatView {
            chat: lane.chat.clone(),
            updates: inbound.map_or(0, |entry| entry.updates) as u64,
            oldest_update: inbound.map(|entry| entry.oldest),
            attempts: inbound.map_or(0, |entry| entry.attempts),
            inbound: inbound.map(|entry| self.standing(&lane.bot, entry.place)),
            messages: 0,
            first_message: None,
            outbound: None,
        };
        if let Some(entry) = self.outboxes.get(lane) {
            view.messages = entry.messages as u64;
            view.outbound = Some(self.standing(&lane.bot, entry.place));
        }
        view
    }

    fn standing(&self, bot: &BotId, place: Place) -> Standing {
        match place {
            Place::Ready { .. } => Standing::Ready,
            Place::Leased { deadline, .. } => Standing::Leased { until: deadline },
            Place::Delayed { due, .. } => Standing::Delayed { until: due },
            Place::Parked => Standing::Parked {
                until: self.parks.get(bot).copied().unwrap_or(TimestampMs(0)),
            },
        }
    }

    fn first_message(&mut self, lane: &Lane) -> StoreResult<Option<FirstMessage>> {
        let Some(outbox) = self.outboxes.get(lane) else {
            return Ok(None);
        };
        let queued = match outbox.granted.first() {
            Some(first) => Some(first.queued.clone()),
            None => self
                .records
                .messages(lane, 1)?
                .into_iter()
                .next()
                .map(|first| first.queued),
        };
        Ok(queued.map(|queued| FirstMessage {
            method: queued.message.method,
            attempts: queued.attempts,
        }))
    }

    pub(crate) fn free_updates(
        &mut self,
        lane: &Lane,
        remedy: Remedy,
        now: TimestampMs,
    ) -> StoreResult<Freed> {
        let Some(mut entry) = self.lanes.get(lane).cloned() else {
            return Ok(Freed::Empty);
        };
        if matches!(entry.place, Place::Leased { .. }) {
            return Ok(Freed::Busy);
        }
        let delayed = matches!(entry.place, Place::Delayed { .. });
        match remedy {
            _ if entry.attempts == 0 => Ok(Freed::NotBlocked),
            Remedy::Retry if !delayed => Ok(Freed::NotBlocked),
            Remedy::Retry => {
                self.make_ready(lane, entry);
                Ok(Freed::Retried)
            }
            Remedy::SetAside => {
                let letter = self.first_update(lane, &mut entry, now)?;
                let id = self.add_letter(&letter)?;
                self.pop(lane, &mut entry, 1)?;
                if entry.updates == 0 {
                    self.set_lane(lane, None);
                } else {
                    self.make_ready(lane, entry);
                }
                Ok(Freed::SetAside(id))
            }
        }
    }

    /// The first update as a dead letter.
    fn first_update(&mut self, lane: &Lane, entry: &mut InLane, now: TimestampMs) -> StoreResult<Letter> {
        self.fill(lane, entry, 1)?;
        let body = entry.head.front().map(|first| first.update.envelope.clone());
        Ok(Letter {
            bot: lane.bot.clone(),
            chat: Some(lane.chat.clone()),
            reason: DeadLetterReason::ByHand.as_str().to_owned(),
            detail: BY_HAND.to_owned(),
            at: now,
            attempts: entry.attempts,
            payload: Payload::Update(body.unwrap_or_default()),
        })
    }

    pub(crate) fn free_messages(
        &mut self,
        lane: &Lane,
        remedy: Remedy,
        now: TimestampMs,
    ) -> StoreResult<Freed> {
        let Some(mut entry) = self.outboxes.get(lane).cloned() else {
            return Ok(Freed::Empty);
        };
        let due = match self.standing(&lane.bot, entry.place) {
            Standing::Leased { .. } => return Ok(Freed::Busy),
            Standing::Parked { until } => return Ok(Freed::NotBefore(until)),
            Standing::Delayed { until } => Some(until),
            Standing::Ready => None,
        };
        if let Some(delay) = entry.delay
            && delay.flood_wait
            && due.is_some()
            && delay.until > now
        {
            return Ok(Freed::NotBefore(delay.until));
        }
        let failed = self.first_message(lane)?.is_some_and(|first| first.attempts > 0);
        match (remedy, due) {
            (_, None) if !failed => Ok(Freed::NotBlocked),
            (_, Some(until)) if !failed => Ok(Freed::NotBefore(until)),
            (Remedy::Retry, None) => Ok(Freed::NotBlocked),
            (Remedy::Retry, Some(_)) => {
                self.end_delay(lane, &mut entry)?;
                self.make_out_ready(lane, entry);
                Ok(Freed::Retried)
            }
            (Remedy::SetAside, _) => {
                let mut ids = Vec::new();
                for first in self.front(lane, &mut entry, 1)? {
                    let reason = DeadLetterReason::ByHand.as_str();
                    ids.push(self.bury(lane, &first, reason, BY_HAND, now)?);
                    entry.messages -= 1;
                }
                self.end_delay(lane, &mut entry)?;
                if entry.messages == 0 {
                    self.set_outbox(lane, None);
                } else {
                    self.make_out_ready(lane, entry);
                }
                Ok(ids.pop().map_or(Freed::Empty, Freed::SetAside))
            }
        }
    }

    pub(super) fn end_delay(&mut self, lane: &Lane, entry: &mut OutLane) -> StoreResult<()> {
        if entry.delay.take().is_some() {
            self.records.set_out_delay(lane, None)?;
        }
        Ok(())
    }

    pub(crate) fn forget_state(&mut self, lane: &Lane) -> StoreResult<bool> {
        self.records.delete_state(lane)?;
        let running = self.lanes.get(lane).cloned();
        let running = running.filter(|entry| matches!(entry.place, Place::Leased { .. }));
        Ok(match running {
            Some(entry) => {
                self.make_ready(lane, entry);
                true
            }
            None => false,
        })
    }
}

fn lane_of(bot: &BotId, chat: ChatId) -> Lane {
    Lane {
        bot: bot.clone(),
        chat,
    }
}
