//! Answers kept for `Idempotency-Key`.

use std::sync::Arc;

use super::Subject;
use crate::hash::Sha256Hash;
use crate::ids::UserId;
use crate::ports::{IdempotencyClaim, IdempotencyKey, StoredResponse};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) idempotency_conformance, catalog::idempotency, Subject, [
    of_100_claims_one_is_granted,
    a_claim_is_in_progress_until_its_lease_ends,
    of_concurrent_takeovers_one_is_granted,
    an_answer_is_given_again_for_good,
    the_first_answer_stays,
    another_body_is_a_mismatch_in_every_state,
    a_released_key_is_free_again,
    an_answered_key_cannot_be_released,
    keys_are_scoped_to_user_and_route,
    old_keys_are_forgotten,
]);

const LEASE_MS: i64 = 60_000;

fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey {
        user: UserId::generate(),
        route: "POST /deploy".to_owned(),
        key: name.to_owned(),
    }
}

fn response(body: &[u8]) -> StoredResponse {
    StoredResponse {
        status: 202,
        headers: vec![
            ("location".to_owned(), "/tasks/1".to_owned()),
            ("etag".to_owned(), "\"specVersion-1\"".to_owned()),
        ],
        body: body.to_vec(),
    }
}

async fn of_100_claims_one_is_granted(catalog: Subject) -> CaseResult {
    let (key, body) = (key("one"), Sha256Hash::of("body"));
    let answers = race(100, |_| {
        let (catalog, key) = (Arc::clone(&catalog), key.clone());
        async move { catalog.claim_key(&key, &body, T0, LEASE_MS).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let count = |claim: IdempotencyClaim| answers.iter().filter(|answer| **answer == claim).count();
    assert_eq!(count(IdempotencyClaim::Claimed), 1);
    assert_eq!(count(IdempotencyClaim::InProgress), 99);
    Ok(())
}

async fn a_claim_is_in_progress_until_its_lease_ends(catalog: Subject) -> CaseResult {
    let (key, body) = (key("one"), Sha256Hash::of("body"));
    let claim = async |at: i64| catalog.claim_key(&key, &body, T0.plus(at), LEASE_MS).await;
    assert_eq!(claim(0).await?, IdempotencyClaim::Claimed);
    assert_eq!(claim(LEASE_MS - 1).await?, IdempotencyClaim::InProgress);
    assert_eq!(
        claim(LEASE_MS).await?,
        IdempotencyClaim::Claimed,
        "its holder died"
    );
    assert_eq!(
        claim(LEASE_MS + 1).await?,
        IdempotencyClaim::InProgress,
        "the lease began anew"
    );
    Ok(())
}

async fn of_concurrent_takeovers_one_is_granted(catalog: Subject) -> CaseResult {
    let (key, body) = (key("one"), Sha256Hash::of("body"));
    catalog.claim_key(&key, &body, T0, LEASE_MS).await?;
    let answers = race(50, |_| {
        let (catalog, key) = (Arc::clone(&catalog), key.clone());
        async move { catalog.claim_key(&key, &body, T0.plus(LEASE_MS), LEASE_MS).await }
    })
    .await;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let granted = answers
        .iter()
        .filter(|answer| **answer == IdempotencyClaim::Claimed);
    assert_eq!(granted.count(), 1);
    Ok(())
}

async fn an_answer_is_given_again_for_good(catalog: Subject) -> CaseResult {
    let (key, body) = (key("one"), Sha256Hash::of("body"));
    let answer = response(b"{\"taskId\":\"1\"}\x00\xff");
    catalog.claim_key(&key, &body, T0, LEASE_MS).await?;
    catalog.complete_key(&key, &answer).await?;
    for at in [0, LEASE_MS - 1, LEASE_MS, 100 * LEASE_MS] {
        let again = catalog.claim_key(&key, &body, T0.plus(at), LEASE_MS).await?;
        assert_eq!(again, IdempotencyClaim::Replay(answer.clone()));
    }
    Ok(())
}

async fn the_first_answer_stays(catalog: Subject) -> CaseResult {
    let (key, body) = (key("one"), Sha256Hash::of("body"));
    catalog.complete_key(&key, &response(b"unclaimed")).await?;
    assert_eq!(
        catalog.claim_key(&key, &body, T0, LEASE_MS).await?,
        IdempotencyClaim::Claimed
    );
    catalog.complete_key(&key, &response(b"first")).await?;
    catalog.complete_key(&key, &response(b"second")).await?;
    let again = catalog.claim_key(&key, &body, T0, LEASE_MS).await?;
    assert_eq!(again, IdempotencyClaim::Replay(response(b"first")));
    Ok(())
}

async fn another_body_is_a_mismatch_in_every_state(catalog: Subject) -> CaseResult {
    let (key, body, other) = (key("one"), Sha256Hash::of("body"), Sha256Hash::of("other"));
    catalog.claim_key(&key, &body, T0, LEASE_MS).await?;
    for at in [0, LEASE_MS] {
        let answer = catalog.claim_key(&key, &other, T0.plus(at), LEASE_MS).await?;
        assert_eq!(answer, IdempotencyClaim::Mismatch, "at {at}");
    }
    catalog.complete_key(&key, &response(b"")).await?;
    assert_eq!(
        catalog.claim_key(&key, &other, T0, LEASE_MS).await?,
        IdempotencyClaim::Mismatch
    );
    let again = catalog.claim_key(&key, &body, T0, LEASE_MS).await?;
    assert_eq!(again, IdempotencyClaim::Replay(response(b"")));
    Ok(())
}

async fn a_released_key_is_free_again(catalog: Subject) -> CaseResult {
    let key = key("one");
    for body in ["body", "other body"] {
        let claim = catalog
            .claim_key(&key, &Sha256Hash::of(body), T0, LEASE_MS)
            .await?;
        assert_eq!(claim, IdempotencyClaim::Claimed);
        catalog.release_key(&key).await?;
    }
    catalog.release_key(&key).await?;
    Ok(())
}

async fn an_answered_key_cannot_be_released(catalog: Subject) -> CaseResult {
    let (key, body) = (key("one"), Sha256Hash::of("body"));
    catalog.claim_key(&key, &body, T0, LEASE_MS).await?;
    catalog.complete_key(&key, &response(b"done")).await?;
    catalog.release_key(&key).await?;
    let again = catalog.claim_key(&key, &body, T0, LEASE_MS).await?;
    assert_eq!(again, IdempotencyClaim::Replay(response(b"done")));
    Ok(())
}

async fn keys_are_scoped_to_user_and_route(catalog: Subject) -> CaseResult {
    let (mine, body) = (key("one"), Sha256Hash::of("body"));
    let others = IdempotencyKey {
        user: UserId::generate(),
        ..mine.clone()
    };
    let elsewhere = IdempotencyKey {
        route: "POST /generate".to_owned(),
        ..mine.clone()
    };
    for key in [&mine, &others, &elsewhere] {
        let claim = catalog.claim_key(key, &body, T0, LEASE_MS).await?;
        assert_eq!(claim, IdempotencyClaim::Claimed, "{key:?}");
    }
    catalog.complete_key(&mine, &response(b"mine")).await?;
    let theirs = catalog.claim_key(&others, &body, T0, LEASE_MS).await?;
    assert_eq!(theirs, IdempotencyClaim::InProgress);
    Ok(())
}

async fn old_keys_are_forgotten(catalog: Subject) -> CaseResult {
    let (old, new, body) = (key("old"), key("new"), Sha256Hash::of("body"));
    catalog.claim_key(&old, &body, T0, LEASE_MS).await?;
    catalog.complete_key(&old, &response(b"old")).await?;
    catalog.claim_key(&new, &body, T0.plus(10), LEASE_MS).await?;
    assert_eq!(catalog.expire_keys(T0).await?, 0);
    assert_eq!(catalog.expire_keys(T0.plus(10)).await?, 1);
    assert_eq!(
        catalog.claim_key(&new, &body, T0.plus(10), LEASE_MS).await?,
        IdempotencyClaim::InProgress
    );
    assert_eq!(
        catalog.claim_key(&old, &body, T0.plus(10), LEASE_MS).await?,
        IdempotencyClaim::Claimed
    );
    Ok(())
}
