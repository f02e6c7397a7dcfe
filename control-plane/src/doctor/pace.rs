//! How fast webhooks are changed without being asked. Telegram's open server refuses an address that wakes more than 20
//! bots a minute or 600 an hour; what is changed stays below that for the whole installation.

use std::sync::atomic::{AtomicI64, Ordering};

use botloom_core::ids::BotId;
use botloom_core::model::{WebhookGrant, WebhookPace};
use botloom_core::ports::StoreResult;
use botloom_core::time::TimestampMs;
use tokio::sync::Mutex;

use super::moves;
use crate::state::App;

/// For what a deployment changed, and the like.
const ALL: WebhookPace = WebhookPace {
    per_minute: 20,
    per_hour: 600,
};
/// For an address that changed, which means all bots at once: leaves room for the others.
const MOVING: WebhookPace = WebhookPace {
    per_minute: 16,
    per_hour: 540,
};

/// While moves are held it is looked so often whether they still are, ms.
const HELD_LOOK_MS: i64 = 5_000;

/// Longest that the catalog asks anybody to wait, ms: a hold, as a clock sees it that is behind by as much as clocks may be.
const LONGEST_WAIT_MS: i64 = 2 * 3_600_000;

/// What was last answered, so that thousands of bots that wait do not ask each time, and not all at once.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    asking: Mutex<()>,
    all: AtomicI64,
    moving: AtomicI64,
}

impl Pacer {
    /// Whether a bot's webhook may be changed now.
    pub(super) async fn grant(&self, app: &App, bot: &BotId, moves: bool) -> StoreResult<bool> {
        let (pace, not_before) = if moves {
            (MOVING, &self.moving)
        } else {
            (ALL, &self.all)
        };
        // Of many who ask side by side one gets the next grant, and the others would have asked in vain.
        let _turn = self.asking.lock().await;
        let now = app.now();
        let wait = not_before.load(Ordering::Relaxed).saturating_sub(now.0);
        // What is further ahead was answered while this node's clock was, and means nothing now.
        if (1..=LONGEST_WAIT_MS).contains(&wait) {
            return Ok(false);
        }
        if moves && moves::survey(app).await?.held_since.is_some() {
            not_before.store(now.plus(HELD_LOOK_MS).0, Ordering::Relaxed);
            return Ok(false);
        }
        match app
            .deps
            .ports
            .catalog
            .grant_webhook_change(bot, now, pace)
            .await?
        {
            WebhookGrant::Given => Ok(true),
            WebhookGrant::NotBefore(TimestampMs(later)) => {
                not_before.store(later, Ordering::Relaxed);
                Ok(false)
            }
        }
    }
}

/// Seconds until so many bots have moved to another address, given how many changes the last hour had.
pub(crate) fn eta_secs(left: u64, last_hour: u32) -> u64 {
    let (minute, hour) = (u64::from(MOVING.per_minute), u64::from(MOVING.per_hour));
    if left + u64::from(last_hour) <= hour {
        return (left * 60).div_ceil(minute);
    }
    (left * 3_600).div_ceil(hour)
}

/// Changes in any hour, for people.
pub(crate) const PER_HOUR: u32 = ALL.per_hour;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_bots_take_the_better_part_of_a_day() {
        assert_eq!(eta_secs(0, 600), 0);
        assert_eq!(eta_secs(16, 0), 60);
        assert_eq!(eta_secs(540, 0), 2_025);
        assert_eq!(eta_secs(10_000, 0) / 3_600, 18);
        assert!(eta_secs(1, 540) >= 6, "the hour is used up");
    }
}
