//! The auditor: what must hold between two steps, checked against the records.

use std::collections::HashMap;

use botloom_core::Lane;
use botloom_core::ports::StoreResult;

use super::{InLane, Model, OutLane, Place, Records};

impl<R: Records> Model<R> {
    /// What is wrong, or `None`. Reads every lane: for tests and for repair, not for the hot path.
    pub(crate) fn check(&mut self) -> StoreResult<Option<String>> {
        let mut faults = Vec::new();
        self.check_lanes(&mut faults)?;
        self.check_outboxes(&mut faults)?;
        let letters: HashMap<_, _> = self
            .records
            .dead_counts()?
            .into_iter()
            .map(|(bot, direction, count)| ((bot, direction), count))
            .collect();
        if letters != self.letters {
            faults.push(format!(
                "dead letters counted {:?}, stored {letters:?}",
                self.letters
            ));
        }
        let revisions: HashMap<_, _> = self.records.revisions()?.into_iter().collect();
        if revisions != self.revisions {
            faults.push("revisions in memory are not those stored".to_owned());
        }
        let parks: HashMap<_, _> = self.records.parks()?.into_iter().collect();
        if parks != self.parks || parks.len() != self.park_ends.len() {
            faults.push("parks in memory are not those stored".to_owned());
        }
        Ok((!faults.is_empty()).then(|| faults.join("; ")))
    }

    fn check_lanes(&mut self, faults: &mut Vec<String>) -> StoreResult<()> {
        let stored = self.records.lanes()?;
        if stored.len() != self.lanes.len() {
            faults.push(format!(
                "{} lanes in memory, {} stored",
                self.lanes.len(),
                stored.len()
            ));
        }
        if self.inbound.entries() != self.lanes.len() {
            faults.push("a lane is in no place or in two".to_owned());
        }
        let (mut updates, mut cached) = (0, 0);
        for found in stored {
            let lane = found.lane;
            let Some(entry) = self.lanes.get(&lane).cloned() else {
                faults.push(format!("{lane} is stored and not in memory"));
                continue;
            };
            updates += found.updates as u64;
            cached += entry.cached_bytes();
            let same = entry.updates == found.updates
                && entry.oldest == found.oldest
                && entry.attempts == found.attempts;
            if !same || found.updates == 0 {
                faults.push(format!("{lane}: not as stored"));
            }
            self.check_lane(&lane, &entry, faults)?;
        }
        if updates != self.updates || self.updates_of_bot.values().sum::<u64>() != updates {
            faults.push("updates are counted wrongly".to_owned());
        }
        if cached != self.cached {
            faults.push("cached bytes are counted wrongly".to_owned());
        }
        Ok(())
    }

    fn check_lane(&mut self, lane: &Lane, entry: &InLane, faults: &mut Vec<String>) -> StoreResult<()> {
        let leased = matches!(entry.place, Place::Leased { .. });
        if entry.place == Place::Parked || !self.inbound.holds(lane, entry.place) {
            faults.push(format!("{lane}: not in its place"));
        }
        if leased != (entry.granted > 0) || entry.granted > entry.head.len() {
            faults.push(format!("{lane}: granted updates are not in memory"));
        }
        let first = self.records.updates(lane, 0, entry.head.len().max(1))?;
        if !entry.head.iter().eq(first.iter().take(entry.head.len())) {
            faults.push(format!("{lane}: first updates are not those stored"));
        }
        Ok(())
    }

    fn check_outboxes(&mut self, faults: &mut Vec<String>) -> StoreResult<()> {
        let stored = self.records.outboxes()?;
        if stored.len() != self.outboxes.len() || self.outbound.entries() != self.outboxes.len() {
            faults.push("an outbox is in no place or in two".to_owned());
        }
        let mut messages = 0;
        for found in stored {
            let lane = found.lane;
            let Some(entry) = self.outboxes.get(&lane).cloned() else {
                faults.push(format!("outbox {lane} is stored and not in memory"));
                continue;
            };
            messages += found.messages as u64;
            if entry.messages != found.messages || entry.delay != found.delay {
                faults.push(format!("outbox {lane}: not as stored"));
            }
            self.check_outbox(&lane, &entry, faults)?;
        }
        if messages != self.messages {
            faults.push("messages are counted wrongly".to_owned());
        }
        Ok(())
    }

    fn check_outbox(&mut self, lane: &Lane, entry: &OutLane, faults: &mut Vec<String>) -> StoreResult<()> {
        let leased = matches!(entry.place, Place::Leased { .. });
        let parked = self.parks.contains_key(&lane.bot);
        if !self.outbound.holds(lane, entry.place) || (entry.place == Place::Parked && !parked) {
            faults.push(format!("outbox {lane}: not in its place"));
        }
        if leased == entry.granted.is_empty() {
            faults.push(format!("outbox {lane}: leased without messages, or the reverse"));
        }
        let all = self.records.messages(lane, entry.messages)?;
        if !entry.granted.iter().all(|granted| all.contains(granted)) {
            faults.push(format!("outbox {lane}: granted messages are not those stored"));
        }
        Ok(())
    }
}
