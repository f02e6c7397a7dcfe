//! Whether this node reaches Telegram, told when that changes and not for every bot.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What checks of this node met since the last look.
#[derive(Debug, Default)]
pub(super) struct Reach {
    answered: AtomicU64,
    unanswered: AtomicU64,
    /// What the last one without an answer met instead.
    instead: Mutex<String>,
    lost: AtomicBool,
}

/// What changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// No check was answered.
    Lost {
        /// Checks.
        unanswered: u64,
        /// What the last one met instead.
        instead: String,
    },
    /// One was again.
    Found,
}

impl Reach {
    /// Telegram answered.
    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// It did not.
    pub(super) fn unanswered(&self, instead: String) {
        *self.instead.lock().unwrap_or_else(PoisonError::into_inner) = instead;
        self.unanswered.fetch_add(1, Ordering::Relaxed);
    }

    /// What changed since the last look. Some that are answered and some that are not are no change.
    pub(super) fn look(&self) -> Option<Change> {
        let answered = self.answered.swap(0, Ordering::Relaxed);
        let unanswered = self.unanswered.swap(0, Ordering::Relaxed);
        if answered > 0 {
            return self.lost.swap(false, Ordering::Relaxed).then_some(Change::Found);
        }
        if unanswered == 0 || self.lost.swap(true, Ordering::Relaxed) {
            return None;
        }
        let instead = self.instead.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Change::Lost {
            unanswered,
            instead: instead.clone(),
        })
    }

    /// Writes into the log what changed since the last look.
    pub(super) fn tell(&self) {
        match self.look() {
            None => {}
            Some(Change::Lost { unanswered, instead }) => {
                tracing::warn!(
                    unanswered,
                    instead,
                    "Telegram cannot be reached: whether it delivers is not known"
                );
            }
            Some(Change::Found) => tracing::info!("Telegram is reached again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_once_and_so_is_its_end() {
        let reach = Reach::default();
        assert_eq!(reach.look(), None, "nobody asked yet");
        reach.answered();
        assert_eq!(reach.look(), None, "that is as it should be");
        reach.answered();
        reach.unanswered("one was lost".to_owned());
        assert_eq!(reach.look(), None, "others were answered");
        for words in ["refused", "timed out"] {
            reach.unanswered(words.to_owned());
        }
        let lost = Change::Lost {
            unanswered: 2,
            instead: "timed out".to_owned(),
        };
        assert_eq!(reach.look(), Some(lost));
        reach.unanswered("timed out".to_owned());
        assert_eq!(reach.look(), None, "once");
        assert_eq!(reach.look(), None, "nobody asked since");
        reach.answered();
        assert_eq!(reach.look(), Some(Change::Found));
        reach.answered();
        assert_eq!(reach.look(), None, "once");
    }
}
