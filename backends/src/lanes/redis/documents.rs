//! The documents of all chats of a bot, in pieces: a walk over the keys of every server, because no list of them is kept.

use async_trait::async_trait;
use botloom_core::ports::{ChatState, ChatStates, Page, PageRequest, StoreResult};
use botloom_core::{BotId, ChatId};
use futures_util::future::try_join_all;
use redis::cmd;

use super::{RedisLanes, codec};

/// Most items of one page; a step of the walk looks at about as many keys.
const PAGE: u32 = 200;
/// Steps of one call: a bot with few chats in a large store has pieces with nothing in them.
const SCANS: u32 = 100;
/// The walk's beginning and end on one server.
const EDGE: &str = "0";

/// Where a walk goes on: the server's number, and the server's own cursor.
struct Position {
    server: usize,
    cursor: String,
}

impl Position {
    fn of(page: &PageRequest) -> Option<Self> {
        let Some(text) = &page.cursor else {
            return Some(Self {
                server: 0,
                cursor: EDGE.to_owned(),
            });
        };
        let (server, cursor) = text.split_once('.')?;
        cursor.parse::<u64>().ok()?;
        Some(Self {
            server: server.parse().ok()?,
            cursor: cursor.to_owned(),
        })
    }
}

#[async_trait]
impl ChatStates for RedisLanes {
    async fn chat_states(&self, bot: &BotId, page: &PageRequest) -> StoreResult<Page<ChatState>> {
        let limit = page.limit.clamp(1, PAGE) as usize;
        let prefix = format!("state:bot:{bot}:chat:");
        let (mut keys, mut scans) = (Vec::new(), 0);
        let mut position = Position::of(page);
        let servers = self.link.primaries().await?;
        while let Some(at) = &mut position {
            let Some(server) = servers.get(at.server) else {
                position = None;
                break;
            };
            let mut scan = cmd("SCAN");
            scan.arg(&at.cursor).arg("MATCH").arg(format!("{prefix}*"));
            scan.arg("COUNT").arg(limit);
            let (next, found): (String, Vec<Vec<u8>>) = self.link.run_on(server, &scan).await?;
            // Keys that are no text are not ours.
            keys.extend(found.into_iter().filter_map(|key| String::from_utf8(key).ok()));
            if next == EDGE {
                at.server += 1;
            }
            at.cursor = next;
            scans += 1;
            if keys.len() >= limit || scans == SCANS {
                break;
            }
        }
        keys.sort_unstable();
        keys.dedup();
        let prefix = prefix.as_str();
        let reads = keys.iter().map(|key| async move {
            let stored = self.link.run(cmd("GET").arg(key)).await?;
            let document = codec::document_of(stored, self.test_now())?;
            let name = self.link.names().logical(key);
            let chat = name.strip_prefix(prefix).and_then(|chat| ChatId::new(chat).ok());
            StoreResult::Ok(chat.zip(document))
        });
        let items = try_join_all(reads).await?.into_iter().flatten();
        Ok(Page {
            items: items
                .map(|(chat, document)| ChatState { chat, document })
                .collect(),
            next_cursor: position.map(|at| format!("{}.{}", at.server, at.cursor)),
        })
    }
}
