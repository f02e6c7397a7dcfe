//! At the door: duplicates, caps, order, grants.

use std::sync::Arc;

use super::kit::{LIMITS, LaneKit, answer, bot, ids, lane};
use crate::ids::{ChatId, Lane};
use crate::ports::{DedupKey, IngestOutcome};
use crate::testing::conformance::cases::{CaseResult, race};

pub(super) async fn a_batch_keeps_its_order(kit: LaneKit) -> CaseResult {
    let (one, two) = (lane(1), lane(2));
    let batch = [(&one, 10), (&two, 20), (&one, 11), (&one, 10), (&one, 12)];
    let batch = batch.map(|(lane, id)| kit.update(lane, id));
    let outcomes = kit.lanes.ingest(batch.to_vec()).await?;
    assert!(matches!(
        outcomes.as_slice(),
        [
            IngestOutcome::Ready { .. },
            IngestOutcome::Ready { .. },
            IngestOutcome::Queued,
            IngestOutcome::Duplicate,
            IngestOutcome::Queued,
        ]
    ));
    let turns = kit.lanes.claim(5).await?.turns;
    let mut found: Vec<_> = turns
        .iter()
        .map(|turn| (turn.lease.lane.clone(), ids(turn)))
        .collect();
    found.sort();
    assert_eq!(found, [(one, vec![10, 11, 12]), (two, vec![20])]);
    Ok(())
}

pub(super) async fn a_full_lane_refuses_without_remembering(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    for id in 0..6 {
        assert_ne!(kit.put(&lane, id).await?, IngestOutcome::Full);
    }
    assert_eq!(kit.put(&lane, 6).await?, IngestOutcome::Full);
    assert_eq!(kit.put(&lane, 6).await?, IngestOutcome::Full);
    let turn = kit.claim_one().await?;
    kit.committed(answer(&turn)).await?;
    assert_eq!(
        kit.put(&lane, 6).await?,
        IngestOutcome::Queued,
        "a refused update is new when it comes again"
    );
    Ok(())
}

pub(super) async fn a_full_lane_still_knows_duplicates(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    for id in 0..6 {
        kit.put(&lane, id).await?;
    }
    assert_eq!(kit.put(&lane, 3).await?, IngestOutcome::Duplicate);
    Ok(())
}

pub(super) async fn an_update_is_a_duplicate_for_a_day_and_an_hour(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 7).await?;
    kit.committed(answer(&turn)).await?;
    kit.clock.advance(LIMITS.dedup_ttl_ms - 60_000);
    assert_eq!(
        kit.put(&lane, 7).await?,
        IngestOutcome::Duplicate,
        "24 h 59 min later, although the update is long gone"
    );
    kit.clock.advance(60_001);
    assert_ne!(kit.put(&lane, 7).await?, IngestOutcome::Duplicate);
    Ok(())
}

pub(super) async fn concurrent_redeliveries_queue_once(kit: LaneKit) -> CaseResult {
    let outcomes = race(8, |_| {
        let kit = kit.clone();
        async move { kit.put(&lane(1), 1).await }
    })
    .await;
    let mut new = 0;
    for outcome in outcomes {
        new += usize::from(outcome? != IngestOutcome::Duplicate);
    }
    assert_eq!(new, 1);
    assert_eq!(ids(&kit.claim_one().await?), [1]);
    Ok(())
}

pub(super) async fn kinds_of_ids_do_not_collide(kit: LaneKit) -> CaseResult {
    let first = kit.update(&lane(1), 7);
    let mut synthetic = first.clone();
    synthetic.dedup = DedupKey::Synthetic(Arc::from("7"));
    let mut of_another_bot = first.clone();
    of_another_bot.lane = Lane {
        bot: bot("sushi"),
        chat: ChatId::from(1),
    };
    let mut in_another_chat = first.clone();
    in_another_chat.lane = lane(2);
    assert_ne!(kit.ingest(first).await?, IngestOutcome::Duplicate);
    assert_ne!(kit.ingest(synthetic.clone()).await?, IngestOutcome::Duplicate);
    assert_eq!(kit.ingest(synthetic).await?, IngestOutcome::Duplicate);
    assert_ne!(kit.ingest(of_another_bot).await?, IngestOutcome::Duplicate);
    assert_eq!(
        kit.ingest(in_another_chat).await?,
        IngestOutcome::Duplicate,
        "update ids belong to the bot, not to the chat"
    );
    Ok(())
}

pub(super) async fn only_the_first_of_a_lane_is_granted(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    assert_eq!(
        (ids(&turn), turn.attempts, turn.state.clone()),
        (vec![1], 0, None)
    );
    let mut second = kit.update(&lane, 2);
    second.want_turn = true;
    assert_eq!(kit.ingest(second).await?, IngestOutcome::Queued);
    kit.claim_none().await?;
    kit.committed(answer(&turn)).await?;
    assert_eq!(ids(&kit.claim_one().await?), [2]);
    Ok(())
}

pub(super) async fn ready_is_a_hint_that_is_not_lost(kit: LaneKit) -> CaseResult {
    // Nobody waits when the lane becomes ready; who comes later is woken all the same.
    kit.put(&lane(1), 1).await?;
    kit.lanes.ready().await;
    let waiting = kit.lanes.ready();
    kit.put(&lane(2), 2).await?;
    waiting.await;
    Ok(())
}

pub(super) async fn the_answer_tells_how_many_turns_wait(kit: LaneKit) -> CaseResult {
    for chat in 1..=3 {
        let outcome = kit.put(&lane(chat), chat).await?;
        let IngestOutcome::Ready { backlog } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(backlog, u64::try_from(chat)?);
    }
    Ok(())
}
