//! Checks of webhooks.
//!
//! Longer than most files: every case of one port, with the few helpers that they share.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Fixture, Subject, a_bot, add_bot, owner, pages};
use crate::hash::Sha256Hash;
use crate::ids::{BotId, ProjectId};
use crate::model::{
    Found, IngressMode, Registered, Registration, SealedToken, TelegramIdentity, Tried, WebhookCheck,
    WebhookFinding, WebhookMove, WebhookState, WebhookStatus, WebhookTally,
};
use crate::ports::{Connection, PageRequest, Registrar, SettledWebhook, StoreError, TokenChange};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};
use crate::time::TimestampMs;

cases!(($) webhooks_conformance, catalog::webhooks, Subject, [
    connected_bots_are_enrolled_once,
    of_many_claims_one_gets_a_check,
    a_claim_ends_with_its_lease,
    what_was_found_is_kept,
    a_check_comes_back_when_it_was_said,
    a_check_that_is_hastened_while_it_is_claimed_comes_at_once,
    of_a_batch_what_is_still_held_is_written,
    only_the_claim_that_settled_notes_what_was_told,
    checks_of_bots_that_are_not_connected_are_forgotten,
    lists_hold_connected_bots_of_the_projects_and_the_status,
    lists_come_in_pages,
    bots_are_counted_by_status_and_findings,
    bots_are_to_be_moved_from_the_moment_of_the_move,
    an_address_is_ours_from_the_beginning_of_its_registration,
    what_is_being_registered_is_not_judged,
    what_is_hastened_during_a_registration_is_due_at_its_end,
    a_registration_by_a_check_puts_off_nothing,
    the_health_of_a_bot_counts_from_its_first_registration,
    a_check_that_lost_its_claim_ends_no_registration,
    a_webhook_that_a_check_set_late_is_looked_for,
    a_refusal_registers_nothing,
    what_was_seen_before_a_change_of_the_connection_is_not_written,
    a_check_sets_right_under_its_own_claim_only,
    what_a_check_saw_is_registered,
    the_public_url_is_what_was_announced_last,
]);

const LEASE_MS: i64 = 30_000;

async fn connect(catalog: &Subject, id: &BotId) -> CaseResult {
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(SealedToken(b"sealed".to_vec())),
    };
    catalog.set_connection(id, Some(&connection)).await?;
    Ok(())
}

/// Connected bots of a new owner's project, with checks that are due at [`T0`].
async fn connected(catalog: &Subject, bots: usize) -> Fixture<(ProjectId, Vec<BotId>)> {
    let (_, project) = owner(catalog).await?;
    let mut ids = Vec::new();
    for number in 0..bots {
        let name = format!("bot-{number:02}");
        assert!(add_bot(catalog, project.id, &name).await?);
        let id = BotId::new(&name)?;
        connect(catalog, &id).await?;
        ids.push(id);
    }
    catalog.enrol_webhook_checks(T0).await?;
    Ok((project.id, ids))
}

async fn claim(catalog: &Subject, now: TimestampMs, limit: u32) -> Fixture<Vec<WebhookCheck>> {
    Ok(catalog
        .claim_webhook_checks(now, now.plus(LEASE_MS), limit)
        .await?)
}

async fn settle(catalog: &Subject, settled: SettledWebhook) -> Fixture<bool> {
    let held = catalog.settle_webhook_checks(&[settled]).await?;
    assert_eq!(held.len(), 1);
    Ok(held[0])
}

/// Ends a claim as healthy.
fn healthy(claim: &WebhookCheck, at: TimestampMs, next_at: TimestampMs) -> SettledWebhook {
    SettledWebhook {
        claim: claim.clone(),
        state: WebhookState {
            status: WebhookStatus::Healthy,
            checked_at: Some(at),
            ..WebhookState::unchecked(at)
        },
        seen: None,
        next_at,
    }
}

/// Ends a claim as drifted.
fn drifted(claim: &WebhookCheck, finding: WebhookFinding) -> SettledWebhook {
    let mut settled = healthy(claim, T0, T0.plus(40_000));
    settled.state.status = WebhookStatus::Drifted;
    settled.state.findings = vec![Found {
        finding,
        detail: Some("'x' says ü".to_owned()),
    }];
    settled
}

async fn connected_bots_are_enrolled_once(catalog: Subject) -> CaseResult {
    let (_, project) = owner(&catalog).await?;
    for name in ["idle", "polled", "webhook", "gone"] {
        assert!(add_bot(&catalog, project.id, name).await?);
    }
    let polling = Connection {
        ingress: IngressMode::Polling,
        webhook_secret: None,
    };
    catalog
        .set_connection(&BotId::new("polled")?, Some(&polling))
        .await?;
    for name in ["webhook", "gone"] {
        connect(&catalog, &BotId::new(name)?).await?;
    }
    catalog.delete_bot(&BotId::new("gone")?, T0).await?;
    assert_eq!(catalog.enrol_webhook_checks(T0).await?, 2);
    assert_eq!(catalog.enrol_webhook_checks(T0.plus(1)).await?, 0);
    assert_eq!(claim(&catalog, T0.plus(-1), 10).await?, []);
    let claimed = claim(&catalog, T0, 10).await?;
    let bots: Vec<&str> = claimed.iter().map(|check| check.bot.as_str()).collect();
    assert_eq!(bots, ["polled", "webhook"]);
    assert!(claimed.iter().all(|check| {
        check.state == WebhookState::unchecked(T0) && check.registration == Registration::default()
    }));
    Ok(())
}

async fn of_many_claims_one_gets_a_check(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 40).await?;
    let answers = race(8, |_| {
        let catalog = Arc::clone(&catalog);
        async move {
            let mut mine = Vec::new();
            for _ in 0..8 {
                let until = T0.plus(LEASE_MS);
                mine.extend(catalog.claim_webhook_checks(T0, until, 7).await?);
            }
            Ok::<_, StoreError>(mine)
        }
    })
    .await;
    let mut all = Vec::new();
    for answer in answers {
        all.extend(answer?.into_iter().map(|check| check.bot));
    }
    assert_eq!(all.len(), 40, "each is claimed once");
    assert_eq!(BTreeSet::from_iter(all), BTreeSet::from_iter(ids));
    Ok(())
}

async fn a_claim_ends_with_its_lease(catalog: Subject) -> CaseResult {
    connected(&catalog, 1).await?;
    let dead = claim(&catalog, T0, 10).await?;
    assert_eq!(claim(&catalog, T0.plus(LEASE_MS - 1), 10).await?, []);
    let later = T0.plus(LEASE_MS);
    let living = claim(&catalog, later, 10).await?;
    assert_eq!(living.len(), 1);
    assert!(living[0].fence > dead[0].fence);
    assert!(!settle(&catalog, healthy(&dead[0], later, later)).await?);
    assert!(settle(&catalog, healthy(&living[0], later, later.plus(1))).await?);
    Ok(())
}

async fn what_was_found_is_kept(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let claimed = claim(&catalog, T0, 1).await?;
    let found = |finding: &WebhookFinding| Found {
        finding: *finding,
        detail: (*finding == WebhookFinding::WebhookForeign).then(|| "a \"host\" ü".to_owned()),
    };
    let state = WebhookState {
        status: WebhookStatus::Drifted,
        findings: WebhookFinding::ALL.iter().map(found).collect(),
        since: T0.plus(1),
        told: false,
        checked_at: Some(T0.plus(2)),
        unanswered_since: Some(T0.plus(3)),
        pending: Some(100_000),
        growth: 4,
        error_at: Some(1_795_200_000),
        moved: Some(WebhookMove {
            at: T0.plus(4),
            error_at: Some(1_795_199_999),
            well: true,
        }),
    };
    let settled = SettledWebhook {
        claim: claimed[0].clone(),
        state: state.clone(),
        seen: None,
        next_at: T0.plus(9),
    };
    assert!(settle(&catalog, settled).await?);
    assert_eq!(catalog.webhook_check(&ids[0]).await?.ok_or("kept")?.state, state);
    assert_eq!(claim(&catalog, T0.plus(9), 1).await?[0].state, state);
    assert_eq!(catalog.webhook_check(&BotId::new("never-made")?).await?, None);
    Ok(())
}

async fn a_check_comes_back_when_it_was_said(catalog: Subject) -> CaseResult {
    connected(&catalog, 1).await?;
    for (now, next) in [(T0, T0.plus(100)), (T0.plus(100), T0.plus(5 * LEASE_MS))] {
        let claimed = claim(&catalog, now, 1).await?;
        assert!(settle(&catalog, healthy(&claimed[0], now, next)).await?);
        assert_eq!(claim(&catalog, next.plus(-1), 1).await?, []);
    }
    assert_eq!(claim(&catalog, T0.plus(5 * LEASE_MS), 1).await?.len(), 1);
    Ok(())
}

async fn a_check_that_is_hastened_while_it_is_claimed_comes_at_once(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let claimed = claim(&catalog, T0, 1).await?;
    let now = T0.plus(50);
    catalog.hasten_webhook_check(&ids[0], now).await?;
    assert_eq!(claim(&catalog, now, 1).await?, [], "it is still claimed");
    assert!(settle(&catalog, healthy(&claimed[0], now, T0.plus(40_000))).await?);
    let again = claim(&catalog, now, 1).await?;
    assert_eq!(again.len(), 1);
    assert!(settle(&catalog, healthy(&again[0], now, T0.plus(40_000))).await?);
    assert_eq!(claim(&catalog, T0.plus(39_999), 1).await?, []);
    catalog.hasten_webhook_check(&ids[0], T0.plus(60)).await?;
    assert_eq!(claim(&catalog, T0.plus(60), 1).await?.len(), 1);
    Ok(())
}

async fn of_a_batch_what_is_still_held_is_written(catalog: Subject) -> CaseResult {
    connected(&catalog, 3).await?;
    let mut claimed = claim(&catalog, T0, 3).await?;
    claimed.reverse();
    let lost = claimed[1].bot.clone();
    claimed[1].fence -= 1;
    let batch: Vec<_> = claimed
        .iter()
        .map(|claim| healthy(claim, T0, T0.plus(40_000)))
        .collect();
    assert_eq!(catalog.settle_webhook_checks(&batch).await?, [true, false, true]);
    let state = catalog.webhook_check(&lost).await?.ok_or("kept")?.state;
    assert_eq!(state.status, WebhookStatus::Unknown);
    assert_eq!(catalog.settle_webhook_checks(&[]).await?, [false; 0]);
    Ok(())
}

async fn only_the_claim_that_settled_notes_what_was_told(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let told = async || {
        Ok::<_, StoreError>(
            catalog
                .webhook_check(&ids[0])
                .await?
                .is_some_and(|c| c.state.told),
        )
    };
    let first = claim(&catalog, T0, 1).await?.remove(0);
    let mut settled = drifted(&first, WebhookFinding::WebhookForeign);
    settled.state.told = false;
    settled.next_at = T0;
    assert!(settle(&catalog, settled).await?);
    let second = claim(&catalog, T0, 1).await?.remove(0);
    assert!(!second.state.told);
    catalog.note_webhook_told(&first).await?;
    assert!(!told().await?, "it was claimed since");
    catalog.note_webhook_told(&second).await?;
    assert!(told().await?);
    Ok(())
}

async fn checks_of_bots_that_are_not_connected_are_forgotten(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let claimed = claim(&catalog, T0, 1).await?.remove(0);
    catalog.forget_webhook_check(&claimed).await?;
    assert!(catalog.webhook_check(&ids[0]).await?.is_some(), "it is connected");
    catalog.set_connection(&ids[0], None).await?;
    catalog.forget_webhook_check(&claimed).await?;
    assert!(
        catalog.webhook_check(&ids[0]).await?.is_some(),
        "the claim ended with the connection"
    );
    let claimed = claim(&catalog, T0.plus(LEASE_MS), 1).await?.remove(0);
    catalog.forget_webhook_check(&claimed).await?;
    assert_eq!(catalog.webhook_check(&ids[0]).await?, None);
    assert_eq!(catalog.enrol_webhook_checks(T0).await?, 0);
    // It is connected again and has a new check, with which claims of the old one have nothing to do.
    connect(&catalog, &ids[0]).await?;
    let later = T0.plus(2 * LEASE_MS);
    assert_eq!(catalog.enrol_webhook_checks(later).await?, 1);
    let again = claim(&catalog, later, 1).await?.remove(0);
    assert!(again.fence > claimed.fence);
    Ok(())
}

async fn lists_hold_connected_bots_of_the_projects_and_the_status(catalog: Subject) -> CaseResult {
    let (project, ids) = connected(&catalog, 4).await?;
    for check in claim(&catalog, T0, 2).await? {
        assert!(settle(&catalog, drifted(&check, WebhookFinding::WebhookForeign)).await?);
    }
    catalog.set_connection(&ids[0], None).await?;
    let list = async |projects: &[ProjectId], status| {
        let page = catalog
            .webhook_checks(projects, status, &PageRequest::default())
            .await?;
        let bots = page.items.into_iter().map(|check| check.bot);
        Ok::<_, StoreError>(bots.collect::<Vec<_>>())
    };
    let nobody = ProjectId::generate();
    assert_eq!(list(&[nobody, project], None).await?, ids[1..]);
    assert_eq!(list(&[project], Some(WebhookStatus::Drifted)).await?, ids[1..2]);
    assert_eq!(list(&[project], Some(WebhookStatus::Unknown)).await?, ids[2..]);
    assert_eq!(list(&[nobody], None).await?, []);
    assert_eq!(list(&[], None).await?, []);
    Ok(())
}

async fn lists_come_in_pages(catalog: Subject) -> CaseResult {
    let (project, ids) = connected(&catalog, 5).await?;
    let catalog = &catalog;
    for limit in [1, 2, 5, 6] {
        let checks = pages::all(limit, |page| async move {
            catalog.webhook_checks(&[project], None, &page).await
        })
        .await?;
        let listed: Vec<_> = checks.into_iter().map(|check| check.bot).collect();
        assert_eq!(listed, ids, "pages of {limit}");
    }
    pages::foreign_cursors_list_nothing(&[], |page| async move {
        catalog.webhook_checks(&[project], None, &page).await
    })
    .await?;
    Ok(())
}

async fn bots_are_counted_by_status_and_findings(catalog: Subject) -> CaseResult {
    let (project, ids) = connected(&catalog, 5).await?;
    let claimed = claim(&catalog, T0, 4).await?;
    for check in &claimed[..2] {
        assert!(settle(&catalog, drifted(check, WebhookFinding::WebhookForeign)).await?);
    }
    let mut both = drifted(&claimed[2], WebhookFinding::UrlOutdated);
    both.state.findings.push(Found {
        finding: WebhookFinding::DeliveryFailing,
        detail: None,
    });
    assert!(settle(&catalog, both).await?);
    assert!(settle(&catalog, drifted(&claimed[3], WebhookFinding::WebhookForeign)).await?);
    catalog.set_connection(&ids[3], None).await?;
    let tally = |status, findings: &[WebhookFinding], bots| WebhookTally {
        status,
        findings: findings.to_vec(),
        elsewhere: false,
        bots,
    };
    let expected = [
        tally(
            WebhookStatus::Drifted,
            &[WebhookFinding::UrlOutdated, WebhookFinding::DeliveryFailing],
            1,
        ),
        tally(WebhookStatus::Drifted, &[WebhookFinding::WebhookForeign], 2),
        tally(WebhookStatus::Unknown, &[], 1),
    ];
    assert_eq!(catalog.webhook_tally(None).await?, expected);
    assert_eq!(catalog.webhook_tally(Some(&[project])).await?, expected);
    assert_eq!(catalog.webhook_tally(Some(&[ProjectId::generate()])).await?, []);
    assert_eq!(catalog.webhook_tally(Some(&[])).await?, []);
    Ok(())
}

async fn bots_are_to_be_moved_from_the_moment_of_the_move(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 3).await?;
    for (bot, base) in ids.iter().zip(["https://one.example", "https://one.example.org"]) {
        let (url, by) = (format!("{base}/wh/{bot}"), Registrar::Person);
        catalog.begin_registration(bot, &url, by, T0, T0.plus(1)).await?;
        catalog
            .end_registration(bot, by, &tried(T0), Some(&registered(&url)))
            .await?;
    }
    let elsewhere = async || -> Fixture<u64> {
        let tally = catalog.webhook_tally(None).await?;
        let moved = tally.iter().filter(|entry| entry.elsewhere);
        Ok(moved.map(|entry| entry.bots).sum())
    };
    assert_eq!(elsewhere().await?, 0, "nothing was announced");
    for (announced, bots) in [
        (Some("https://one.example/"), 1),
        (Some("https://one.example"), 1),
        (Some("https://two.example/"), 2),
        (None, 0),
    ] {
        catalog.announce_public_url(announced).await?;
        assert_eq!(elsewhere().await?, bots, "{announced:?}");
    }
    Ok(())
}

fn tried(at: TimestampMs) -> Tried {
    Tried {
        fingerprint: Sha256Hash::of("everything"),
        at,
    }
}

fn registered(url: &str) -> Registered {
    Registered {
        url: url.to_owned(),
        secret: Sha256Hash::of(url),
    }
}

async fn an_address_is_ours_from_the_beginning_of_its_registration(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    let known = async || {
        let check = catalog
            .webhook_check(&id)
            .await?
            .expect("the registration made it");
        let registration = check.registration;
        Ok::<_, StoreError>(["old", "new", "newer"].map(|url| registration.knows(url)))
    };
    catalog
        .begin_registration(&id, "old", Registrar::Person, T0, T0)
        .await?;
    assert_eq!(known().await?, [true, false, false]);
    catalog
        .end_registration(&id, Registrar::Person, &tried(T0), Some(&registered("old")))
        .await?;
    // The one who begins dies here; Telegram may have the one or the other.
    catalog
        .begin_registration(&id, "new", Registrar::Person, T0, T0)
        .await?;
    assert_eq!(known().await?, [true, true, false]);
    // It was seen to have the new one.
    let claimed = claim(&catalog, T0, 1).await?.remove(0);
    let by = Registrar::Check {
        claim: &claimed,
        before: "new",
    };
    assert!(catalog.begin_registration(&id, "newer", by, T0, T0).await?);
    assert_eq!(known().await?, [false, true, true]);
    catalog
        .end_registration(
            &id,
            Registrar::Person,
            &tried(T0.plus(7)),
            Some(&registered("newer")),
        )
        .await?;
    let registration = catalog.webhook_check(&id).await?.ok_or("kept")?.registration;
    let expected = Registration {
        registered: Some("newer".to_owned()),
        registering: None,
        secret: Some(Sha256Hash::of("newer")),
        tried: Some(tried(T0.plus(7))),
    };
    assert_eq!(registration, expected);
    let nobody = BotId::new("never-made")?;
    let answer = catalog
        .begin_registration(&nobody, "x", Registrar::Person, T0, T0)
        .await;
    assert!(matches!(answer, Err(StoreError::Missing("bot"))), "{answer:?}");
    Ok(())
}

async fn what_is_being_registered_is_not_judged(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 2).await?;
    let later = T0.plus(100_000);
    let due = async |now: TimestampMs| {
        let claimed = claim(&catalog, now, 2).await?;
        for check in &claimed {
            assert!(settle(&catalog, healthy(check, now, later)).await?);
        }
        let bots = claimed.into_iter().map(|check| check.bot);
        Fixture::Ok(bots.collect::<Vec<_>>())
    };
    catalog
        .begin_registration(&ids[0], "new", Registrar::Person, T0, T0.plus(9))
        .await?;
    assert_eq!(due(T0).await?, [ids[1].clone()]);
    catalog.hasten_webhook_check(&ids[0], T0.plus(1)).await?;
    assert_eq!(due(T0.plus(8)).await?, [], "Telegram may not have it yet");
    assert_eq!(due(T0.plus(9)).await?, [ids[0].clone()], "nobody told the end");
    catalog
        .begin_registration(&ids[0], "newer", Registrar::Person, later, later.plus(9))
        .await?;
    assert_eq!(due(later).await?, [ids[1].clone()]);
    catalog
        .end_registration(
            &ids[0],
            Registrar::Person,
            &tried(later.plus(2)),
            Some(&registered("newer")),
        )
        .await?;
    assert!(due(later.plus(2)).await?.contains(&ids[0]), "the end was told");
    Ok(())
}

async fn what_is_hastened_during_a_registration_is_due_at_its_end(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let claimed = claim(&catalog, T0, 1).await?.remove(0);
    assert!(settle(&catalog, healthy(&claimed, T0, T0.plus(40_000))).await?);
    catalog
        .begin_registration(&ids[0], "new", Registrar::Person, T0, T0.plus(9))
        .await?;
    catalog.hasten_webhook_check(&ids[0], T0.plus(1)).await?;
    assert_eq!(
        claim(&catalog, T0.plus(8), 1).await?,
        [],
        "Telegram may not have it yet"
    );
    // A refusal makes no check due by itself.
    catalog
        .end_registration(&ids[0], Registrar::Person, &tried(T0.plus(3)), None)
        .await?;
    assert_eq!(claim(&catalog, T0.plus(3), 1).await?.len(), 1);
    Ok(())
}

async fn a_registration_by_a_check_puts_off_nothing(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let until = T0.plus(2 * LEASE_MS);
    for hastened in [false, true] {
        let now = T0.plus(i64::from(hastened) * 100_000);
        let until = until.plus(i64::from(hastened) * 100_000);
        let claimed = claim(&catalog, now, 1).await?.remove(0);
        if hastened {
            catalog.hasten_webhook_check(&ids[0], now.plus(1)).await?;
        }
        let by = Registrar::Check {
            claim: &claimed,
            before: "old",
        };
        assert!(
            catalog
                .begin_registration(&ids[0], "new", by, now.plus(2), until)
                .await?
        );
        assert_eq!(
            claim(&catalog, until.plus(-1), 1).await?,
            [],
            "Telegram may not have it yet"
        );
        let next = now.plus(3);
        assert!(settle(&catalog, healthy(&claimed, next, now.plus(100_000))).await?);
        let due = claim(&catalog, next, 1).await?;
        assert_eq!(due.len(), usize::from(hastened));
    }
    Ok(())
}

async fn the_health_of_a_bot_counts_from_its_first_registration(catalog: Subject) -> CaseResult {
    let id = a_bot(&catalog).await?;
    catalog
        .begin_registration(&id, "new", Registrar::Person, T0, T0.plus(9))
        .await?;
    let state = catalog.webhook_check(&id).await?.ok_or("kept")?.state;
    assert_eq!(state, WebhookState::unchecked(T0));
    Ok(())
}

async fn a_check_that_lost_its_claim_ends_no_registration(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let claimed = claim(&catalog, T0, 1).await?.remove(0);
    let by = || Registrar::Check {
        claim: &claimed,
        before: "old",
    };
    assert!(
        catalog
            .begin_registration(&ids[0], "repaired", by(), T0, T0)
            .await?
    );
    // Meanwhile somebody connects the bot anew, and Telegram has not answered them yet.
    catalog
        .begin_registration(&ids[0], "person's", Registrar::Person, T0, T0.plus(9))
        .await?;
    let under_way = catalog.webhook_check(&ids[0]).await?;
    catalog
        .end_registration(&ids[0], by(), &tried(T0.plus(1)), None)
        .await?;
    assert_eq!(catalog.webhook_check(&ids[0]).await?, under_way, "it was refused");
    catalog
        .end_registration(&ids[0], by(), &tried(T0.plus(1)), Some(&registered("repaired")))
        .await?;
    let registration = catalog.webhook_check(&ids[0]).await?.ok_or("kept")?.registration;
    assert_eq!(registration.registered.as_deref(), Some("old"));
    assert_eq!(registration.registering.as_deref(), Some("person's"));
    assert_eq!(claim(&catalog, T0.plus(8), 1).await?, [], "it is not judged yet");
    Ok(())
}

/// Two `setWebhook` that were under way at the same time: Telegram may have taken either last. The wanted one is put back at
/// the next check, which takes the late one to be there, whose fingerprint is not known to have been tried.
async fn a_webhook_that_a_check_set_late_is_looked_for(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let id = &ids[0];
    let mut now = T0;
    for late in [true, false] {
        let claimed = claim(&catalog, now, 1).await?.remove(0);
        let check = Registrar::Check {
            claim: &claimed,
            before: "old",
        };
        assert!(
            catalog
                .begin_registration(id, "old secret", check, now, now.plus(9))
                .await?
        );
        catalog
            .begin_registration(id, "new secret", Registrar::Person, now, now.plus(9))
            .await?;
        let person = (Registrar::Person, registered("new secret"));
        let ends = if late {
            [person, (check, registered("old secret"))]
        } else {
            [(check, registered("old secret")), person]
        };
        for (by, registered) in ends {
            now = now.plus(1);
            catalog
                .end_registration(id, by, &tried(now), Some(&registered))
                .await?;
        }
        let again = claim(&catalog, now, 1).await?;
        let [again] = &again[..] else {
            panic!("the check is due: {late}");
        };
        let doubtful = Registration {
            registered: Some("new secret".to_owned()),
            registering: None,
            secret: Some(Sha256Hash::of("old secret")),
            tried: None,
        };
        assert_eq!(again.registration, doubtful, "{late}");
        // It sets the right one, and then all is known.
        let by = Registrar::Check {
            claim: again,
            before: "new secret",
        };
        let new = registered("new secret");
        assert!(
            catalog
                .begin_registration(id, "new secret", by, now, now.plus(9))
                .await?
        );
        catalog.end_registration(id, by, &tried(now), Some(&new)).await?;
        let certain = Registration {
            registered: Some("new secret".to_owned()),
            registering: None,
            secret: Some(new.secret),
            tried: Some(tried(now)),
        };
        let known = catalog.webhook_check(id).await?.ok_or("kept")?.registration;
        assert_eq!(known, certain, "{late}");
        now = now.plus(LEASE_MS);
        assert!(settle(&catalog, healthy(again, now, now)).await?);
    }
    Ok(())
}

async fn a_refusal_registers_nothing(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let claimed = claim(&catalog, T0, 1).await?;
    assert!(settle(&catalog, healthy(&claimed[0], T0, T0.plus(40_000))).await?);
    catalog
        .begin_registration(&ids[0], "new", Registrar::Person, T0, T0)
        .await?;
    catalog
        .end_registration(&ids[0], Registrar::Person, &tried(T0.plus(1)), None)
        .await?;
    let registration = catalog.webhook_check(&ids[0]).await?.ok_or("kept")?.registration;
    let expected = Registration {
        tried: Some(tried(T0.plus(1))),
        ..Registration::default()
    };
    assert_eq!(registration, expected);
    assert_eq!(claim(&catalog, T0.plus(1), 1).await?, [], "nothing is new");
    catalog
        .end_registration(
            &ids[0],
            Registrar::Person,
            &tried(T0.plus(2)),
            Some(&registered("new")),
        )
        .await?;
    assert_eq!(
        claim(&catalog, T0.plus(2), 1).await?.len(),
        1,
        "it is looked at again"
    );
    Ok(())
}

async fn what_was_seen_before_a_change_of_the_connection_is_not_written(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let id = &ids[0];
    let connection = Connection {
        ingress: IngressMode::Webhook,
        webhook_secret: Some(SealedToken(b"sealed".to_vec())),
    };
    let mut now = T0;
    for change in 0..7 {
        now = now.plus(LEASE_MS);
        let seen = claim(&catalog, now, 1).await?.remove(0);
        match change {
            0 => catalog.set_connection(id, Some(&connection)).await?,
            1 => assert!(
                catalog
                    .replace_connection(id, Some(&connection), Some(&connection))
                    .await?
            ),
            2 => {
                let identity = TelegramIdentity {
                    id: 7_100_000_001,
                    username: "a_bot".to_owned(),
                };
                let seen = catalog.bot(id).await?.ok_or("stored")?.token;
                let token = SealedToken(b"token".to_vec());
                let set = catalog.set_token(id, seen.as_ref(), &token, &identity).await?;
                assert_eq!(set, TokenChange::Set);
            }
            3 => assert!(
                catalog
                    .begin_registration(id, "new", Registrar::Person, now, now)
                    .await?
            ),
            4 => {
                let registered = registered("new");
                catalog
                    .end_registration(id, Registrar::Person, &tried(now), Some(&registered))
                    .await?;
            }
            5 => {
                catalog
                    .end_registration(id, Registrar::Person, &tried(now), None)
                    .await?;
            }
            _ => assert!(catalog.delete_bot(id, now).await?),
        }
        let foreign = drifted(&seen, WebhookFinding::WebhookForeign);
        assert!(!settle(&catalog, foreign).await?, "change {change}");
        let state = catalog.webhook_check(id).await?.ok_or("kept")?.state;
        assert_eq!(state.status, WebhookStatus::Unknown, "change {change}");
        let by = Registrar::Check {
            claim: &seen,
            before: "old",
        };
        assert!(
            !catalog.begin_registration(id, "older", by, now, now).await?,
            "change {change}"
        );
    }
    now = now.plus(LEASE_MS);
    let seen = claim(&catalog, now, 1).await?.remove(0);
    assert!(
        settle(&catalog, healthy(&seen, now, now)).await?,
        "nothing changed"
    );
    Ok(())
}

async fn a_check_sets_right_under_its_own_claim_only(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    let lost = claim(&catalog, T0, 1).await?.remove(0);
    catalog
        .end_registration(&ids[0], Registrar::Person, &tried(T0), None)
        .await?;
    let before = catalog.webhook_check(&ids[0]).await?;
    let by = Registrar::Check {
        claim: &lost,
        before: "old",
    };
    assert!(!catalog.begin_registration(&ids[0], "new", by, T0, T0).await?);
    assert_eq!(catalog.webhook_check(&ids[0]).await?, before, "nothing changes");
    let now = T0.plus(LEASE_MS);
    let held = claim(&catalog, now, 1).await?.remove(0);
    let by = Registrar::Check {
        claim: &held,
        before: "old",
    };
    assert!(catalog.begin_registration(&ids[0], "new", by, now, now).await?);
    let new = registered("new");
    catalog
        .end_registration(&ids[0], by, &tried(now), Some(&new))
        .await?;
    assert!(
        settle(&catalog, healthy(&held, now, now)).await?,
        "its own doing does not end a claim"
    );
    let registration = catalog.webhook_check(&ids[0]).await?.ok_or("kept")?.registration;
    assert_eq!(registration.registered.as_deref(), Some("new"));
    Ok(())
}

async fn what_a_check_saw_is_registered(catalog: Subject) -> CaseResult {
    let (_, ids) = connected(&catalog, 1).await?;
    for (now, url, expected) in [
        (T0, Some("seen"), "seen"),
        (T0.plus(1), None, "seen"),
        (T0.plus(2), Some("later"), "later"),
    ] {
        let claimed = claim(&catalog, now, 1).await?;
        let mut settled = healthy(&claimed[0], now, now.plus(1));
        settled.seen = url.map(registered);
        assert!(settle(&catalog, settled).await?);
        let registration = catalog.webhook_check(&ids[0]).await?.ok_or("kept")?.registration;
        assert_eq!(registration.registered.as_deref(), Some(expected));
        assert_eq!(registration.secret, Some(Sha256Hash::of(expected)));
    }
    Ok(())
}

async fn the_public_url_is_what_was_announced_last(catalog: Subject) -> CaseResult {
    assert_eq!(catalog.announced_public_url().await?, None);
    for url in [Some("https://a.example/"), Some("https://b.example/"), None] {
        catalog.announce_public_url(url).await?;
        assert_eq!(catalog.announced_public_url().await?.as_deref(), url);
    }
    Ok(())
}
