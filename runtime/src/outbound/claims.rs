//! Fetching lanes with messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Sender;

/// Most lanes fetched at once.
const MOST: usize = 64;
/// Longest time between two claims, in case a hint was lost.
const AT_LEAST_EVERY: Duration = Duration::from_secs(1);
/// Pause after the store failed.
const STORE_AWAY: Duration = Duration::from_millis(250);

impl Sender {
    /// Fetches and sends until the node goes down.
    pub(crate) async fn claim_messages(self: Arc<Self>) {
        let outbox = &self.node.ports.outbox;
        let draining = &self.node.draining;
        loop {
            // Wait for one place; the others are taken as far as there are any.
            let first = tokio::select! {
                () = draining.cancelled() => return,
                place = Arc::clone(&self.chats).acquire_owned() => place.expect("the semaphore is never closed"),
            };
            let mut places = vec![first];
            while places.len() < MOST
                && let Some(place) = self.place()
            {
                places.push(place);
            }
            let asked = Instant::now();
            let most = places.len();
            let (turns, next_due) = match outbox.claim_out(most).await {
                Ok(claims) => claims,
                Err(error) => {
                    tracing::warn!(error = %error, "no messages can be claimed");
                    drop(places);
                    tokio::select! {
                        () = draining.cancelled() => return,
                        () = tokio::time::sleep(STORE_AWAY) => continue,
                    }
                }
            };
            let full = turns.len() >= most;
            for (turn, place) in turns.into_iter().zip(places.drain(..)) {
                self.start(turn, asked, place);
            }
            drop(places);
            if full {
                continue;
            }
            let due = next_due.map_or(AT_LEAST_EVERY, |due| {
                let ms = due.since(self.node.now()).max(1);
                Duration::from_millis(ms.unsigned_abs()).min(AT_LEAST_EVERY)
            });
            tokio::select! {
                () = draining.cancelled() => return,
                () = outbox.out_ready() => {}
                () = self.delayed.notified() => {}
                () = tokio::time::sleep(due) => {}
            }
        }
    }
}
