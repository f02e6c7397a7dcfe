//! Port: the documents of all chats of a bot.

use std::fmt::Debug;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Page, PageRequest, StoreResult};
use crate::ids::{BotId, ChatId};

/// What a bot knows of a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatState {
    /// The chat.
    pub chat: ChatId,
    /// Its document, JSON text.
    pub document: Bytes,
}

/// Documents of chats, all of a bot. Part of [`Lanes`](super::Lanes).
#[async_trait]
pub trait ChatStates: Debug + Send + Sync {
    /// Documents of a bot that have not expired, in pieces. A document that is there from the first piece to the last is
    /// listed, in some backends more than once; the order is the backend's own, and a piece holds about as many as were asked
    /// for, none maybe. Each is as it was when its piece was read. With a cluster of Redis this holds as long as no slot moves
    /// between servers.
    async fn chat_states(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<ChatState>>;
}
