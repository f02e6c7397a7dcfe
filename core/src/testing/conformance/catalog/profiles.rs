//! What was published of bots outside of their chats.

use std::sync::Arc;

use super::{Fixture, Subject, a_bot, rev};
use crate::ids::{BotId, Epoch};
use crate::model::{IngressMode, ProfileRow, SealedToken, TelegramIdentity};
use crate::ports::{Connection, TokenChange};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};

cases!(($) profiles_conformance, catalog::profiles, Subject, [
    only_connected_bots_with_a_revision_are_due,
    of_many_claims_one_holds_until_its_time,
    a_row_comes_back_as_it_was_saved,
    a_settled_revision_is_not_due_and_the_next_one_is,
    a_lost_claim_changes_nothing,
    reopening_ends_pauses_claims_and_what_was_settled,
]);

const TELEGRAM_ID: i64 = 7_100_000_001;

/// `a-bot`, connected, with an active revision.
async fn live_bot(catalog: &Subject) -> Fixture<BotId> {
    let bot = a_bot(catalog).await?;
    set_token(catalog, &bot).await?;
    connect(catalog, &bot, true).await?;
    catalog.activate(&bot, Epoch(0), rev("one")).await?;
    Ok(bot)
}

async fn set_token(catalog: &Subject, bot: &BotId) -> Fixture<()> {
    let identity = TelegramIdentity {
        id: TELEGRAM_ID,
        username: "a_bot".to_owned(),
    };
    let token = SealedToken(vec![1]);
    let seen = catalog.bot(bot).await?.ok_or("stored")?.token;
    let set = catalog.set_token(bot, seen.as_ref(), &token, &identity).await?;
    assert_eq!(set, TokenChange::Set);
    Ok(())
}

async fn connect(catalog: &Subject, bot: &BotId, on: bool) -> Fixture<()> {
    let polling = Connection {
        ingress: IngressMode::Polling,
        webhook_secret: None,
    };
    Ok(catalog.set_connection(bot, on.then_some(&polling)).await?)
}

async fn is_due(catalog: &Subject) -> Fixture<bool> {
    Ok(!catalog.due_profiles(T0, 10).await?.is_empty())
}

async fn claimed(catalog: &Subject) -> Fixture<ProfileRow> {
    let row = catalog.claim_profile(TELEGRAM_ID, T0, T0.plus(1_000)).await?;
    Ok(row.ok_or("the profile is claimed already")?)
}

async fn only_connected_bots_with_a_revision_are_due(catalog: Subject) -> CaseResult {
    let bot = a_bot(&catalog).await?;
    assert!(!is_due(&catalog).await?, "no token");
    set_token(&catalog, &bot).await?;
    catalog.activate(&bot, Epoch(0), rev("one")).await?;
    assert!(!is_due(&catalog).await?, "not connected");
    connect(&catalog, &bot, true).await?;
    let due = catalog.due_profiles(T0, 10).await?;
    assert_eq!(due, [catalog.bot(&bot).await?.ok_or("the bot is there")?]);
    assert!(
        catalog.due_profiles(T0, 0).await?.is_empty(),
        "no more than asked for"
    );
    let version = due[0].version;
    assert!(catalog.suspend(&bot, version, "token-revoked").await?);
    assert!(!is_due(&catalog).await?, "suspended");
    set_token(&catalog, &bot).await?;
    assert!(is_due(&catalog).await?);
    catalog.delete_bot(&bot, T0).await?;
    assert!(!is_due(&catalog).await?, "deleted");
    Ok(())
}

async fn of_many_claims_one_holds_until_its_time(catalog: Subject) -> CaseResult {
    live_bot(&catalog).await?;
    for round in 0..2 {
        let (now, until) = (T0.plus(round * 1_000), T0.plus((round + 1) * 1_000));
        let claims = race(8, |_| {
            let catalog = Arc::clone(&catalog);
            async move { catalog.claim_profile(TELEGRAM_ID, now, until).await }
        })
        .await;
        let mut held = Vec::new();
        for claim in claims {
            held.extend(claim?);
        }
        assert_eq!(held.len(), 1, "round {round}");
        assert_eq!(held[0].due_at, until);
        assert!(catalog.due_profiles(until.plus(-1), 10).await?.is_empty());
        assert!(!catalog.due_profiles(until, 10).await?.is_empty());
    }
    Ok(())
}

async fn a_row_comes_back_as_it_was_saved(catalog: Subject) -> CaseResult {
    live_bot(&catalog).await?;
    assert_eq!(catalog.profile(TELEGRAM_ID).await?, None);
    let row = claimed(&catalog).await?;
    assert_eq!(catalog.profile(TELEGRAM_ID).await?, Some(row.clone()));
    let saved = ProfileRow {
        published: [
            ("commands:".to_owned(), "digest".to_owned()),
            ("description:de".to_owned(), String::new()),
        ]
        .into(),
        settled: Some(rev("one")),
        published_at: Some(T0.plus(7)),
        failure: Some("Bad Request: words, \u{e4}".to_owned()),
        attempts: 3,
        due_at: T0.plus(9),
        ..row
    };
    assert!(catalog.save_profile(&saved).await?);
    let stored = ProfileRow {
        version: saved.version + 1,
        ..saved
    };
    assert_eq!(catalog.profile(TELEGRAM_ID).await?, Some(stored));
    Ok(())
}

async fn a_settled_revision_is_not_due_and_the_next_one_is(catalog: Subject) -> CaseResult {
    let bot = live_bot(&catalog).await?;
    let settled = ProfileRow {
        settled: Some(rev("one")),
        due_at: T0,
        ..claimed(&catalog).await?
    };
    assert!(catalog.save_profile(&settled).await?);
    assert!(!is_due(&catalog).await?);
    catalog.activate(&bot, Epoch(1), rev("two")).await?;
    assert!(is_due(&catalog).await?);
    Ok(())
}

async fn a_lost_claim_changes_nothing(catalog: Subject) -> CaseResult {
    live_bot(&catalog).await?;
    let first = claimed(&catalog).await?;
    let later = T0.plus(1_000);
    let second = catalog
        .claim_profile(TELEGRAM_ID, later, later.plus(1_000))
        .await?;
    assert!(!catalog.save_profile(&first).await?);
    assert_eq!(catalog.profile(TELEGRAM_ID).await?, second);
    Ok(())
}

async fn reopening_ends_pauses_claims_and_what_was_settled(catalog: Subject) -> CaseResult {
    live_bot(&catalog).await?;
    catalog.reopen_profile(TELEGRAM_ID).await?;
    assert_eq!(catalog.profile(TELEGRAM_ID).await?, None, "nothing is made");
    let row = ProfileRow {
        settled: Some(rev("one")),
        attempts: 4,
        due_at: T0.plus(60_000),
        ..claimed(&catalog).await?
    };
    assert!(catalog.save_profile(&row).await?);
    catalog.reopen_profile(TELEGRAM_ID).await?;
    assert!(is_due(&catalog).await?);
    let claim = claimed(&catalog).await?;
    assert_eq!(claim.attempts, 0);
    catalog.reopen_profile(TELEGRAM_ID).await?;
    assert!(!catalog.save_profile(&claim).await?, "the claim has ended");
    assert!(is_due(&catalog).await?);
    Ok(())
}
