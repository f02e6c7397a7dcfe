//! The documents of all chats of a bot, in pieces.

use botloom_core::ports::{ChatState, Page, PageRequest, StoreResult};
use botloom_core::{BotId, ChatId, TimestampMs};

use super::{Model, Records};

/// Most items of one page.
const PAGE: u32 = 200;
/// How a cursor begins; the chat follows.
const CURSOR: &str = "chat ";

impl<R: Records> Model<R> {
    pub(crate) fn chat_states(
        &mut self,
        bot: &BotId,
        page: &PageRequest,
        now: TimestampMs,
    ) -> StoreResult<Page<ChatState>> {
        let mut after = None;
        if let Some(cursor) = &page.cursor {
            let chat = cursor.strip_prefix(CURSOR);
            let Some(chat) = chat.and_then(|chat| ChatId::new(chat).ok()) else {
                return Ok(Page {
                    items: Vec::new(),
                    next_cursor: None,
                });
            };
            after = Some(chat);
        }
        let limit = page.limit.clamp(1, PAGE) as usize;
        let mut items = self.records.states(bot, after.as_ref(), now, limit + 1)?;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last.map(|last| format!("{CURSOR}{}", last.chat));
        Ok(Page { items, next_cursor })
    }
}
