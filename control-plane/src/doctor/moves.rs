//! Whether moves to another public URL are held. A new address may not work (a name that does not resolve, a certificate, a
//! firewall), and nobody can tell before Telegram has tried. So the bots that were moved are compared with those that were not:
//! where deliveries of the former fail and of the latter do not, the others stay where they are until that is over. What speaks
//! for it is in the catalog alone; every node comes to the same answer.

use botloom_core::model::WebhookSurvey;
use botloom_core::ports::StoreResult;
use metrics::gauge;

use crate::state::App;

/// So many bots fail by themselves, whatever their address.
const FEW: u64 = 3;
/// Where moves are held, one less holds them on, so that they do not begin and end with a single bot.
const FEW_HELD: u64 = 2;
/// Bots that moved fail so many times as often as the others before it is held against the address.
const TIMES: u64 = 4;

/// Whether the new address does not work, as far as these numbers tell. What fails at both addresses fails for another reason,
/// and where nobody is left at the old one, nobody is to be kept from moving. Many bots get no updates for hours, so that a
/// small share of failures may be all of those that could fail.
pub(super) const fn is_bad(survey: &WebhookSurvey) -> bool {
    let WebhookSurvey {
        moved,
        moved_failing,
        rest,
        others,
        others_failing,
        held_since,
        ..
    } = *survey;
    let few = if held_since.is_some() { FEW_HELD } else { FEW };
    rest > 0
        && moved_failing >= few
        && moved_failing.saturating_mul(others) >= TIMES.saturating_mul(others_failing).saturating_mul(moved)
}

/// Looks whether moves are held, and tells when that changes.
pub(super) async fn survey(app: &App) -> StoreResult<WebhookSurvey> {
    let catalog = &app.deps.ports.catalog;
    let mut survey = catalog.webhook_survey(app.now()).await?;
    let bad = is_bad(&survey);
    if bad != survey.held_since.is_some() {
        let since = bad.then(|| app.now());
        if catalog.note_webhook_moves_held(since).await? {
            let WebhookSurvey {
                moved,
                moved_failing,
                rest,
                ..
            } = survey;
            if bad {
                tracing::error!(
                    moved,
                    moved_failing,
                    rest,
                    "bots that were moved to the new public URL get no updates: no more are moved until they do, or the \
                     URL is set back"
                );
            } else {
                tracing::info!(
                    moved,
                    moved_failing,
                    rest,
                    "bots are moved to the public URL again"
                );
            }
        }
        survey.held_since = since;
    }
    gauge!("botloom_webhook_moves_held").set(if bad { 1.0 } else { 0.0 });
    Ok(survey)
}

#[cfg(test)]
mod tests {
    use botloom_core::time::TimestampMs;

    use super::*;

    fn bad((moved, moved_failing): (u64, u64), (rest, rest_failing): (u64, u64)) -> bool {
        is_bad(&WebhookSurvey {
            moved,
            moved_failing,
            rest,
            others: rest,
            others_failing: rest_failing,
            ..WebhookSurvey::default()
        })
    }

    #[test]
    fn an_address_is_bad_when_bots_fail_there_and_not_elsewhere() {
        assert!(bad((16, 16), (9_984, 0)));
        assert!(bad((16, 3), (9_984, 10)));
        assert!(bad((540, 3), (9_460, 0)), "most bots are idle");
        assert!(bad((16, 3), (1, 0)), "also for a single one that is left");
    }

    #[test]
    fn nothing_is_held_without_something_to_compare_with() {
        assert!(!bad((0, 0), (10_000, 0)));
        assert!(!bad((2, 2), (9_998, 0)), "two fail by themselves");
        assert!(!bad((10_000, 9_000), (0, 0)), "everybody has moved");
        assert!(!bad((0, 0), (0, 0)));
    }

    #[test]
    fn a_hold_does_not_end_with_the_first_bot_that_recovers() {
        let held = |moved_failing| WebhookSurvey {
            moved: 16,
            moved_failing,
            rest: 100,
            others: 100,
            held_since: Some(TimestampMs(1)),
            ..WebhookSurvey::default()
        };
        assert!(is_bad(&held(2)));
        assert!(!is_bad(&held(1)));
    }

    #[test]
    fn what_fails_everywhere_is_not_the_new_address() {
        assert!(!bad((100, 100), (900, 900)));
        assert!(!bad((100, 30), (900, 90)), "three times as often");
        assert!(bad((100, 40), (900, 90)), "four times as often");
        let last = WebhookSurvey {
            moved: 17,
            moved_failing: 3,
            rest: 1,
            others: 3,
            others_failing: 2,
            ..WebhookSurvey::default()
        };
        assert!(!is_bad(&last), "most of those that failed have been moved");
    }
}
