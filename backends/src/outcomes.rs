//! Outcomes of an installation that is one process: in memory. A restart forgets them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use botloom_core::ids::{BotId, Epoch};
use botloom_core::ports::{BotOutcomes, OUTCOMES_LIFE, OutcomeCounts, Outcomes, StoreResult};

/// How often bots without updates are looked for.
const TIDY_EVERY: Duration = Duration::from_mins(10);

/// Counts in memory.
#[derive(Debug)]
pub struct LocalOutcomes {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    bots: HashMap<BotId, Bot>,
    tidied: Instant,
}

#[derive(Debug)]
struct Bot {
    /// The newest epoch and the one before.
    epochs: BTreeMap<Epoch, OutcomeCounts>,
    told: Instant,
}

impl LocalOutcomes {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let kept = Kept {
            bots: HashMap::new(),
            tidied: Instant::now(),
        };
        Self {
            kept: Mutex::new(kept),
        }
    }
}

impl Default for LocalOutcomes {
    fn default() -> Self {
        Self::new()
    }
}

impl Kept {
    fn add(&mut self, told: &BotOutcomes, now: Instant) {
        let bot = self.bots.entry(told.bot.clone()).or_insert_with(|| Bot {
            epochs: BTreeMap::new(),
            told: now,
        });
        bot.told = now;
        let counts = bot.epochs.entry(told.epoch).or_default();
        counts.ok = counts.ok.saturating_add(told.counts.ok);
        counts.failed = counts.failed.saturating_add(told.counts.failed);
        if let Some(newest) = bot.epochs.last_key_value().map(|(epoch, _)| *epoch) {
            bot.epochs.retain(|epoch, _| epoch.next() >= newest);
        }
    }

    fn tidy(&mut self, now: Instant) {
        if now.duration_since(self.tidied) >= TIDY_EVERY {
            self.bots
                .retain(|_, bot| now.duration_since(bot.told) < OUTCOMES_LIFE);
            self.tidied = now;
        }
    }
}

#[async_trait]
impl Outcomes for LocalOutcomes {
    async fn add(&self, counted: &[BotOutcomes]) -> StoreResult<()> {
        let now = Instant::now();
        // No change can panic half-way.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for told in counted {
            kept.add(told, now);
        }
        kept.tidy(now);
        Ok(())
    }

    async fn counts(&self, bot: &BotId, epoch: Epoch) -> StoreResult<OutcomeCounts> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = kept.bots.get(bot).and_then(|bot| bot.epochs.get(&epoch));
        Ok(counts.copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bots_that_are_silent_for_a_day_are_forgotten() {
        let start = Instant::now();
        let mut kept = Kept {
            bots: HashMap::new(),
            tidied: start,
        };
        let told = |bot: &str| BotOutcomes {
            bot: BotId::new(bot).unwrap(),
            epoch: Epoch(1),
            counts: OutcomeCounts { ok: 1, failed: 0 },
        };
        kept.add(&told("silent"), start);
        kept.add(&told("talking"), start);
        kept.add(&told("talking"), start + Duration::from_hours(20));
        kept.tidy(start + Duration::from_hours(23));
        assert_eq!(kept.bots.len(), 2);
        kept.tidy(start + Duration::from_hours(25));
        let left: Vec<_> = kept.bots.keys().map(BotId::as_str).collect();
        assert_eq!(left, ["talking"]);
    }
}
