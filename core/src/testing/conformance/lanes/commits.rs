//! Commits: atomic, fenced, once, on one revision.

use super::kit::{LIMITS, LaneKit, answer, ids, lane, message, put_document, revision};
use crate::ports::{CommitOutcome, NextTurn, SetRevision, StateChange};
use crate::testing::conformance::cases::CaseResult;

pub(super) async fn a_commit_appends_its_messages_and_grants_the_outbox(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let turn = kit.grant(&lane, 1).await?;
    kit.put(&lane, 2).await?;
    let mut commit = answer(&turn);
    commit.messages = vec![message("a"), message("b")];
    commit.want_out = true;
    commit.next = NextTurn::Keep;
    let (next, out) = kit.committed(commit).await?;
    let out = out.ok_or("the outbox was empty and free")?;
    let sent: Vec<_> = out.messages.into_iter().map(|queued| queued.message).collect();
    assert_eq!(sent, [message("a"), message("b")]);
    let mut commit = answer(&next.ok_or("an update is left")?);
    commit.messages = vec![message("c")];
    commit.want_out = true;
    assert_eq!(
        kit.committed(commit).await?.1,
        None,
        "somebody sends for the lane already"
    );
    Ok(())
}

pub(super) async fn a_commit_happens_once(kit: LaneKit) -> CaseResult {
    let turn = kit.grant(&lane(1), 1).await?;
    kit.put(&lane(1), 2).await?;
    let mut commit = answer(&turn);
    commit.messages = vec![message("a")];
    kit.committed(commit.clone()).await?;
    assert_eq!(kit.commit(commit).await?, CommitOutcome::Fenced);
    assert_eq!(ids(&kit.claim_one().await?), [2]);
    assert_eq!(kit.lanes.stats().await?.messages, 1);
    Ok(())
}

pub(super) async fn a_commit_takes_several_updates(kit: LaneKit) -> CaseResult {
    for id in 1..=5 {
        kit.put(&lane(1), id).await?;
    }
    let turn = kit.claim_one().await?;
    let mut commit = answer(&turn);
    commit.updates = 3;
    kit.committed(commit).await?;
    assert_eq!(ids(&kit.claim_one().await?), [4, 5]);
    Ok(())
}

pub(super) async fn a_commit_takes_no_more_than_the_turn_had(kit: LaneKit) -> CaseResult {
    let turn = kit.grant(&lane(1), 1).await?;
    kit.put(&lane(1), 2).await?;
    let mut commit = answer(&turn);
    commit.updates = 2;
    kit.committed(commit).await?;
    assert_eq!(ids(&kit.claim_one().await?), [2], "nobody has executed it");
    Ok(())
}

pub(super) async fn a_fenced_commit_writes_nothing(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let slow = kit.grant(&lane, 1).await?;
    kit.clock.advance(LIMITS.lease_ms);
    let quick = kit.claim_one().await?;
    let mut commit = answer(&slow);
    commit.state = put_document("\"slow\"", None);
    commit.messages = vec![message("slow")];
    commit.want_out = true;
    assert_eq!(kit.commit(commit).await?, CommitOutcome::Fenced);
    assert_eq!(kit.lanes.state(&lane).await?, None);
    let stats = kit.lanes.stats().await?;
    assert_eq!((stats.updates, stats.messages, stats.leased), (1, 0, 1));
    kit.committed(answer(&quick)).await?;
    Ok(())
}

pub(super) async fn an_expired_lease_commits_until_it_is_taken_back(kit: LaneKit) -> CaseResult {
    let turn = kit.grant(&lane(1), 1).await?;
    kit.clock.advance(LIMITS.lease_ms * 2);
    kit.committed(answer(&turn)).await?;
    kit.claim_none().await?;
    Ok(())
}

pub(super) async fn a_commit_under_a_stale_revision_keeps_the_lease(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    assert_eq!(
        kit.lanes.set_revision(&lane.bot, revision(1)).await?,
        SetRevision::Set
    );
    let turn = kit.grant(&lane, 1).await?;
    assert_eq!(turn.revision, Some(revision(1)));
    kit.lanes.set_revision(&lane.bot, revision(2)).await?;
    let mut commit = answer(&turn);
    commit.state = put_document("\"old\"", None);
    commit.messages = vec![message("old")];
    let stale = CommitOutcome::Stale(Some(revision(2)));
    assert_eq!(kit.commit(commit.clone()).await?, stale);
    assert_eq!(kit.lanes.state(&lane).await?, None);
    assert_eq!(kit.lanes.stats().await?.messages, 0);
    commit.revision = Some(revision(2));
    kit.committed(commit).await?;
    Ok(())
}

pub(super) async fn a_commit_without_a_revision_is_never_stale(kit: LaneKit) -> CaseResult {
    let turn = kit.grant(&lane(1), 1).await?;
    assert_eq!(turn.revision, None);
    kit.lanes.set_revision(&lane(1).bot, revision(1)).await?;
    kit.committed(answer(&turn)).await?;
    Ok(())
}

pub(super) async fn a_kept_lane_goes_on_under_a_new_token(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let first = kit.grant(&lane, 1).await?;
    kit.put(&lane, 2).await?;
    kit.lanes.set_revision(&lane.bot, revision(3)).await?;
    let mut commit = answer(&first);
    commit.next = NextTurn::Keep;
    commit.state = put_document("{\"n\":1}", Some(60_000));
    let second = kit
        .committed(commit.clone())
        .await?
        .0
        .ok_or("an update is left")?;
    assert_ne!(second.lease.token, first.lease.token);
    assert_eq!((ids(&second), second.revision), (vec![2], Some(revision(3))));
    assert_eq!(second.state.as_deref(), Some(&b"{\"n\":1}"[..]));
    assert_eq!(kit.commit(commit).await?, CommitOutcome::Fenced);
    kit.claim_none().await?;
    let mut commit = answer(&second);
    commit.next = NextTurn::Keep;
    assert_eq!(
        kit.committed(commit).await?.0,
        None,
        "an empty lane has no next turn"
    );
    assert_eq!(kit.lanes.stats().await?.leased, 0);
    Ok(())
}

pub(super) async fn a_document_is_kept_replaced_and_deleted(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let changes = [
        (StateChange::Keep { ttl_ms: None }, None),
        (put_document("1", None), Some("1")),
        (StateChange::Keep { ttl_ms: None }, Some("1")),
        (put_document("2", None), Some("2")),
        (StateChange::Delete, None),
        (StateChange::Delete, None),
    ];
    for (id, (change, expected)) in (1..).zip(changes) {
        let turn = kit.grant(&lane, id).await?;
        let mut commit = answer(&turn);
        commit.state = change;
        kit.committed(commit).await?;
        let expected = expected.map(str::as_bytes);
        assert_eq!(kit.lanes.state(&lane).await?.as_deref(), expected, "step {id}");
    }
    Ok(())
}

pub(super) async fn a_document_is_forgotten_after_its_time(kit: LaneKit) -> CaseResult {
    let lane = lane(1);
    let steps = [
        (put_document("1", Some(1_000)), 999, true),
        (StateChange::Keep { ttl_ms: Some(1_000) }, 999, true),
        (StateChange::Keep { ttl_ms: None }, 1, false),
        (StateChange::Keep { ttl_ms: Some(1_000) }, 0, false),
        (put_document("2", Some(1_000)), 500, true),
        (put_document("3", None), 1_000_000, true),
    ];
    for (id, (change, wait, there)) in (1..).zip(steps) {
        let turn = kit.grant(&lane, id).await?;
        let mut commit = answer(&turn);
        commit.state = change;
        kit.committed(commit).await?;
        kit.clock.advance(wait);
        assert_eq!(kit.lanes.state(&lane).await?.is_some(), there, "step {id}");
    }
    let turn = kit.grant(&lane, 100).await?;
    assert_eq!(turn.state.as_deref(), Some(&b"3"[..]));
    Ok(())
}

pub(super) async fn a_revision_never_goes_back(kit: LaneKit) -> CaseResult {
    let bot = &lane(1).bot;
    assert_eq!(kit.lanes.revision(bot).await?, None);
    assert_eq!(kit.lanes.set_revision(bot, revision(2)).await?, SetRevision::Set);
    for late in [revision(2), revision(1)] {
        let answer = kit.lanes.set_revision(bot, late).await?;
        assert_eq!(answer, SetRevision::Superseded(revision(2)));
    }
    assert_eq!(kit.lanes.revision(bot).await?, Some(revision(2)));
    assert_eq!(kit.lanes.set_revision(bot, revision(5)).await?, SetRevision::Set);
    assert_eq!(kit.lanes.revision(bot).await?, Some(revision(5)));
    Ok(())
}
