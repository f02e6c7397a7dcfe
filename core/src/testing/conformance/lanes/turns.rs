//! Claims, leases, fairness, sizes.

use std::collections::HashSet;

use super::kit::{LIMITS, LaneKit, answer, bot, ids, lane, message, put_document, revision};
use crate::ids::{ChatId, Lane};
use crate::ports::{CommitOutcome, FailOutcome, IngestOutcome, NextTurn};
use crate::testing::conformance::cases::{CaseResult, race};

fn lane_of(name: &str, chat: i64) -> Lane {
    Lane {
        bot: bot(name),
        chat: ChatId::from(chat),
    }
}

pub(super) async fn a_turn_holds_the_first_updates_in_order(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    for id in 1..=6 {
        kit.put(&lane, id).await?;
    }
    let turn = kit.claim_one().await?;
    assert_eq!(ids(&turn), [1, 2, 3, 4], "as many as a turn may have");
    let first = &turn.updates[0];
    assert_eq!(
        (first.envelope.as_ref(), first.accepted_at),
        (&b"{\"update_id\":1}"[..], kit.now())
    );
    Ok(())
}

pub(super) async fn a_lane_is_in_one_hand_only(kit: LaneKit) -> CaseResult {
    for chat in 0..40 {
        kit.put(&lane(chat), chat).await?;
    }
    let claimed = race(8, |_| {
        let kit = kit.clone();
        async move { kit.lanes.claim(10).await }
    })
    .await;
    let mut lanes = HashSet::new();
    for claims in claimed {
        for turn in claims?.turns {
            assert!(lanes.insert(turn.lease.lane.clone()), "{} twice", turn.lease.lane);
        }
    }
    assert_eq!(lanes.len(), 40);
    Ok(())
}

pub(super) async fn a_renewal_that_was_not_heard_of_counts(kit: LaneKit) -> CaseResult {
    let mut turn = kit.grant(&lane(1), 1).await?;
    kit.clock.advance(LIMITS.lease_ms - 1);
    for _ in 0..3 {
        let renewed = kit.lanes.renew(std::slice::from_ref(&turn.lease)).await?;
        assert!(matches!(renewed.as_slice(), [Some(_)]), "{renewed:?}");
    }
    kit.clock.advance(LIMITS.lease_ms - 1);
    kit.claim_none().await?;
    // Past the end of the first token, and with it.
    assert_eq!(
        kit.fail(&turn, kit.now()).await?,
        FailOutcome::Delayed,
        "the renewed lease is held"
    );
    let lost = turn;
    turn = kit.claim_one().await?;
    assert_eq!(turn.attempts, 1);
    assert_eq!(
        kit.lanes.renew(std::slice::from_ref(&lost.lease)).await?,
        [None],
        "the lease is another one"
    );
    assert_eq!(kit.commit(answer(&lost)).await?, CommitOutcome::Fenced);
    kit.clock.advance(LIMITS.lease_ms - 1);
    kit.lanes.renew(std::slice::from_ref(&turn.lease)).await?;
    kit.committed(answer(&turn)).await?;
    assert_eq!(kit.commit(answer(&turn)).await?, CommitOutcome::Fenced);
    Ok(())
}

pub(super) async fn tokens_are_never_repeated(kit: LaneKit) -> CaseResult {
    let mut tokens = HashSet::new();
    let mut turn = kit.grant(&lane(1), 0).await?;
    for id in 1..200 {
        assert!(tokens.insert(turn.lease.token));
        let token = kit.lanes.renew(std::slice::from_ref(&turn.lease)).await?[0];
        turn.lease.token = token.ok_or("the lease was lost")?;
        // No other lease may have this one either.
        tokens.insert(turn.lease.token);
        kit.put(&lane(1), id).await?;
        let mut commit = answer(&turn);
        commit.next = NextTurn::Keep;
        turn = kit.committed(commit).await?.0.ok_or("the lane has an update")?;
    }
    Ok(())
}

pub(super) async fn claims_tell_when_to_come_back(kit: LaneKit) -> CaseResult {
    let turn = kit.grant(&lane(1), 1).await?;
    let granted_at = kit.now();
    let claims = kit.lanes.claim(1).await?;
    assert_eq!(claims.next_due, Some(granted_at.plus(LIMITS.lease_ms)));
    kit.fail(&turn, granted_at.plus(100)).await?;
    let claims = kit.lanes.claim(1).await?;
    assert_eq!(
        (claims.turns.len(), claims.next_due),
        (0, Some(granted_at.plus(100)))
    );
    kit.clock.advance(100);
    let turn = kit.claim_one().await?;
    kit.committed(answer(&turn)).await?;
    assert_eq!(kit.lanes.claim(1).await?.next_due, None);
    Ok(())
}

pub(super) async fn a_bot_with_few_chats_does_not_wait_for_one_with_many(kit: LaneKit) -> CaseResult {
    for chat in 0..50 {
        kit.put(&lane_of("flood", chat), chat).await?;
    }
    for name in ["small-one", "small-two"] {
        for chat in 0..2 {
            kit.put(&lane_of(name, chat), chat).await?;
        }
    }
    // Three bots share the workers: six turns are two of each, however many the flooding bot has waiting.
    let turns = kit.lanes.claim(6).await?.turns;
    for name in ["flood", "small-one", "small-two"] {
        let count = turns
            .iter()
            .filter(|turn| turn.lease.lane.bot == bot(name))
            .count();
        assert_eq!(count, 2, "{name}");
    }
    // Who comes late has not saved anything up, and does not wait either.
    kit.put(&lane_of("late", 1), 1).await?;
    kit.put(&lane_of("late", 2), 2).await?;
    let turns = kit.lanes.claim(4).await?.turns;
    let late = turns.iter().filter(|turn| turn.lease.lane.bot == bot("late"));
    assert_eq!(late.count(), 2, "{turns:?}");
    Ok(())
}

pub(super) async fn long_runs_count_as_several_turns(kit: LaneKit) -> CaseResult {
    // What a run cost counts among the bots of a shard: where lanes are kept in shards, these two share one.
    for chat in 0..20 {
        kit.put(&lane_of("slow", chat), chat).await?;
        kit.put(&lane_of("fast-24", chat), chat).await?;
    }
    let turns = kit.lanes.claim(2).await?.turns;
    assert_eq!(turns.len(), 2);
    for turn in turns {
        let mut commit = answer(&turn);
        commit.charge = if turn.lease.lane.bot == bot("slow") { 6 } else { 0 };
        kit.committed(commit).await?;
    }
    // What waits keeps its place; what comes from now on stands behind the time that the bot has used.
    for chat in 20..24 {
        kit.put(&lane_of("slow", chat), chat).await?;
        kit.put(&lane_of("fast-24", chat), chat).await?;
    }
    let mut order = Vec::new();
    for turn in kit.lanes.claim(46).await?.turns {
        order.push(turn.lease.lane.to_string());
    }
    let position = |name: &str| order.iter().position(|lane| lane == name);
    assert!(position("fast-24:23") < position("slow:20"), "{order:?}");
    Ok(())
}

pub(super) async fn sizes_add_up(kit: LaneKit) -> CaseResult {
    let start = kit.now();
    let held = kit.grant(&lane(1), 1).await?;
    kit.clock.advance(10);
    let failed = kit.grant(&lane(2), 2).await?;
    kit.fail(&failed, kit.now().plus(100)).await?;
    for (chat, id) in [(1, 3), (3, 4), (3, 5)] {
        kit.put(&lane(chat), id).await?;
    }
    kit.put(&lane_of("sushi", 9), 6).await?;
    let stats = kit.lanes.stats().await?;
    assert_eq!((stats.ready, stats.leased, stats.delayed), (2, 1, 1));
    assert_eq!((stats.updates, stats.messages), (6, 0));
    assert_eq!(stats.oldest_update, Some(start));
    let by_bot = [(bot("pizza"), 5), (bot("sushi"), 1)];
    assert_eq!(stats.updates_by_bot, by_bot.into());
    let mut commit = answer(&held);
    commit.messages = vec![message("a"), message("b")];
    kit.committed(commit).await?;
    let stats = kit.lanes.stats().await?;
    assert_eq!((stats.updates, stats.messages), (5, 2));
    assert_eq!(stats.oldest_update, Some(start.plus(10)));
    Ok(())
}

pub(super) async fn a_purged_bot_is_forgotten(kit: LaneKit) -> CaseResult {
    let (mine, other) = (lane(1), lane_of("sushi", 1));
    kit.lanes.set_revision(&mine.bot, revision(4)).await?;
    let turn = kit.grant(&mine, 1).await?;
    let mut commit = answer(&turn);
    commit.state = put_document("{}", None);
    commit.messages = vec![message("hi")];
    kit.committed(commit).await?;
    let held = kit.grant(&mine, 2).await?;
    let failed = kit.grant(&lane(2), 3).await?;
    for _ in 0..3 {
        kit.fail(&failed, kit.now()).await?;
    }
    let kept = kit.grant(&other, 1).await?;
    kit.lanes.purge(&mine.bot).await?;
    kit.lanes.purge(&mine.bot).await?;
    assert_eq!(kit.lanes.state(&mine).await?, None);
    assert_eq!(kit.lanes.revision(&mine.bot).await?, None);
    assert_eq!(kit.commit(answer(&held)).await?, CommitOutcome::Fenced);
    assert_eq!(kit.outbox.claim_out(1).await?.0, Vec::new());
    let stats = kit.lanes.stats().await?;
    assert_eq!((stats.updates, stats.messages, stats.leased), (1, 0, 1));
    kit.committed(answer(&kept)).await?;
    let fresh = kit.grant(&mine, 1).await?;
    assert_eq!((fresh.revision, fresh.state, fresh.attempts), (None, None, 0));
    assert_eq!(kit.put(&mine, 1).await?, IngestOutcome::Duplicate);
    Ok(())
}
