//! How all connected bots are, and whether moves to another address are held.

use std::sync::Arc;

use super::{Fixture, Subject, add_bot, owner};
use crate::hash::Sha256Hash;
use crate::ids::BotId;
use crate::model::{
    Found, IngressMode, Registered, SealedToken, WebhookFinding, WebhookMove, WebhookState, WebhookStatus,
    WebhookSurvey,
};
use crate::ports::{Connection, SettledWebhook};
use crate::testing::conformance::CaseResult;
use crate::testing::conformance::cases::{T0, cases, race};
use crate::time::TimestampMs;

cases!(($) webhook_survey_conformance, catalog::webhook_survey, Subject, [
    bots_at_the_new_address_are_told_from_those_at_an_older_one,
    only_what_failed_since_the_move_speaks_against_it,
    moves_count_for_an_hour_before_the_last_one,
    bots_that_are_not_connected_do_not_count,
    silence_of_telegram_is_counted,
    that_moves_are_held_is_noted_once,
    a_hold_of_moves_is_neither_a_hold_of_changes_nor_an_address,
    all_checks_are_told_in_their_order,
]);

const OLD: &str = "https://old.example/wh/x";
const NEW: &str = "https://new.example/wh/x";
const HOUR_MS: i64 = 3_600_000;

/// How a check ends.
struct Seen {
    bot: String,
    url: &'static str,
    findings: Vec<WebhookFinding>,
    error_at: Option<i64>,
    moved: Option<WebhookMove>,
    unanswered_since: Option<TimestampMs>,
}

impl Seen {
    fn at(bot: &str, url: &'static str) -> Self {
        Self {
            bot: bot.to_owned(),
            url,
            findings: Vec::new(),
            error_at: None,
            moved: None,
            unanswered_since: None,
        }
    }

    fn failing(self, finding: WebhookFinding, error_at: i64) -> Self {
        Self {
            findings: vec![finding],
            error_at: Some(error_at),
            ..self
        }
    }

    fn moved(self, at: TimestampMs, error_at: Option<i64>) -> Self {
        Self {
            moved: Some(WebhookMove {
                at,
                error_at,
                well: true,
            }),
            ..self
        }
    }

    /// Moved though it was not well.
    fn moved_ill(self, at: TimestampMs) -> Self {
        Self {
            moved: Some(WebhookMove {
                at,
                error_at: None,
                well: false,
            }),
            ..self
        }
    }

    fn state(&self) -> WebhookState {
        let found = |finding: &WebhookFinding| Found {
            finding: *finding,
            detail: None,
        };
        WebhookState {
            status: WebhookStatus::Healthy,
            findings: self.findings.iter().map(found).collect(),
            checked_at: Some(T0),
            unanswered_since: self.unanswered_since,
            error_at: self.error_at,
            moved: self.moved,
            ..WebhookState::unchecked(T0)
        }
    }
}

/// Connected bots of which checks found this, after the new address was announced.
async fn found(catalog: &Subject, all: Vec<Seen>) -> Fixture<WebhookSurvey> {
    let (_, project) = owner(catalog).await?;
    for seen in &all {
        assert!(add_bot(catalog, project.id, &seen.bot).await?);
        let connection = Connection {
            ingress: IngressMode::Webhook,
            webhook_secret: Some(SealedToken(b"sealed".to_vec())),
        };
        catalog
            .set_connection(&BotId::new(&seen.bot)?, Some(&connection))
            .await?;
    }
    catalog.enrol_webhook_checks(T0).await?;
    let number = u32::try_from(all.len())?;
    let claims = catalog.claim_webhook_checks(T0, T0.plus(1), number).await?;
    assert_eq!(claims.len(), all.len());
    let mut settled = Vec::new();
    for claim in claims {
        let seen = all.iter().find(|seen| seen.bot == claim.bot.as_str());
        let seen = seen.ok_or("every check is of one of them")?;
        settled.push(SettledWebhook {
            claim,
            state: seen.state(),
            seen: Some(Registered {
                url: seen.url.to_owned(),
                secret: Sha256Hash::of("secret"),
            }),
            next_at: T0.plus(30_000),
        });
    }
    let held = catalog.settle_webhook_checks(&settled).await?;
    assert!(held.iter().all(|held| *held));
    for seen in &all {
        let check = catalog.webhook_check(&BotId::new(&seen.bot)?).await?;
        assert_eq!(check.ok_or("kept")?.state, seen.state());
    }
    catalog.announce_public_url(Some("https://new.example/")).await?;
    Ok(catalog.webhook_survey(NOW).await?)
}

/// After all moves of these cases.
const NOW: TimestampMs = TimestampMs(T0.0 + 11 * HOUR_MS);

async fn bots_at_the_new_address_are_told_from_those_at_an_older_one(catalog: Subject) -> CaseResult {
    assert_eq!(catalog.webhook_survey(T0).await?, WebhookSurvey::default());
    let survey = found(
        &catalog,
        vec![
            Seen::at("moved", NEW).moved(T0, None),
            Seen::at("moved-ill", NEW)
                .moved(T0, None)
                .failing(WebhookFinding::DeliveryFailing, 7),
            Seen::at("always-there", NEW),
            Seen::at("ill-before", NEW).moved_ill(T0),
            Seen::at("left", OLD),
            Seen::at("left-ill", OLD).failing(WebhookFinding::SecretRefused, 7),
            // It was moved to where everybody is to be moved away from.
            Seen::at("moved-earlier", OLD)
                .moved(T0, None)
                .failing(WebhookFinding::DeliveryFailing, 7),
        ],
    )
    .await?;
    let expected = WebhookSurvey {
        moved: 2,
        moved_failing: 1,
        rest: 3,
        others: 4,
        others_failing: 3,
        ..WebhookSurvey::default()
    };
    assert_eq!(survey, expected);
    // Back again.
    catalog.announce_public_url(Some("https://old.example")).await?;
    let expected = WebhookSurvey {
        moved: 1,
        moved_failing: 1,
        rest: 4,
        others: 4,
        others_failing: 1,
        ..WebhookSurvey::default()
    };
    assert_eq!(catalog.webhook_survey(T0).await?, expected);
    catalog.announce_public_url(None).await?;
    assert_eq!(catalog.webhook_survey(T0).await?, WebhookSurvey::default());
    Ok(())
}

async fn only_what_failed_since_the_move_speaks_against_it(catalog: Subject) -> CaseResult {
    use WebhookFinding::{AllowedUpdatesDiffer, BacklogGrowing, DeliveryFailing, SecretRefused};
    let moved = |bot| Seen::at(bot, NEW).moved(T0, Some(100));
    let survey = found(
        &catalog,
        vec![
            moved("well"),
            moved("of-before").failing(DeliveryFailing, 100),
            moved("fails").failing(DeliveryFailing, 101),
            moved("refused").failing(SecretRefused, 101),
            // Telegram tells no error of connections that are closed on the way.
            moved("grows").failing(BacklogGrowing, 100),
            moved("differs").failing(AllowedUpdatesDiffer, 101),
        ],
    )
    .await?;
    assert_eq!((survey.moved, survey.moved_failing), (6, 3));
    Ok(())
}

async fn moves_count_for_an_hour_before_the_last_one(catalog: Subject) -> CaseResult {
    let last = T0.plus(10 * HOUR_MS);
    let survey = found(
        &catalog,
        vec![
            Seen::at("last", NEW).moved(last, None),
            Seen::at("within", NEW).moved(last.plus(1 - HOUR_MS), None),
            Seen::at("before", NEW)
                .moved(last.plus(-HOUR_MS), None)
                .failing(WebhookFinding::DeliveryFailing, 7),
            // By a clock that was a day ahead: it counts, and is no measure for the others.
            Seen::at("ahead", NEW).moved(NOW.plus(HOUR_MS + 1), None),
        ],
    )
    .await?;
    assert_eq!((survey.moved, survey.moved_failing), (3, 0));
    Ok(())
}

async fn bots_that_are_not_connected_do_not_count(catalog: Subject) -> CaseResult {
    let ill = |bot, url| {
        let seen = Seen::at(bot, url).moved(T0, None);
        seen.failing(WebhookFinding::DeliveryFailing, 7)
    };
    let survey = found(&catalog, vec![ill("one", NEW), ill("other", OLD)]).await?;
    assert_eq!((survey.moved_failing, survey.others_failing), (1, 1));
    catalog.set_connection(&BotId::new("one")?, None).await?;
    catalog.delete_bot(&BotId::new("other")?, T0).await?;
    assert_eq!(catalog.webhook_survey(T0).await?, WebhookSurvey::default());
    Ok(())
}

async fn silence_of_telegram_is_counted(catalog: Subject) -> CaseResult {
    let since = |bot, ms| Seen {
        unanswered_since: Some(T0.plus(ms)),
        ..Seen::at(bot, NEW)
    };
    let survey = found(
        &catalog,
        vec![since("one", 9), since("two", 3), Seen::at("well", NEW)],
    )
    .await?;
    assert_eq!(survey.unanswered, 2);
    assert_eq!(survey.unanswered_since, Some(T0.plus(3)));
    Ok(())
}

async fn that_moves_are_held_is_noted_once(catalog: Subject) -> CaseResult {
    assert!(!catalog.note_webhook_moves_held(None).await?, "they never were");
    let noted = race(8, |caller| {
        let catalog = Arc::clone(&catalog);
        let at = T0.plus(i64::try_from(caller).unwrap_or_default());
        async move { catalog.note_webhook_moves_held(Some(at)).await }
    })
    .await;
    let noted = noted.into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(noted.iter().filter(|noted| **noted).count(), 1);
    let since = catalog.webhook_survey(T0).await?.held_since.ok_or("held")?;
    assert!(!catalog.note_webhook_moves_held(Some(T0.plus(99))).await?);
    assert_eq!(catalog.webhook_survey(T0).await?.held_since, Some(since));
    assert!(catalog.note_webhook_moves_held(None).await?);
    assert!(!catalog.note_webhook_moves_held(None).await?);
    assert_eq!(catalog.webhook_survey(T0).await?.held_since, None);
    assert!(catalog.note_webhook_moves_held(Some(T0)).await?, "again");
    Ok(())
}

async fn a_hold_of_moves_is_neither_a_hold_of_changes_nor_an_address(catalog: Subject) -> CaseResult {
    catalog.note_webhook_moves_held(Some(T0)).await?;
    assert_eq!(catalog.webhook_pace(T0).await?.held_until, None);
    catalog.hold_webhook_changes(T0.plus(500)).await?;
    catalog.announce_public_url(Some("https://a.example/")).await?;
    assert_eq!(catalog.webhook_survey(T0).await?.held_since, Some(T0));
    assert!(catalog.note_webhook_moves_held(None).await?);
    let url = catalog.announced_public_url().await?;
    assert_eq!(url.as_deref(), Some("https://a.example/"));
    assert_eq!(catalog.webhook_pace(T0).await?.held_until, Some(T0.plus(500)));
    Ok(())
}

async fn all_checks_are_told_in_their_order(catalog: Subject) -> CaseResult {
    assert_eq!(catalog.webhook_check_ids().await?, []);
    found(
        &catalog,
        vec![Seen::at("bot", NEW), Seen::at("ant-1", OLD), Seen::at("ant", NEW)],
    )
    .await?;
    let ids = catalog.webhook_check_ids().await?;
    let ids: Vec<&str> = ids.iter().map(BotId::as_str).collect();
    assert_eq!(ids, ["ant", "ant-1", "bot"]);
    Ok(())
}
