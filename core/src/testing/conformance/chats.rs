//! Port `Chats`: what people see of a bot's lanes, and what they may do about one that is stuck.

use super::cases::{CaseResult, cases};
use super::lanes::{LaneKit, answer, bot, lane, message, put_document};
use crate::ids::{ChatId, Lane};
use crate::ports::{
    AckOut, AfterAck, ChatPlace, ChatView, CommitOutcome, Direction, FirstMessage, Freed, NextTurn, OutTurn,
    PageRequest, Remedy, Standing, StoreResult,
};
use crate::time::TimestampMs;

cases!(($) chats_tests, chats, LaneKit, [
    a_chat_that_nobody_wrote_in_is_empty,
    a_chat_tells_where_its_updates_stand,
    a_chat_tells_where_its_messages_stand,
    chats_are_listed_by_place,
    many_chats_are_listed_page_by_page,
    a_foreign_cursor_lists_no_chats,
    a_failed_update_is_tried_at_once,
    a_failed_update_is_set_aside_for_the_next,
    what_has_not_failed_is_left_alone,
    nobody_takes_an_update_from_who_works_on_it,
    a_failed_message_is_sent_at_once,
    a_failed_message_is_set_aside_for_the_next,
    a_wait_that_telegram_asked_for_is_kept,
    a_wait_that_telegram_asked_for_binds_what_had_failed_before,
    a_document_is_forgotten,
    a_running_turn_does_not_bring_a_document_back,
]);

impl LaneKit {
    async fn seen(&self, place: Option<ChatPlace>) -> StoreResult<Vec<ChatView>> {
        let mut page = PageRequest::default();
        let mut all = Vec::new();
        loop {
            let mut found = self.chats.chats(&bot("pizza"), place, &page).await?;
            all.append(&mut found.items);
            page.cursor = found.next_cursor;
            if page.cursor.is_none() {
                all.sort_by(|a, b| a.chat.cmp(&b.chat));
                return Ok(all);
            }
        }
    }

    async fn names(&self, place: ChatPlace) -> StoreResult<Vec<ChatId>> {
        let listed = self.seen(Some(place)).await?;
        Ok(listed.into_iter().map(|view| view.chat).collect())
    }

    /// An outbox with two messages, in the hands of a sender.
    async fn sending(&self, lane: &Lane) -> StoreResult<OutTurn> {
        self.send(lane, 100, vec![message("one"), message("two")]).await?;
        let (mut turns, _) = self.outbox.claim_out(1).await?;
        Ok(turns.remove(0))
    }

    async fn delay(&self, turn: &OutTurn, until: TimestampMs, attempt: u32) -> StoreResult<()> {
        self.answer_send(turn, None, AfterAck::Delay { until, attempt })
            .await
    }

    async fn answer_send(
        &self,
        turn: &OutTurn,
        dead: Option<(String, String)>,
        after: AfterAck,
    ) -> StoreResult<()> {
        let ack = AckOut {
            lease: turn.lease.clone(),
            sent: 0,
            dead,
            dead_all: false,
            after,
        };
        self.outbox.ack_out(vec![ack]).await.map(drop)
    }

    async fn first_texts(&self) -> StoreResult<Vec<bytes::Bytes>> {
        let (turns, _) = self.outbox.claim_out(1).await?;
        let messages = turns.into_iter().flat_map(|turn| turn.messages);
        Ok(messages.map(|queued| queued.message.params).collect())
    }
}

fn first(attempts: u32) -> FirstMessage {
    FirstMessage {
        method: "sendMessage".to_owned(),
        attempts,
    }
}

async fn a_chat_that_nobody_wrote_in_is_empty(kit: LaneKit) -> CaseResult {
    let view = kit.chats.chat(&lane(1)).await?;
    let empty = ChatView {
        chat: lane(1).chat,
        updates: 0,
        oldest_update: None,
        attempts: 0,
        inbound: None,
        messages: 0,
        first_message: None,
        outbound: None,
    };
    assert_eq!(view, empty);
    assert_eq!(kit.seen(None).await?, []);
    for remedy in [Remedy::Retry, Remedy::SetAside] {
        assert_eq!(kit.chats.free_updates(&lane(1), remedy).await?, Freed::Empty);
        assert_eq!(kit.chats.free_messages(&lane(1), remedy).await?, Freed::Empty);
    }
    assert!(!kit.chats.forget_state(&lane(1)).await?);
    Ok(())
}

async fn a_chat_tells_where_its_updates_stand(kit: LaneKit) -> CaseResult {
    let (lane, came) = (lane(1), kit.now());
    kit.put(&lane, 1).await?;
    kit.clock.advance(10);
    kit.put(&lane, 2).await?;
    let view = kit.chats.chat(&lane).await?;
    assert_eq!(
        (view.updates, view.oldest_update, view.inbound),
        (2, Some(came), Some(Standing::Ready))
    );
    let turn = kit.claim_one().await?;
    let until = kit.now().plus(super::lanes::LIMITS.lease_ms);
    let view = kit.chats.chat(&lane).await?;
    assert_eq!(
        (view.updates, view.inbound),
        (2, Some(Standing::Leased { until }))
    );
    let until = kit.now().plus(700);
    kit.fail(&turn, until).await?;
    let view = kit.chats.chat(&lane).await?;
    assert_eq!(
        (view.attempts, view.inbound),
        (1, Some(Standing::Delayed { until }))
    );
    Ok(())
}

async fn a_chat_tells_where_its_messages_stand(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.sending(&lane).await?;
    let until = kit.now().plus(super::lanes::LIMITS.out_lease_ms);
    let view = kit.chats.chat(&lane).await?;
    assert_eq!(
        (view.messages, view.first_message, view.outbound),
        (2, Some(first(0)), Some(Standing::Leased { until }))
    );
    let until = kit.now().plus(900);
    kit.delay(&turn, until, 1).await?;
    let view = kit.chats.chat(&lane).await?;
    assert_eq!(
        (view.first_message, view.outbound),
        (Some(first(1)), Some(Standing::Delayed { until }))
    );
    // A parked bot's outbox is parked when its turn comes.
    let until = kit.now().plus(60_000);
    kit.outbox.park(&lane.bot, Some(until)).await?;
    kit.clock.advance(900);
    assert_eq!(kit.first_texts().await?, Vec::<bytes::Bytes>::new());
    let view = kit.chats.chat(&lane).await?;
    assert_eq!(view.outbound, Some(Standing::Parked { until }));
    Ok(())
}

async fn chats_are_listed_by_place(kit: LaneKit) -> CaseResult {
    // Chat 1 runs, 2 tries again later, 3 waits; 4 has only messages; 5 is another bot's.
    kit.put(&lane(1), 1).await?;
    kit.claim_one().await?;
    kit.put(&lane(2), 2).await?;
    let turn = kit.claim_one().await?;
    kit.fail(&turn, kit.now().plus(700)).await?;
    kit.send(&lane(4), 4, vec![message("one")]).await?;
    kit.put(&lane(3), 3).await?;
    let other = Lane {
        bot: bot("pizzeria"),
        chat: 5.into(),
    };
    kit.put(&other, 5).await?;
    let chats = |numbers: &[i64]| numbers.iter().map(|chat| ChatId::from(*chat)).collect::<Vec<_>>();
    assert_eq!(kit.names(ChatPlace::Running).await?, chats(&[1]));
    assert_eq!(kit.names(ChatPlace::Retrying).await?, chats(&[2]));
    assert_eq!(kit.names(ChatPlace::Queued).await?, chats(&[3]));
    assert_eq!(kit.names(ChatPlace::Outgoing).await?, chats(&[4]));
    for nowhere in [ChatPlace::Sending, ChatPlace::Held, ChatPlace::Parked] {
        assert_eq!(kit.names(nowhere).await?, []);
    }
    let all = kit.seen(None).await?;
    let names: Vec<ChatId> = all.iter().map(|view| view.chat.clone()).collect();
    assert_eq!(names, chats(&[1, 2, 3, 4]));
    for view in all {
        let lane = Lane {
            bot: bot("pizza"),
            chat: view.chat.clone(),
        };
        assert_eq!(view, kit.chats.chat(&lane).await?);
    }
    Ok(())
}

async fn many_chats_are_listed_page_by_page(kit: LaneKit) -> CaseResult {
    // More than a server gives at once, of two bots; every third has messages too.
    for chat in 0..300 {
        let lane = lane(chat);
        if chat % 3 == 0 {
            kit.send(&lane, chat * 2, vec![message("one")]).await?;
        }
        kit.put(&lane, chat * 2 + 1).await?;
        let other = Lane {
            bot: bot("sushi"),
            chat: lane.chat,
        };
        kit.put(&other, chat).await?;
    }
    let mut page = PageRequest {
        cursor: None,
        limit: 7,
    };
    let mut told = Vec::new();
    loop {
        let found = kit.chats.chats(&bot("pizza"), None, &page).await?;
        assert!(found.items.len() <= 7);
        told.extend(found.items.into_iter().map(|view| view.chat));
        page.cursor = found.next_cursor;
        if page.cursor.is_none() {
            break;
        }
    }
    told.sort();
    let mut expected: Vec<ChatId> = (0..300).map(ChatId::from).collect();
    expected.sort();
    assert_eq!(told, expected, "each chat is told once");
    assert_eq!(kit.names(ChatPlace::Outgoing).await?.len(), 100);
    Ok(())
}

async fn a_foreign_cursor_lists_no_chats(kit: LaneKit) -> CaseResult {
    kit.put(&lane(1), 1).await?;
    let page = PageRequest {
        cursor: Some("\u{e9} no cursor".to_owned()),
        limit: 10,
    };
    let found = kit.chats.chats(&lane(1).bot, None, &page).await?;
    assert_eq!((found.items, found.next_cursor), (Vec::new(), None));
    Ok(())
}

async fn a_failed_update_is_tried_at_once(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    kit.fail(&turn, kit.now().plus(60_000)).await?;
    kit.claim_none().await?;
    let freed = kit.chats.free_updates(&lane, Remedy::Retry).await?;
    assert_eq!(freed, Freed::Retried);
    let freed = kit.chats.free_updates(&lane, Remedy::Retry).await?;
    assert_eq!(freed, Freed::NotBlocked);
    let turn = kit.claim_one().await?;
    assert_eq!(turn.attempts, 1, "the tries are not forgotten");
    Ok(())
}

async fn a_failed_update_is_set_aside_for_the_next(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    kit.put(&lane, 2).await?;
    kit.fail(&turn, kit.now().plus(60_000)).await?;
    let Freed::SetAside(id) = kit.chats.free_updates(&lane, Remedy::SetAside).await? else {
        panic!("it had failed");
    };
    let letter = kit.dead.dead_letter(&lane.bot, &id).await?.ok_or("it is there")?;
    assert_eq!((letter.direction, letter.attempts), (Direction::In, 1));
    assert_eq!(letter.letter.reason, "by-hand");
    assert_eq!(letter.letter.body.as_ref(), b"{\"update_id\":1}");
    // The next one has not failed.
    let again = kit.chats.free_updates(&lane, Remedy::SetAside).await?;
    assert_eq!(again, Freed::NotBlocked);
    let turn = kit.claim_one().await?;
    assert_eq!((super::lanes::ids(&turn), turn.attempts), (vec![2], 0));
    assert_eq!(kit.lanes.stats().await?.updates, 1);
    Ok(())
}

async fn what_has_not_failed_is_left_alone(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    kit.send(&lane, 1, vec![message("one")]).await?;
    kit.put(&lane, 2).await?;
    for remedy in [Remedy::Retry, Remedy::SetAside] {
        assert_eq!(kit.chats.free_updates(&lane, remedy).await?, Freed::NotBlocked);
        assert_eq!(kit.chats.free_messages(&lane, remedy).await?, Freed::NotBlocked);
    }
    let view = kit.chats.chat(&lane).await?;
    assert_eq!((view.updates, view.messages), (1, 1));
    Ok(())
}

async fn nobody_takes_an_update_from_who_works_on_it(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    kit.fail(&turn, kit.now()).await?;
    let turn = kit.claim_one().await?;
    let sender = Lane {
        chat: 2.into(),
        ..lane.clone()
    };
    kit.sending(&sender).await?;
    for remedy in [Remedy::Retry, Remedy::SetAside] {
        assert_eq!(kit.chats.free_updates(&lane, remedy).await?, Freed::Busy);
        assert_eq!(kit.chats.free_messages(&sender, remedy).await?, Freed::Busy);
    }
    kit.committed(answer(&turn)).await?;
    Ok(())
}

async fn a_failed_message_is_sent_at_once(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.sending(&lane).await?;
    kit.delay(&turn, kit.now().plus(60_000), 1).await?;
    assert_eq!(kit.first_texts().await?.len(), 0);
    let freed = kit.chats.free_messages(&lane, Remedy::Retry).await?;
    assert_eq!(freed, Freed::Retried);
    let freed = kit.chats.free_messages(&lane, Remedy::Retry).await?;
    assert_eq!(freed, Freed::NotBlocked);
    assert_eq!(kit.first_texts().await?.len(), 2);
    Ok(())
}

async fn a_failed_message_is_set_aside_for_the_next(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.sending(&lane).await?;
    kit.delay(&turn, kit.now().plus(60_000), 1).await?;
    let Freed::SetAside(id) = kit.chats.free_messages(&lane, Remedy::SetAside).await? else {
        panic!("it had failed");
    };
    let letter = kit.dead.dead_letter(&lane.bot, &id).await?.ok_or("it is there")?;
    assert_eq!((letter.direction, letter.attempts), (Direction::Out, 1));
    assert_eq!(letter.letter.reason, "by-hand");
    let again = kit.chats.free_messages(&lane, Remedy::SetAside).await?;
    assert_eq!(again, Freed::NotBlocked, "the next one has not failed");
    assert_eq!(kit.first_texts().await?, [message("two").params]);
    assert_eq!(kit.lanes.stats().await?.messages, 1);
    Ok(())
}

async fn a_wait_that_telegram_asked_for_is_kept(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.sending(&lane).await?;
    let until = kit.now().plus(60_000);
    kit.answer_send(&turn, None, AfterAck::FloodWait { until })
        .await?;
    for remedy in [Remedy::Retry, Remedy::SetAside] {
        let freed = kit.chats.free_messages(&lane, remedy).await?;
        assert_eq!(freed, Freed::NotBefore(until));
    }
    assert_eq!(kit.first_texts().await?.len(), 0);
    kit.clock.advance(60_000);
    let later = kit.now().plus(60_000);
    kit.outbox.park(&lane.bot, Some(later)).await?;
    assert_eq!(kit.first_texts().await?.len(), 0);
    for remedy in [Remedy::Retry, Remedy::SetAside] {
        let freed = kit.chats.free_messages(&lane, remedy).await?;
        assert_eq!(freed, Freed::NotBefore(later));
    }
    Ok(())
}

async fn a_wait_that_telegram_asked_for_binds_what_had_failed_before(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.sending(&lane).await?;
    // The first is refused, the second fails; then Telegram asks for a pause.
    let dead = Some(("telegram-400".to_owned(), "no".to_owned()));
    let soon = AfterAck::Delay {
        until: kit.now().plus(1_000),
        attempt: 1,
    };
    kit.answer_send(&turn, dead, soon).await?;
    kit.clock.advance(1_000);
    let (mut turns, _) = kit.outbox.claim_out(1).await?;
    let turn = turns.remove(0);
    assert_eq!(turn.messages[0].attempts, 1);
    let until = kit.now().plus(60_000);
    kit.answer_send(&turn, None, AfterAck::FloodWait { until })
        .await?;
    for remedy in [Remedy::Retry, Remedy::SetAside] {
        let freed = kit.chats.free_messages(&lane, remedy).await?;
        assert_eq!(freed, Freed::NotBefore(until));
    }
    // What comes back, and what is new, waits behind it.
    let page = PageRequest::default();
    let mut letters = kit.dead.dead_letters(&lane.bot, Direction::Out, &page).await?;
    let id = letters.items.remove(0).id;
    assert!(kit.dead.replay(&lane.bot, &id).await?);
    kit.send(&lane, 101, vec![message("three")]).await?;
    let freed = kit.chats.free_messages(&lane, Remedy::Retry).await?;
    assert_eq!(freed, Freed::NotBefore(until));
    let view = kit.chats.chat(&lane).await?;
    assert_eq!(
        (view.messages, view.outbound),
        (3, Some(Standing::Delayed { until }))
    );
    kit.clock.advance(59_999);
    assert_eq!(kit.first_texts().await?.len(), 0);
    kit.clock.advance(1);
    let (mut turns, _) = kit.outbox.claim_out(1).await?;
    let turn = turns.remove(0);
    assert_eq!(turn.messages.len(), 3);
    // The pause is over: a wait of our own can be ended again.
    kit.delay(&turn, kit.now().plus(60_000), 1).await?;
    let freed = kit.chats.free_messages(&lane, Remedy::Retry).await?;
    assert_eq!(freed, Freed::Retried);
    assert_eq!(kit.first_texts().await?.len(), 3);
    Ok(())
}

async fn a_document_is_forgotten(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    let mut commit = answer(&turn);
    commit.state = put_document("{\"n\":1}", None);
    kit.committed(commit).await?;
    assert!(kit.lanes.state(&lane).await?.is_some());
    assert!(!kit.chats.forget_state(&lane).await?, "nobody worked on it");
    assert_eq!(kit.lanes.state(&lane).await?, None);
    assert!(!kit.chats.forget_state(&lane).await?);
    Ok(())
}

async fn a_running_turn_does_not_bring_a_document_back(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    let mut commit = answer(&turn);
    commit.state = put_document("{\"n\":1}", None);
    commit.next = NextTurn::Keep;
    kit.put(&lane, 2).await?;
    let (next, _) = kit.committed(commit).await?;
    let running = next.ok_or("a second update waits")?;
    assert!(kit.chats.forget_state(&lane).await?);
    let mut late = answer(&running);
    late.state = put_document("{\"n\":2}", None);
    late.messages = vec![message("too late")];
    assert_eq!(kit.commit(late).await?, CommitOutcome::Fenced);
    assert_eq!(kit.lanes.state(&lane).await?, None);
    let again = kit.claim_one().await?;
    assert_eq!(
        (super::lanes::ids(&again), again.attempts, &again.state),
        (vec![2], 0, &None)
    );
    kit.committed(answer(&again)).await?;
    Ok(())
}
