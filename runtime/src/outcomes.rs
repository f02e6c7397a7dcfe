//! Counts how updates end, per bot and epoch, for the watch over new revisions. Counting is a number in memory; a part of
//! its own tells the numbers, so no update waits for a store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use botloom_core::ids::{BotId, Epoch};
use botloom_core::ports::{BotOutcomes, OutcomeCounts, Outcomes};
use tokio_util::sync::CancellationToken;

/// How often it is told: soon enough for a watch that looks every second. Bounds what is held: bots with updates within it.
const TELL_EVERY: Duration = Duration::from_millis(700);

/// What this node counted and has not told.
#[derive(Debug)]
pub(crate) struct Tally {
    counts: Mutex<HashMap<(BotId, Epoch), OutcomeCounts>>,
    outcomes: Arc<dyn Outcomes>,
}

impl Tally {
    pub(crate) fn new(outcomes: Arc<dyn Outcomes>) -> Self {
        Self {
            counts: Mutex::default(),
            outcomes,
        }
    }

    /// So many updates that bot code was run for were committed.
    pub(crate) fn ok(&self, bot: &BotId, epoch: Epoch, updates: u64) {
        if updates > 0 {
            self.count(bot, epoch, |counts| counts.ok += updates);
        }
    }

    /// The program failed at the first try of an update.
    pub(crate) fn failed(&self, bot: &BotId, epoch: Epoch) {
        self.count(bot, epoch, |counts| counts.failed += 1);
    }

    fn count(&self, bot: &BotId, epoch: Epoch, change: impl FnOnce(&mut OutcomeCounts)) {
        // No change can panic half-way.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        change(counts.entry((bot.clone(), epoch)).or_default());
    }

    fn take(&self) -> Vec<BotOutcomes> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *counts);
        drop(counts);
        let told = taken.into_iter();
        told.map(|((bot, epoch), counts)| BotOutcomes { bot, epoch, counts })
            .collect()
    }

    /// Tells until `end`, and then what is left. What the store does not take is lost: telling it again could count it twice.
    pub(crate) async fn run(self: Arc<Self>, end: CancellationToken) {
        let mut away = false;
        loop {
            let ended = tokio::time::timeout(TELL_EVERY, end.cancelled()).await.is_ok();
            let counted = self.take();
            let told = self.outcomes.add(&counted).await;
            // Said when it begins, not every time.
            if let Err(error) = &told
                && !away
            {
                tracing::warn!(%error, bots = counted.len(), "how updates ended is not counted for the watch over new revisions");
            }
            away = told.is_err();
            if ended {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use async_trait::async_trait;
    use botloom_core::ports::StoreResult;

    use super::*;

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<BotOutcomes>>);

    #[async_trait]
    impl Outcomes for Told {
        async fn add(&self, counted: &[BotOutcomes]) -> StoreResult<()> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(counted);
            Ok(())
        }

        async fn counts(&self, _: &BotId, _: Epoch) -> StoreResult<OutcomeCounts> {
            Ok(OutcomeCounts::default())
        }
    }

    #[tokio::test]
    async fn what_is_left_at_the_end_is_told_once() {
        let told = Arc::new(Told::default());
        let tally = Arc::new(Tally::new(Arc::clone(&told) as _));
        let bot = BotId::new("pizza").unwrap();
        tally.ok(&bot, Epoch(2), 3);
        tally.ok(&bot, Epoch(2), 0);
        tally.failed(&bot, Epoch(2));
        tally.failed(&bot, Epoch(3));
        let end = CancellationToken::new();
        end.cancel();
        Arc::clone(&tally).run(end.clone()).await;
        tally.run(end).await;
        let mut told = told.0.lock().unwrap().clone();
        told.sort_by_key(|told| told.epoch);
        let counts: Vec<_> = told
            .iter()
            .map(|told| (told.epoch.0, told.counts.ok, told.counts.failed))
            .collect();
        assert_eq!(counts, [(2, 3, 1), (3, 0, 1)]);
    }
}
