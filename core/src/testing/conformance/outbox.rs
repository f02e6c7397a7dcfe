//! Port `Outbox`: order, classes, leases, delays, parks, and what nobody knows.

use bytes::Bytes;

use super::cases::{CaseResult, cases, race};
use super::lanes::{LIMITS, LaneKit, answer, bot, lane, message};
use crate::bot_js::Ambiguous;
use crate::ids::{ChatId, Lane};
use crate::ports::{
    AckOut, AckOutOutcome, AfterAck, Direction, LaneLease, OutClass, OutMessage, OutTurn, PageRequest,
    StoreResult,
};

cases!(($) outbox_tests, outbox, LaneKit, [
    an_acknowledged_message_is_gone,
    an_acknowledgement_happens_once,
    a_kept_outbox_goes_on_under_a_new_token,
    urgent_messages_go_first,
    an_urgent_message_does_not_move_what_is_being_sent,
    an_outbox_is_in_one_hand_only,
    a_renewal_of_a_sender_that_was_not_heard_of_counts,
    a_lost_sender_leaves_the_first_message_in_doubt,
    a_message_to_be_skipped_is_in_doubt_only_once_begun,
    an_answered_send_is_not_in_doubt,
    only_the_holder_may_begin,
    a_delayed_outbox_waits,
    failed_sends_are_counted,
    a_parked_bot_sends_nothing,
    a_commit_does_not_grant_the_outbox_of_a_parked_bot,
    a_park_can_be_lifted,
    a_refused_message_becomes_a_dead_letter,
    a_chat_that_is_gone_loses_all_its_messages,
    bots_send_in_turns,
    ready_outboxes_are_a_hint_that_is_not_lost,
]);

fn ack(lease: &LaneLease, sent: usize, after: AfterAck) -> AckOut {
    AckOut {
        lease: lease.clone(),
        sent,
        dead: None,
        dead_all: false,
        after,
    }
}

fn texts(turn: &OutTurn) -> Vec<Bytes> {
    turn.messages
        .iter()
        .map(|queued| queued.message.params.clone())
        .collect()
}

fn params(texts: &[&str]) -> Vec<Bytes> {
    texts.iter().map(|text| message(text).params).collect()
}

fn skip(text: &str) -> OutMessage {
    OutMessage {
        ambiguous: Ambiguous::Skip,
        ..message(text)
    }
}

fn urgent(text: &str) -> OutMessage {
    OutMessage {
        class: OutClass::Urgent,
        ..message(text)
    }
}

impl LaneKit {
    async fn claim_out_one(&self) -> StoreResult<OutTurn> {
        let (mut turns, _) = self.outbox.claim_out(2).await?;
        assert_eq!(turns.len(), 1, "one outbox is ready: {turns:?}");
        Ok(turns.remove(0))
    }

    async fn claim_out_none(&self) -> StoreResult<()> {
        assert_eq!(
            self.outbox.claim_out(1).await?.0,
            Vec::new(),
            "no outbox is ready"
        );
        Ok(())
    }

    async fn ack(&self, ack: AckOut) -> StoreResult<AckOutOutcome> {
        let mut outcomes = self.outbox.ack_out(vec![ack]).await?;
        assert_eq!(outcomes.len(), 1);
        Ok(outcomes.remove(0))
    }

    async fn acked(&self, ack: AckOut) -> StoreResult<(Option<OutTurn>, Vec<String>)> {
        match self.ack(ack).await? {
            AckOutOutcome::Done { next, dead_letters } => Ok((next.map(|turn| *turn), dead_letters)),
            AckOutOutcome::Fenced => panic!("the lease was held"),
        }
    }
}

async fn an_acknowledged_message_is_gone(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a"), message("b"), message("c")])
        .await?;
    let turn = kit.claim_out_one().await?;
    assert_eq!(texts(&turn), params(&["a", "b", "c"]));
    assert!(
        turn.messages
            .iter()
            .all(|queued| queued.attempts == 0 && !queued.maybe_sent)
    );
    assert_eq!(turn.messages[0].message, message("a"), "nothing of it is lost");
    kit.acked(ack(&turn.lease, 2, AfterAck::Release)).await?;
    let turn = kit.claim_out_one().await?;
    assert_eq!(texts(&turn), params(&["c"]));
    kit.acked(ack(&turn.lease, 1, AfterAck::Release)).await?;
    kit.claim_out_none().await?;
    assert_eq!(kit.lanes.stats().await?.messages, 0);
    Ok(())
}

async fn an_acknowledgement_happens_once(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a"), message("b")]).await?;
    let turn = kit.claim_out_one().await?;
    let first = ack(&turn.lease, 1, AfterAck::Keep);
    let next = kit.acked(first.clone()).await?.0.ok_or("a message is left")?;
    assert_eq!(kit.ack(first).await?, AckOutOutcome::Fenced);
    assert_eq!(texts(&next), params(&["b"]));
    Ok(())
}

async fn a_kept_outbox_goes_on_under_a_new_token(kit: LaneKit) -> CaseResult {
    let many: Vec<_> = ["1", "2", "3", "4", "5", "6"].map(message).into();
    kit.send(&lane(1), 1, many).await?;
    let first = kit.claim_out_one().await?;
    let second = kit.acked(ack(&first.lease, 1, AfterAck::Keep)).await?.0;
    let second = second.ok_or("messages are left")?;
    assert_ne!(second.lease.token, first.lease.token);
    assert_eq!(texts(&second)[..3], params(&["2", "3", "4"]));
    kit.claim_out_none().await?;
    kit.send(&lane(1), 2, vec![message("7")]).await?;
    let mut seen = Vec::new();
    let mut turn = Some(second);
    while let Some(held) = turn {
        seen.push(held.messages[0].message.params.clone());
        turn = kit.acked(ack(&held.lease, 1, AfterAck::Keep)).await?.0;
    }
    assert_eq!(seen, params(&["2", "3", "4", "5", "6", "7"]));
    kit.claim_out_none().await?;
    Ok(())
}

async fn urgent_messages_go_first(kit: LaneKit) -> CaseResult {
    let bulk = OutMessage {
        class: OutClass::Bulk,
        ..message("bulk")
    };
    kit.send(&lane(1), 1, vec![message("a"), bulk, urgent("b")])
        .await?;
    kit.send(&lane(1), 2, vec![message("c")]).await?;
    let turn = kit.claim_out_one().await?;
    assert_eq!(texts(&turn), params(&["b", "a", "bulk", "c"]));
    Ok(())
}

async fn an_urgent_message_does_not_move_what_is_being_sent(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a"), message("b")]).await?;
    let turn = kit.claim_out_one().await?;
    kit.send(&lane(1), 2, vec![urgent("now")]).await?;
    let next = kit.acked(ack(&turn.lease, 1, AfterAck::Keep)).await?.0;
    let next = next.ok_or("messages are left")?;
    assert_eq!(
        texts(&next),
        params(&["now", "b"]),
        "what was sent is what was taken off"
    );
    Ok(())
}

async fn an_outbox_is_in_one_hand_only(kit: LaneKit) -> CaseResult {
    for chat in 0..20 {
        kit.send(&lane(chat), chat, vec![message("a")]).await?;
    }
    let claimed = race(6, |_| {
        let kit = kit.clone();
        async move { kit.outbox.claim_out(10).await }
    })
    .await;
    let mut lanes = Vec::new();
    for turns in claimed {
        lanes.extend(turns?.0.into_iter().map(|turn| turn.lease.lane));
    }
    lanes.sort();
    let mut expected: Vec<_> = (0..20).map(lane).collect();
    expected.sort();
    assert_eq!(lanes, expected);
    Ok(())
}

async fn a_renewal_of_a_sender_that_was_not_heard_of_counts(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a")]).await?;
    let mut turn = kit.claim_out_one().await?;
    for _ in 0..3 {
        kit.clock.advance(LIMITS.out_lease_ms - 1);
        kit.outbox.renew_out(std::slice::from_ref(&turn.lease)).await?;
        let renewed = kit.outbox.renew_out(std::slice::from_ref(&turn.lease)).await?;
        turn.lease.token = renewed[0].ok_or("the lease was lost")?;
    }
    kit.clock.advance(LIMITS.out_lease_ms - 1);
    kit.outbox.renew_out(std::slice::from_ref(&turn.lease)).await?;
    kit.clock.advance(LIMITS.out_lease_ms - 1);
    kit.claim_out_none().await?;
    assert!(kit.outbox.begin_send(&turn.lease).await?);
    kit.acked(ack(&turn.lease, 1, AfterAck::Release)).await?;
    let lease = std::slice::from_ref(&turn.lease);
    assert_eq!(kit.outbox.renew_out(lease).await?, [None]);
    let again = ack(&turn.lease, 1, AfterAck::Release);
    assert_eq!(kit.ack(again).await?, AckOutOutcome::Fenced);
    Ok(())
}

async fn a_lost_sender_leaves_the_first_message_in_doubt(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a"), message("b")]).await?;
    let lost = kit.claim_out_one().await?;
    kit.clock.advance(LIMITS.out_lease_ms);
    let turn = kit.claim_out_one().await?;
    let doubts: Vec<_> = turn.messages.iter().map(|queued| queued.maybe_sent).collect();
    assert_eq!(doubts, [true, false]);
    assert_eq!(
        kit.ack(ack(&lost.lease, 1, AfterAck::Keep)).await?,
        AckOutOutcome::Fenced
    );
    let next = kit.acked(ack(&turn.lease, 1, AfterAck::Keep)).await?.0;
    assert!(!next.ok_or("a message is left")?.messages[0].maybe_sent);
    Ok(())
}

async fn a_message_to_be_skipped_is_in_doubt_only_once_begun(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![skip("a")]).await?;
    kit.claim_out_one().await?;
    kit.clock.advance(LIMITS.out_lease_ms);
    let turn = kit.claim_out_one().await?;
    assert!(!turn.messages[0].maybe_sent, "nobody had begun to send it");
    assert!(kit.outbox.begin_send(&turn.lease).await?);
    assert!(kit.outbox.begin_send(&turn.lease).await?);
    kit.clock.advance(LIMITS.out_lease_ms);
    let turn = kit.claim_out_one().await?;
    assert!(turn.messages[0].maybe_sent);
    Ok(())
}

async fn an_answered_send_is_not_in_doubt(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![skip("a")]).await?;
    let turn = kit.claim_out_one().await?;
    assert!(kit.outbox.begin_send(&turn.lease).await?);
    let delay = AfterAck::Delay {
        until: kit.now().plus(1_000),
        attempt: 1,
    };
    kit.acked(ack(&turn.lease, 0, delay)).await?;
    kit.clock.advance(1_000);
    kit.claim_out_one().await?;
    kit.clock.advance(LIMITS.out_lease_ms);
    let turn = kit.claim_out_one().await?;
    assert!(
        !turn.messages[0].maybe_sent,
        "the send was refused, and no other was begun"
    );
    Ok(())
}

async fn only_the_holder_may_begin(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![skip("a")]).await?;
    let lost = kit.claim_out_one().await?;
    kit.clock.advance(LIMITS.out_lease_ms);
    let held = kit.claim_out_one().await?;
    assert!(!kit.outbox.begin_send(&lost.lease).await?);
    assert!(kit.outbox.begin_send(&held.lease).await?);
    kit.acked(ack(&held.lease, 1, AfterAck::Release)).await?;
    assert!(!kit.outbox.begin_send(&held.lease).await?);
    Ok(())
}

async fn a_delayed_outbox_waits(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a"), message("b")]).await?;
    let turn = kit.claim_out_one().await?;
    let until = kit.now().plus(3_000);
    let delay = AfterAck::FloodWait { until };
    assert_eq!(kit.acked(ack(&turn.lease, 1, delay)).await?, (None, Vec::new()));
    kit.clock.advance(2_999);
    assert_eq!(kit.outbox.claim_out(1).await?, (Vec::new(), Some(until)));
    kit.clock.advance(1);
    let turn = kit.claim_out_one().await?;
    assert_eq!(texts(&turn), params(&["b"]));
    assert_eq!(turn.messages[0].attempts, 0, "a flood wait is nobody's fault");
    Ok(())
}

async fn failed_sends_are_counted(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a"), message("b")]).await?;
    for attempts in 0..3 {
        let turn = kit.claim_out_one().await?;
        let counted: Vec<_> = turn.messages.iter().map(|queued| queued.attempts).collect();
        assert_eq!(counted, [attempts, 0]);
        let delay = AfterAck::Delay {
            until: kit.now(),
            attempt: 1,
        };
        kit.acked(ack(&turn.lease, 0, delay)).await?;
    }
    Ok(())
}

async fn a_parked_bot_sends_nothing(kit: LaneKit) -> CaseResult {
    let other = Lane {
        bot: bot("sushi"),
        chat: ChatId::from(1),
    };
    kit.send(&lane(1), 1, vec![message("a"), message("b")]).await?;
    let held = kit.claim_out_one().await?;
    kit.send(&lane(2), 2, vec![message("c")]).await?;
    let until = kit.now().plus(10_000);
    kit.outbox.park(&lane(1).bot, Some(until)).await?;
    kit.send(&lane(3), 3, vec![message("d")]).await?;
    kit.send(&other, 1, vec![message("e")]).await?;
    let kept = kit.acked(ack(&held.lease, 1, AfterAck::Keep)).await?.0;
    assert_eq!(kept, None, "the sender stops too");
    assert_eq!(kit.claim_out_one().await?.lease.lane, other);
    kit.clock.advance(9_999);
    let (turns, due) = kit.outbox.claim_out(5).await?;
    assert_eq!((turns, due), (Vec::new(), Some(until)));
    kit.clock.advance(1);
    assert_eq!(kit.outbox.claim_out(5).await?.0.len(), 3);
    Ok(())
}

async fn a_commit_does_not_grant_the_outbox_of_a_parked_bot(kit: LaneKit) -> CaseResult {
    kit.outbox.park(&lane(1).bot, Some(kit.now().plus(1_000))).await?;
    let turn = kit.grant(&lane(1), 1).await?;
    let mut commit = answer(&turn);
    commit.messages = vec![message("a")];
    commit.want_out = true;
    assert_eq!(kit.committed(commit).await?.1, None);
    kit.claim_out_none().await?;
    Ok(())
}

async fn a_park_can_be_lifted(kit: LaneKit) -> CaseResult {
    let pizza = &lane(1).bot;
    kit.send(&lane(1), 1, vec![message("a")]).await?;
    kit.outbox.park(pizza, Some(kit.now().plus(10_000))).await?;
    kit.claim_out_none().await?;
    kit.outbox.park(pizza, Some(kit.now().plus(90_000))).await?;
    kit.clock.advance(10_000);
    kit.claim_out_none().await?;
    kit.outbox.park(pizza, None).await?;
    kit.claim_out_one().await?;
    Ok(())
}

async fn a_refused_message_becomes_a_dead_letter(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    kit.send(&lane, 1, vec![message("a"), message("b"), message("c")])
        .await?;
    let turn = kit.claim_out_one().await?;
    let mut refused = ack(&turn.lease, 1, AfterAck::Keep);
    refused.dead = Some(("telegram-400".to_owned(), "text is too long".to_owned()));
    let (next, dead) = kit.acked(refused).await?;
    assert_eq!(texts(&next.ok_or("a message is left")?), params(&["c"]));
    let [id] = dead.as_slice() else {
        panic!("{dead:?}");
    };
    let letter = kit.dead.dead_letter(&lane.bot, id).await?.ok_or("it is there")?;
    assert_eq!(letter.direction, Direction::Out);
    assert_eq!(letter.letter.reason, "telegram-400");
    let body: serde_json::Value = serde_json::from_slice(&letter.letter.body)?;
    let shown = serde_json::json!({"method": "sendMessage", "params": {"chat_id": 1, "text": "b"}});
    assert_eq!(body, shown);
    Ok(())
}

async fn a_chat_that_is_gone_loses_all_its_messages(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let many: Vec<_> = ["1", "2", "3", "4", "5", "6", "7"].map(message).into();
    kit.send(&lane, 1, many).await?;
    let turn = kit.claim_out_one().await?;
    let mut refused = ack(&turn.lease, 1, AfterAck::Keep);
    refused.dead = Some(("telegram-403".to_owned(), "blocked by the user".to_owned()));
    refused.dead_all = true;
    let (next, dead) = kit.acked(refused).await?;
    assert_eq!((next, dead.len()), (None, 6));
    assert_eq!(kit.lanes.stats().await?.messages, 0);
    let page = PageRequest::default();
    let letters = kit.dead.dead_letters(&lane.bot, Direction::Out, &page).await?;
    let kept: Vec<_> = letters.items.into_iter().map(|letter| letter.id).collect();
    let newest: Vec<_> = dead.into_iter().rev().take(LIMITS.dead_letter_cap).collect();
    assert_eq!(kept, newest);
    kit.send(&lane, 2, vec![message("again")]).await?;
    assert_eq!(texts(&kit.claim_out_one().await?), params(&["again"]));
    Ok(())
}

async fn bots_send_in_turns(kit: LaneKit) -> CaseResult {
    for chat in 0..20 {
        kit.send(&lane(chat), chat, vec![message("a")]).await?;
    }
    let small = Lane {
        bot: bot("small"),
        chat: ChatId::from(1),
    };
    kit.send(&small, 1, vec![message("a")]).await?;
    let (turns, _) = kit.outbox.claim_out(2).await?;
    assert!(turns.iter().any(|turn| turn.lease.lane == small), "{turns:?}");
    Ok(())
}

async fn ready_outboxes_are_a_hint_that_is_not_lost(kit: LaneKit) -> CaseResult {
    kit.send(&lane(1), 1, vec![message("a")]).await?;
    kit.outbox.out_ready().await;
    let waiting = kit.outbox.out_ready();
    kit.send(&lane(2), 2, vec![message("a")]).await?;
    waiting.await;
    Ok(())
}
