//! The pace at which webhooks are changed.

use std::sync::Arc;

use super::Subject;
use crate::ids::BotId;
use crate::model::{WebhookGrant, WebhookPace, WebhookPaceState};
use crate::ports::StoreError;
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};
use crate::time::TimestampMs;

cases!(($) webhook_pace_conformance, catalog::webhook_pace, Subject, [
    no_minute_and_no_hour_has_more_than_allowed,
    a_bot_has_one_a_second,
    callers_at_once_share_what_is_allowed,
    a_lower_pace_leaves_room_for_others,
    nothing_is_given_while_it_is_held,
    old_grants_are_forgotten_and_the_pace_is_kept,
    clocks_that_disagree_do_not_let_more_through,
    a_span_counts_from_the_latest_time_that_any_clock_showed,
    a_clock_that_was_far_ahead_stops_nobody_for_longer_than_a_span,
    a_hold_from_a_clock_that_was_far_ahead_does_not_last,
]);

const PACE: WebhookPace = WebhookPace {
    per_minute: 20,
    per_hour: 600,
};

fn bot(number: usize) -> BotId {
    BotId::new(format!("bot-{number}")).expect("the suites name bots rightly")
}

/// Takes all that is to be had until `end`, and answers when each was given. Moves on by what the store says.
async fn take_all(catalog: &Subject, end: TimestampMs) -> Result<Vec<TimestampMs>, StoreError> {
    let mut given = Vec::new();
    let mut now = T0;
    while now < end {
        match catalog.grant_webhook_change(&bot(given.len()), now, PACE).await? {
            WebhookGrant::Given => given.push(now),
            WebhookGrant::NotBefore(later) => {
                assert!(later > now, "it says to come again in the past");
                now = later;
            }
        }
    }
    Ok(given)
}

fn most_within(given: &[TimestampMs], span: i64) -> usize {
    let within = |from: &TimestampMs| {
        given
            .iter()
            .filter(|at| (0..span).contains(&at.since(*from)))
            .count()
    };
    given.iter().map(within).max().unwrap_or(0)
}

async fn no_minute_and_no_hour_has_more_than_allowed(catalog: Subject) -> CaseResult {
    let given = take_all(&catalog, T0.plus(2 * 3_600_000)).await?;
    assert_eq!(most_within(&given, 60_000), 20);
    assert_eq!(most_within(&given, 3_600_000), 600);
    assert_eq!(given.len(), 1_200, "and no less than allowed");
    Ok(())
}

async fn a_bot_has_one_a_second(catalog: Subject) -> CaseResult {
    let ask = async |number, now| catalog.grant_webhook_change(&bot(number), now, PACE).await;
    assert_eq!(ask(1, T0).await?, WebhookGrant::Given);
    assert_eq!(ask(2, T0).await?, WebhookGrant::Given);
    let later = WebhookGrant::NotBefore(T0.plus(1_000));
    assert_eq!(ask(1, T0.plus(999)).await?, later);
    assert_eq!(ask(1, T0.plus(1_000)).await?, WebhookGrant::Given);
    Ok(())
}

async fn callers_at_once_share_what_is_allowed(catalog: Subject) -> CaseResult {
    let answers = race(8, |caller| {
        let catalog = Arc::clone(&catalog);
        async move {
            let mut given = 0;
            for n in 0..20 {
                let grant = catalog
                    .grant_webhook_change(&bot(caller * 100 + n), T0, PACE)
                    .await?;
                given += usize::from(grant == WebhookGrant::Given);
            }
            Ok::<_, StoreError>(given)
        }
    })
    .await;
    let given = answers.into_iter().sum::<Result<usize, _>>()?;
    assert_eq!(given, 20);
    Ok(())
}

async fn a_lower_pace_leaves_room_for_others(catalog: Subject) -> CaseResult {
    let lower = WebhookPace {
        per_minute: 16,
        per_hour: 540,
    };
    let mut given = 0;
    while catalog.grant_webhook_change(&bot(given), T0, lower).await? == WebhookGrant::Given {
        given += 1;
    }
    assert_eq!(given, 16);
    while catalog.grant_webhook_change(&bot(given), T0, PACE).await? == WebhookGrant::Given {
        given += 1;
    }
    assert_eq!(given, 20);
    Ok(())
}

async fn nothing_is_given_while_it_is_held(catalog: Subject) -> CaseResult {
    catalog.hold_webhook_changes(T0.plus(500)).await?;
    catalog.hold_webhook_changes(T0.plus(100)).await?;
    let held = WebhookGrant::NotBefore(T0.plus(500));
    let ask = async |number, now| catalog.grant_webhook_change(&bot(number), now, PACE).await;
    assert_eq!(ask(1, T0).await?, held);
    let state = WebhookPaceState {
        last_hour: 0,
        held_until: Some(T0.plus(500)),
    };
    assert_eq!(catalog.webhook_pace(T0).await?, state);
    catalog.announce_public_url(Some("https://a.example/")).await?;
    assert_eq!(ask(1, T0.plus(499)).await?, held);
    assert_eq!(ask(1, T0.plus(500)).await?, WebhookGrant::Given);
    let state = WebhookPaceState {
        last_hour: 1,
        held_until: None,
    };
    assert_eq!(catalog.webhook_pace(T0.plus(500)).await?, state);
    catalog.hold_webhook_changes(T0.plus(5_000)).await?;
    assert_eq!(
        ask(2, T0.plus(500)).await?,
        WebhookGrant::NotBefore(T0.plus(5_000))
    );
    assert_eq!(
        catalog.announced_public_url().await?.as_deref(),
        Some("https://a.example/")
    );
    Ok(())
}

async fn old_grants_are_forgotten_and_the_pace_is_kept(catalog: Subject) -> CaseResult {
    for number in 0..20 {
        let grant = catalog.grant_webhook_change(&bot(number), T0, PACE).await?;
        assert_eq!(grant, WebhookGrant::Given);
    }
    assert_eq!(catalog.expire_webhook_grants(T0).await?, 0);
    let grant = catalog.grant_webhook_change(&bot(99), T0, PACE).await?;
    assert_eq!(grant, WebhookGrant::NotBefore(T0.plus(60_000)));
    assert_eq!(
        catalog.expire_webhook_grants(T0.plus(1)).await?,
        19,
        "all but the newest"
    );
    let later = T0.plus(3_600_001);
    assert_eq!(catalog.webhook_pace(later).await?.last_hour, 0);
    let mut given = 0;
    while catalog.grant_webhook_change(&bot(given), later, PACE).await? == WebhookGrant::Given {
        given += 1;
    }
    assert_eq!(given, 20);
    Ok(())
}

async fn clocks_that_disagree_do_not_let_more_through(catalog: Subject) -> CaseResult {
    let mut given = 0;
    // Every other caller's clock is half a minute behind.
    for number in 0..60 {
        let now = if number % 2 == 0 { T0 } else { T0.plus(-30_000) };
        let grant = catalog.grant_webhook_change(&bot(number), now, PACE).await?;
        given += usize::from(grant == WebhookGrant::Given);
    }
    assert_eq!(given, 20);
    let grant = catalog
        .grant_webhook_change(&bot(99), T0.plus(59_999), PACE)
        .await?;
    assert_eq!(grant, WebhookGrant::NotBefore(T0.plus(60_000)));
    Ok(())
}

async fn a_span_counts_from_the_latest_time_that_any_clock_showed(catalog: Subject) -> CaseResult {
    let ask = async |number, now| catalog.grant_webhook_change(&bot(number), now, PACE).await;
    assert_eq!(ask(0, T0).await?, WebhookGrant::Given);
    // The clock goes back after the first one.
    for number in 1..20 {
        assert_eq!(ask(number, T0.plus(-30_000)).await?, WebhookGrant::Given);
    }
    assert_eq!(ask(20, T0.plus(60_000)).await?, WebhookGrant::Given);
    let later = WebhookGrant::NotBefore(T0.plus(60_000));
    assert_eq!(
        ask(21, T0.plus(59_999)).await?,
        later,
        "whoever is behind waits too"
    );
    assert_eq!(ask(21, T0.plus(60_000)).await?, WebhookGrant::Given);
    Ok(())
}

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

async fn a_clock_that_was_far_ahead_stops_nobody_for_longer_than_a_span(catalog: Subject) -> CaseResult {
    let ask = async |number, now| catalog.grant_webhook_change(&bot(number), now, PACE).await;
    for number in 0..20 {
        assert_eq!(ask(number, T0.plus(YEAR_MS)).await?, WebhookGrant::Given);
    }
    // It is set right: those twenty were made at some time within this minute.
    let later = WebhookGrant::NotBefore(T0.plus(60_000));
    assert_eq!(ask(20, T0).await?, later);
    assert_eq!(catalog.webhook_pace(T0).await?.last_hour, 20);
    assert_eq!(ask(20, T0.plus(59_999)).await?, later, "not each time anew");
    assert_eq!(ask(20, T0.plus(60_000)).await?, WebhookGrant::Given);
    assert_eq!(
        ask(0, T0.plus(60_000)).await?,
        WebhookGrant::Given,
        "also the bots"
    );
    // What differs by less is two clocks that disagree, and the pace is kept by the one ahead.
    let ahead = T0.plus(60_000 + 3_600_000);
    for number in 0..20 {
        assert_eq!(ask(100 + number, ahead).await?, WebhookGrant::Given);
    }
    let later = WebhookGrant::NotBefore(ahead.plus(60_000));
    assert_eq!(ask(200, T0.plus(60_000)).await?, later);
    Ok(())
}

async fn a_hold_from_a_clock_that_was_far_ahead_does_not_last(catalog: Subject) -> CaseResult {
    let ask = async |number, now| catalog.grant_webhook_change(&bot(number), now, PACE).await;
    catalog.hold_webhook_changes(T0.plus(YEAR_MS)).await?;
    assert_eq!(ask(1, T0).await?, WebhookGrant::Given);
    assert_eq!(catalog.webhook_pace(T0).await?.held_until, None);
    catalog.hold_webhook_changes(T0.plus(500)).await?;
    assert_eq!(ask(2, T0).await?, WebhookGrant::NotBefore(T0.plus(500)));
    // Two hours: the longest hold, as a clock sees it that is behind by as much as clocks may be.
    let longest = T0.plus(2 * 3_600_000);
    catalog.hold_webhook_changes(longest).await?;
    assert_eq!(ask(2, T0).await?, WebhookGrant::NotBefore(longest));
    Ok(())
}
