//! Turns that do not end well: failures, lost leases, turns given back.

use super::kit::{LIMITS, LaneKit, answer, ids, lane};
use crate::ports::{CommitOutcome, Direction, FailOutcome, NextTurn, PageRequest};
use crate::testing::conformance::cases::CaseResult;

pub(super) async fn a_failed_update_comes_again_when_it_is_due(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    kit.put(&lane, 2).await?;
    assert_eq!(kit.fail(&turn, kit.now().plus(100)).await?, FailOutcome::Delayed);
    kit.clock.advance(99);
    kit.claim_none().await?;
    kit.clock.advance(1);
    let turn = kit.claim_one().await?;
    assert_eq!((ids(&turn), turn.attempts), (vec![1, 2], 1));
    Ok(())
}

pub(super) async fn the_last_try_ends_in_the_dead_letters(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let mut turn = kit.grant(&lane, 1).await?;
    kit.put(&lane, 2).await?;
    for _ in 0..2 {
        assert_eq!(kit.fail(&turn, kit.now()).await?, FailOutcome::Delayed);
        turn = kit.claim_one().await?;
    }
    let outcome = kit.fail(&turn, kit.now()).await?;
    let FailOutcome::DeadLettered(id) = outcome else {
        panic!("{outcome:?}");
    };
    let page = PageRequest::default();
    let letters = kit
        .dead
        .dead_letters(&lane.bot, Direction::In, &page)
        .await?
        .items;
    assert_eq!(letters.len(), 1);
    let found = &letters[0];
    assert_eq!(
        (&found.id, found.attempts, &found.letter.chat),
        (&id, 3, &Some(lane.chat))
    );
    assert_eq!(
        (found.letter.reason.as_str(), found.letter.detail.as_str()),
        ("script-error", "it threw")
    );
    assert_eq!(found.letter.body.as_ref(), b"{\"update_id\":1}");
    let turn = kit.claim_one().await?;
    assert_eq!((ids(&turn), turn.attempts), (vec![2], 0), "the lane goes on");
    Ok(())
}

pub(super) async fn a_failure_without_lease_is_fenced(kit: LaneKit) -> CaseResult {
    let turn = kit.grant(&lane(1), 1).await?;
    kit.clock.advance(LIMITS.lease_ms);
    let other = kit.claim_one().await?;
    assert_eq!(kit.fail(&turn, kit.now()).await?, FailOutcome::Fenced);
    kit.committed(answer(&other)).await?;
    assert_eq!(kit.fail(&other, kit.now()).await?, FailOutcome::Fenced);
    Ok(())
}

pub(super) async fn a_lost_lease_counts_as_a_try(kit: LaneKit) -> CaseResult {
    kit.grant(&lane(1), 1).await?;
    for attempts in 1..=3 {
        kit.clock.advance(LIMITS.lease_ms - 1);
        kit.claim_none().await?;
        kit.clock.advance(1);
        let turn = kit.claim_one().await?;
        assert_eq!((ids(&turn), turn.attempts), (vec![1], attempts));
    }
    Ok(())
}

pub(super) async fn a_success_forgets_the_tries(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    kit.put(&lane, 2).await?;
    kit.fail(&turn, kit.now()).await?;
    let turn = kit.claim_one().await?;
    assert_eq!(turn.attempts, 1);
    let mut commit = answer(&turn);
    commit.next = NextTurn::Keep;
    let next = kit.committed(commit).await?.0.ok_or("an update is left")?;
    assert_eq!(next.attempts, 0);
    Ok(())
}

pub(super) async fn released_turns_do_not_count_as_tries(kit: LaneKit) -> CaseResult {
    let turn = kit.grant(&lane(1), 1).await?;
    let leases = [turn.lease.clone()];
    kit.lanes.release(&leases).await?;
    kit.lanes.release(&leases).await?;
    let again = kit.claim_one().await?;
    assert_eq!((ids(&again), again.attempts), (vec![1], 0));
    kit.lanes.release(&leases).await?;
    kit.claim_none().await?;
    assert_eq!(kit.commit(answer(&turn)).await?, CommitOutcome::Fenced);
    Ok(())
}
