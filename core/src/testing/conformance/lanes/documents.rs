//! The documents of all chats of a bot.

use std::collections::BTreeMap;

use super::kit::{LaneKit, answer, bot, put_document};
use crate::ids::{BotId, ChatId, Lane};
use crate::ports::{PageRequest, StateChange, StoreResult};
use crate::testing::conformance::CaseResult;

async fn commit(kit: &LaneKit, lane: &Lane, update: i64, state: StateChange) -> StoreResult<()> {
    let turn = kit.grant(lane, update).await?;
    let mut commit = answer(&turn);
    commit.state = state;
    kit.committed(commit).await.map(drop)
}

/// All documents of a bot; what is listed twice must be the same.
async fn listed(kit: &LaneKit, bot: &BotId, limit: u32) -> StoreResult<BTreeMap<ChatId, String>> {
    let mut found = BTreeMap::new();
    let mut cursor = None;
    loop {
        let page = kit.lanes.chat_states(bot, &PageRequest { cursor, limit }).await?;
        assert!(page.items.len() <= 2 * limit as usize + 16, "a piece is bounded");
        for item in page.items {
            let text = String::from_utf8(item.document.to_vec()).expect("documents are JSON text");
            let before = found.insert(item.chat, text.clone());
            assert!(before.is_none_or(|before| before == text));
        }
        match page.next_cursor {
            None => return Ok(found),
            next => cursor = next,
        }
    }
}

pub(super) async fn documents_of_a_bot_are_listed_in_pieces(kit: LaneKit) -> CaseResult {
    let (pizza, sushi) = (bot("pizza"), bot("pizza-2"));
    let lane = |bot: &BotId, chat: ChatId| Lane {
        bot: bot.clone(),
        chat,
    };
    let mut expected = BTreeMap::new();
    let odd = ["u:7", "{tag}", "a:b:c", "%7B"].map(|chat| ChatId::new(chat).expect("a chat id"));
    let chats = (1..=23).map(ChatId::from).chain(odd);
    for (update, chat) in (1..).zip(chats) {
        commit(
            &kit,
            &lane(&pizza, chat.clone()),
            update,
            put_document("{\"n\":1}", None),
        )
        .await?;
        commit(
            &kit,
            &lane(&sushi, chat.clone()),
            update,
            put_document("{\"n\":2}", None),
        )
        .await?;
        expected.insert(chat, "{\"n\":1}".to_owned());
    }
    for (update, change) in [
        (100, put_document("{\"n\":3}", Some(1_000))),
        (101, StateChange::Keep { ttl_ms: None }),
    ] {
        commit(&kit, &lane(&pizza, ChatId::from(500)), update, change).await?;
    }
    commit(
        &kit,
        &lane(&pizza, ChatId::from(501)),
        102,
        put_document("{}", None),
    )
    .await?;
    commit(&kit, &lane(&pizza, ChatId::from(501)), 103, StateChange::Delete).await?;

    let with_it = listed(&kit, &pizza, 50).await?;
    assert_eq!(
        with_it.get(&ChatId::from(500)).map(String::as_str),
        Some("{\"n\":3}")
    );
    kit.clock.advance(1_000);
    for limit in [1, 2, 7, 27, 200] {
        assert_eq!(listed(&kit, &pizza, limit).await?, expected, "limit {limit}");
    }
    assert_eq!(listed(&kit, &bot("nobody"), 50).await?, BTreeMap::new());
    for cursor in ["", "5", "x.y", "chat", "'; --"] {
        let page = PageRequest {
            cursor: Some(cursor.to_owned()),
            limit: 10,
        };
        let page = kit.lanes.chat_states(&pizza, &page).await?;
        assert_eq!((page.items, page.next_cursor), (Vec::new(), None), "{cursor:?}");
    }
    kit.lanes.purge(&pizza).await?;
    assert_eq!(listed(&kit, &pizza, 50).await?, BTreeMap::new());
    assert_eq!(listed(&kit, &sushi, 50).await?.len(), expected.len());
    Ok(())
}
