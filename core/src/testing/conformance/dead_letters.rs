//! Port `DeadLetters`: kept, listed, put back, thrown away.

use bytes::Bytes;

use super::cases::{CaseResult, cases};
use super::lanes::{LIMITS, LaneKit, answer, bot, lane, message};
use crate::ids::Lane;
use crate::ports::{
    AckOut, AfterAck, DedupKey, Direction, IngestOutcome, LetterCount, LetterOrder, LetterQuery,
    NewDeadLetter, OutMessage, PageRequest, StoreResult,
};

cases!(($) dead_letters_tests, dead_letters, LaneKit, [
    what_was_set_aside_is_found_again,
    the_newest_come_first_page_by_page,
    letters_are_found_by_chat_and_reason_in_either_order,
    a_foreign_cursor_lists_nothing,
    the_oldest_go_beyond_the_cap,
    a_replayed_update_queues_under_an_id_of_its_own,
    a_replayed_update_stands_behind_the_others,
    a_replay_into_a_full_lane_changes_nothing,
    a_replayed_message_is_sent_whatever_the_hour,
    nothing_without_a_chat_is_replayed,
    a_discarded_letter_is_gone,
    letters_belong_to_their_bot,
]);

impl LaneKit {
    fn letter(&self, lane: &Lane, body: &'static str) -> NewDeadLetter {
        NewDeadLetter {
            bot: lane.bot.clone(),
            chat: Some(lane.chat.clone()),
            reason: "overflow".to_owned(),
            detail: "the chat has 500 updates waiting".to_owned(),
            body: Bytes::from_static(body.as_bytes()),
            at: self.now(),
        }
    }

    async fn set_aside(&self, lane: &Lane, body: &'static str) -> StoreResult<String> {
        self.dead.set_aside(self.letter(lane, body)).await
    }

    async fn listed(&self, lane: &Lane, direction: Direction) -> StoreResult<Vec<String>> {
        let page = PageRequest::default();
        let page = self.dead.dead_letters(&lane.bot, direction, &page).await?;
        Ok(page.items.into_iter().map(|letter| letter.id).collect())
    }
}

async fn what_was_set_aside_is_found_again(kit: LaneKit) -> CaseResult {
    let mut letter = kit.letter(&lane(1), "{\"update_id\":1}");
    letter.chat = None;
    letter.body = Bytes::from_static(b"\xff not even text \x00");
    let id = kit.dead.set_aside(letter.clone()).await?;
    let found = kit
        .dead
        .dead_letter(&letter.bot, &id)
        .await?
        .ok_or("it is there")?;
    assert_eq!(
        (found.id, found.direction, found.attempts),
        (id, Direction::In, 0)
    );
    assert_eq!(found.letter, letter);
    for absent in ["", "0", "x", "999999", "-1", "01", "99999999999999999999"] {
        assert_eq!(kit.dead.dead_letter(&letter.bot, absent).await?, None, "{absent}");
    }
    Ok(())
}

async fn the_newest_come_first_page_by_page(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let mut ids = Vec::new();
    for body in ["1", "2", "3"] {
        ids.push(kit.set_aside(&lane, body).await?);
        kit.set_aside(
            &Lane {
                bot: bot("sushi"),
                ..lane.clone()
            },
            body,
        )
        .await?;
    }
    ids.reverse();
    let mut page = PageRequest {
        cursor: None,
        limit: 2,
    };
    let first = kit.dead.dead_letters(&lane.bot, Direction::In, &page).await?;
    page.cursor = first.next_cursor;
    assert!(page.cursor.is_some());
    let second = kit.dead.dead_letters(&lane.bot, Direction::In, &page).await?;
    assert_eq!(
        (first.items.len(), second.items.len(), second.next_cursor),
        (2, 1, None)
    );
    let listed = first
        .items
        .into_iter()
        .chain(second.items)
        .map(|letter| letter.id);
    assert_eq!(listed.collect::<Vec<_>>(), ids);
    page = PageRequest {
        cursor: None,
        limit: 3,
    };
    let all = kit.dead.dead_letters(&lane.bot, Direction::In, &page).await?;
    assert_eq!(
        (all.items.len(), all.next_cursor),
        (3, None),
        "nothing follows a full last page"
    );
    assert_eq!(kit.listed(&lane, Direction::Out).await?, Vec::<String>::new());
    Ok(())
}

async fn letters_are_found_by_chat_and_reason_in_either_order(kit: LaneKit) -> CaseResult {
    let mut ids = Vec::new();
    for (chat, reason) in [(1, "overflow"), (2, "overflow"), (1, "expired")] {
        let mut letter = kit.letter(&lane(chat), "{}");
        letter.reason = reason.to_owned();
        ids.push(kit.dead.set_aside(letter).await?);
    }
    let meant = |chat: Option<i64>, reason: Option<&str>, order| LetterQuery {
        direction: Direction::In,
        chat: chat.map(Into::into),
        reason: reason.map(str::to_owned),
        order,
    };
    let of = |wanted: &[usize]| wanted.iter().map(|at| ids[*at].clone()).collect::<Vec<_>>();
    let (new, old) = (LetterOrder::NewestFirst, LetterOrder::OldestFirst);
    for (query, expected) in [
        (meant(None, None, new), of(&[2, 1, 0])),
        (meant(None, None, old), of(&[0, 1, 2])),
        (meant(Some(1), None, new), of(&[2, 0])),
        (meant(Some(1), None, old), of(&[0, 2])),
        (meant(None, Some("overflow"), old), of(&[0, 1])),
        (meant(Some(2), Some("overflow"), new), of(&[1])),
        (meant(Some(2), Some("expired"), new), of(&[])),
    ] {
        let bot = bot("pizza");
        let mut page = PageRequest {
            cursor: None,
            limit: 1,
        };
        let mut found = Vec::new();
        loop {
            let part = kit.dead.letters(&bot, &query, &page).await?;
            found.extend(part.items.into_iter().map(|letter| letter.id));
            page.cursor = part.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{query:?}");
        assert_eq!(
            kit.dead.count(&bot, &query).await?,
            LetterCount::exactly(expected.len() as u64),
            "{query:?}"
        );
        let elsewhere = LetterQuery {
            direction: Direction::Out,
            ..query
        };
        assert_eq!(kit.dead.count(&bot, &elsewhere).await?, LetterCount::exactly(0));
    }
    Ok(())
}

async fn a_foreign_cursor_lists_nothing(kit: LaneKit) -> CaseResult {
    kit.set_aside(&lane(1), "1").await?;
    let page = PageRequest {
        cursor: Some("elsewhere".to_owned()),
        limit: 10,
    };
    let page = kit.dead.dead_letters(&lane(1).bot, Direction::In, &page).await?;
    assert_eq!((page.items, page.next_cursor), (Vec::new(), None));
    Ok(())
}

async fn the_oldest_go_beyond_the_cap(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let mut ids = Vec::new();
    for body in ["1", "2", "3", "4", "5"] {
        ids.push(kit.set_aside(&lane, body).await?);
    }
    let newest: Vec<_> = ids.iter().rev().take(LIMITS.dead_letter_cap).cloned().collect();
    assert_eq!(kit.listed(&lane, Direction::In).await?, newest);
    assert_eq!(kit.dead.dead_letter(&lane.bot, &ids[0]).await?, None);
    kit.dead.discard(&lane.bot, &newest[0]).await?;
    ids.push(kit.set_aside(&lane, "6").await?);
    let expected = [5, 3, 2].map(|at: usize| ids[at].clone());
    assert_eq!(kit.listed(&lane, Direction::In).await?, expected);
    Ok(())
}

async fn a_replayed_update_queues_under_an_id_of_its_own(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    kit.committed(answer(&turn)).await?;
    let id = kit.set_aside(&lane, "{\"update_id\":1}").await?;
    kit.clock.advance(1_000);
    assert!(kit.dead.replay(&lane.bot, &id).await?);
    assert!(!kit.dead.replay(&lane.bot, &id).await?);
    assert_eq!(kit.listed(&lane, Direction::In).await?, Vec::<String>::new());
    let turn = kit.claim_one().await?;
    let update = &turn.updates[0];
    assert_eq!(update.dedup, DedupKey::Synthetic(format!("replay:{id}").into()));
    assert_eq!(update.envelope.as_ref(), b"{\"update_id\":1}");
    assert_eq!(update.accepted_at, kit.now());
    assert_eq!(kit.put(&lane, 1).await?, IngestOutcome::Duplicate);
    Ok(())
}

async fn a_replayed_update_stands_behind_the_others(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let held = kit.grant(&lane, 1).await?;
    let id = kit.set_aside(&lane, "{}").await?;
    assert!(kit.dead.replay(&lane.bot, &id).await?);
    kit.claim_none().await?;
    kit.committed(answer(&held)).await?;
    let turn = kit.claim_one().await?;
    assert_eq!(turn.updates.len(), 1);
    assert_eq!(turn.updates[0].envelope.as_ref(), b"{}");
    Ok(())
}

async fn a_replay_into_a_full_lane_changes_nothing(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    for id in 0..6 {
        kit.put(&lane, id).await?;
    }
    let id = kit.set_aside(&lane, "{}").await?;
    assert!(kit.dead.replay(&lane.bot, &id).await.is_err());
    assert_eq!(kit.lanes.stats().await?.updates, 6);
    assert_eq!(kit.listed(&lane, Direction::In).await?, [id]);
    Ok(())
}

async fn a_replayed_message_is_sent_whatever_the_hour(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let late = OutMessage {
        not_after: Some(kit.now().plus(1_000)),
        ..message("late")
    };
    kit.send(&lane, 1, vec![late]).await?;
    let turn = kit.outbox.claim_out(1).await?.0.remove(0);
    let ack = AckOut {
        lease: turn.lease,
        sent: 0,
        dead: Some(("expired".to_owned(), "nobody waits for it".to_owned())),
        dead_all: false,
        after: AfterAck::Release,
    };
    kit.outbox.ack_out(vec![ack]).await?;
    let [id] = &kit.listed(&lane, Direction::Out).await?[..] else {
        panic!("one message was set aside");
    };
    assert!(kit.dead.replay(&lane.bot, id).await?);
    let turn = kit.outbox.claim_out(1).await?.0.remove(0);
    assert_eq!(turn.messages.len(), 1);
    assert_eq!(
        turn.messages[0].message,
        message("late"),
        "as it was, without its end"
    );
    assert_eq!(kit.listed(&lane, Direction::Out).await?, Vec::<String>::new());
    Ok(())
}

async fn nothing_without_a_chat_is_replayed(kit: LaneKit) -> CaseResult {
    let mut letter = kit.letter(&lane(1), "{}");
    letter.chat = None;
    let id = kit.dead.set_aside(letter).await?;
    assert!(!kit.dead.replay(&lane(1).bot, &id).await?);
    assert_eq!(kit.listed(&lane(1), Direction::In).await?, [id]);
    Ok(())
}

async fn a_discarded_letter_is_gone(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let id = kit.set_aside(&lane, "{}").await?;
    assert!(kit.dead.discard(&lane.bot, &id).await?);
    assert!(!kit.dead.discard(&lane.bot, &id).await?);
    assert!(!kit.dead.replay(&lane.bot, &id).await?);
    assert_eq!(kit.listed(&lane, Direction::In).await?, Vec::<String>::new());
    let next = kit.set_aside(&lane, "{}").await?;
    assert_ne!(next, id, "ids are not used again");
    Ok(())
}

async fn letters_belong_to_their_bot(kit: LaneKit) -> CaseResult {
    let id = kit.set_aside(&lane(1), "{}").await?;
    let other = bot("sushi");
    assert_eq!(kit.dead.dead_letter(&other, &id).await?, None);
    assert!(!kit.dead.replay(&other, &id).await?);
    assert!(!kit.dead.discard(&other, &id).await?);
    assert_eq!(kit.listed(&lane(1), Direction::In).await?, [id]);
    Ok(())
}
