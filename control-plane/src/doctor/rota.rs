//! When a bot is checked again: every bot has a place in the round of all bots, in the order of their ids. So checks are spread
//! evenly over the round, and those that come at the same time are of neighbours, whose rows lie together: a transaction that
//! writes them writes few pages.

use std::time::Duration;

use botloom_core::ids::BotId;
use botloom_core::time::TimestampMs;

/// In which every bot is checked once, ms.
const ROUND_MS: i64 = 32_000;
/// Least pause between two checks of a bot that is not in its place, ms. The longest is this and a round.
const LEAST_MS: i64 = 8_000;
/// What was not checked for long, as after a time in which no node ran, is checked within this time.
const CATCH_UP: Duration = Duration::from_secs(20);
/// So many are checked at a look, however short the time since the last one.
const AT_LEAST: u32 = 32;

/// Places of bots.
#[derive(Debug, Default)]
pub(super) struct Rota {
    bots: Vec<BotId>,
    /// When its round begins: another time for every installation, and the same for all nodes of one.
    begin: i64,
}

impl Rota {
    /// Of all bots, in their order.
    pub(super) fn new(bots: Vec<BotId>) -> Self {
        let name = bots.first().map(BotId::as_str).unwrap_or_default();
        let begin = name
            .bytes()
            .fold(0, |sum, byte| (sum * 31 + i64::from(byte)) % ROUND_MS);
        Self { bots, begin }
    }

    /// How many bots have a place.
    pub(super) const fn len(&self) -> usize {
        self.bots.len()
    }

    /// When a bot that was checked at `now` is due again.
    pub(super) fn next(&self, bot: &BotId, now: TimestampMs) -> TimestampMs {
        let before = self.bots.partition_point(|other| other < bot);
        let (before, all) = (whole(before), whole(self.len()).max(1));
        let place = self.begin + before * ROUND_MS / all;
        let earliest = now.0 + LEAST_MS;
        TimestampMs(earliest + (place - earliest).rem_euclid(ROUND_MS))
    }

    /// Most checks to be begun at one look, where looks are `pause` apart.
    pub(super) fn at_a_look(&self, pause: Duration) -> u32 {
        let all = u128::try_from(self.len()).unwrap_or(u128::MAX);
        let share = all.saturating_mul(pause.as_millis()) / CATCH_UP.as_millis();
        u32::try_from(share).unwrap_or(u32::MAX).max(AT_LEAST)
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX / ROUND_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimestampMs = TimestampMs(1_795_200_000_000);

    fn bots(number: usize) -> Vec<BotId> {
        let id = |number| format!("bot-{number:05}").parse().unwrap();
        (0..number).map(id).collect()
    }

    #[test]
    fn checks_are_spread_evenly_and_come_back_in_the_same_place() {
        let rota = Rota::new(bots(10_000));
        let mut by_second = std::collections::BTreeMap::new();
        for bot in bots(10_000) {
            let next = rota.next(&bot, NOW);
            *by_second.entry(next.0 / 1_000).or_insert(0) += 1;
            assert_eq!(rota.next(&bot, next), next.plus(ROUND_MS), "{bot}");
        }
        assert!(
            by_second.len() <= 33 && by_second.values().all(|bots| *bots <= 314),
            "{by_second:?}"
        );
    }

    #[test]
    fn no_pause_is_longer_than_drift_may_stay_unseen_whatever_the_bot() {
        for rota in [Rota::default(), Rota::new(bots(1)), Rota::new(bots(7))] {
            for bot in ["aaa", "bot-00000", "bot-00003", "zzz"] {
                let bot: BotId = bot.parse().unwrap();
                for ms in (0..ROUND_MS).step_by(997) {
                    let now = NOW.plus(ms);
                    let pause = rota.next(&bot, now).since(now);
                    assert!((8_000..=40_000).contains(&pause), "{bot} {ms}: {pause}");
                }
            }
        }
    }

    #[test]
    fn after_a_downtime_ten_thousand_bots_are_not_asked_for_at_once() {
        let second = Duration::from_secs(1);
        assert_eq!(Rota::new(bots(10_000)).at_a_look(second), 500);
        assert_eq!(Rota::new(bots(3)).at_a_look(second), 32);
    }
}
