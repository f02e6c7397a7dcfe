//! Work that keeps a core busy: off the threads that serve requests, a bounded number at a time.
//!
//! Without the bound every waiting request would have a thread of its own, and a few large specs at once would leave the
//! threads that serve everybody else a small share of the cores.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Places for heavy work of one sort. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Heavy {
    places: Arc<Semaphore>,
}

/// The work panicked, or the process ends.
#[derive(Debug, thiserror::Error)]
#[error("heavy work did not end")]
pub(crate) struct Unfinished;

impl Heavy {
    /// Room for `at_a_time` works, at least 1.
    pub(crate) fn new(at_a_time: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(at_a_time.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    /// Does the work when there is a place, in the order of the calls. Whoever stops waiting before it has begun gives
    /// their turn away; work that has begun is done to its end and keeps its place until then.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unfinished> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| Unfinished)?;
        let work = move || {
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Unfinished)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_in_turn_and_off_the_thread_that_asks() {
        let heavy = Heavy::new(1);
        let (begun, first_begun) = oneshot::channel();
        let (release, held) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let heavy = heavy.clone();
            async move {
                let work = move || {
                    let _ = begun.send(());
                    held.recv().unwrap();
                };
                heavy.run(work).await
            }
        });
        // This runtime has one thread; it goes on while the first work holds another.
        first_begun.await.unwrap();
        let mut second = Box::pin(heavy.run(|| 2));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert_eq!(heavy.places.available_permits(), 0);
        release.send(()).unwrap();
        first.await.unwrap().unwrap();
        assert_eq!(second.await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_place_is_free_again_after_a_panic_and_after_a_caller_that_left() {
        let heavy = Heavy::new(1);
        heavy.run(|| panic!("on purpose")).await.unwrap_err();
        let (release, held) = mpsc::channel::<()>();
        let (begun, first_begun) = oneshot::channel();
        let left = tokio::spawn({
            let heavy = heavy.clone();
            async move {
                let work = move || {
                    let _ = begun.send(());
                    let _ = held.recv();
                };
                heavy.run(work).await
            }
        });
        first_begun.await.unwrap();
        left.abort();
        let _ = left.await;
        // What nobody waits for any more still runs, and counts.
        assert_eq!(heavy.places.available_permits(), 0);
        release.send(()).unwrap();
        assert_eq!(heavy.run(|| 3).await.unwrap(), 3);
    }
}
