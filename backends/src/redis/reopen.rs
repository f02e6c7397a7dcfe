//! A connection that is opened when it is needed, and again after it was given up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::Notify;

/// At most one connection, shared by all callers.
pub(super) struct Reopened<C> {
    open: Mutex<Open<C>>,
    /// Whether somebody is opening a connection right now.
    opening: AtomicBool,
    opened: Notify,
}

struct Open<C> {
    connection: Option<C>,
    /// Counts the connections, so that only the one that failed is given up.
    number: u64,
    /// Why the last attempt failed.
    failed: Option<RedisError>,
}

impl<C: Clone + Send + 'static> Reopened<C> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::new(Open {
                connection: None,
                number: 0,
                failed: None,
            }),
            opening: AtomicBool::new(false),
            opened: Notify::new(),
        })
    }

    fn open(&self) -> MutexGuard<'_, Open<C>> {
        // No change below can panic half-way.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn usable(&self) -> Option<(u64, C)> {
        let open = self.open();
        open.connection
            .clone()
            .map(|connection| (open.number, connection))
    }

    /// The open connection with its number, or a new one made by `open`. However many wait, one attempt is made at a
    /// time, and it goes on when those who wait give up: a far server, or a cluster with a host that is gone, may need
    /// longer than a call may take.
    pub(super) async fn get<F>(self: &Arc<Self>, open: impl FnOnce() -> F) -> RedisResult<(u64, C)>
    where
        F: Future<Output = RedisResult<C>> + Send + 'static,
    {
        let opened = self.opened.notified();
        let mut opened = std::pin::pin!(opened);
        // Before the look at what is open: an attempt that ends between the two must be heard.
        opened.as_mut().enable();
        if let Some(usable) = self.usable() {
            return Ok(usable);
        }
        if !self.opening.swap(true, Ordering::AcqRel) {
            let (this, attempt) = (Arc::clone(self), open());
            tokio::spawn(async move {
                let attempt = attempt.await;
                {
                    let mut open = this.open();
                    match attempt {
                        Ok(connection) => {
                            open.number += 1;
                            open.connection = Some(connection);
                        }
                        Err(error) => open.failed = Some(error),
                    }
                }
                this.opening.store(false, Ordering::Release);
                this.opened.notify_waiters();
            });
        }
        opened.await;
        self.usable()
            .ok_or_else(|| self.open().failed.clone().unwrap_or_else(lost))
    }

    /// Gives a connection up, unless it was replaced already: the next caller opens another one.
    pub(super) fn give_up(&self, number: u64) {
        let mut open = self.open();
        if open.number == number {
            open.connection = None;
        }
    }

    /// Gives up whatever is open.
    pub(super) fn give_up_any(&self) {
        self.open().connection = None;
    }
}

fn lost() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection was lost"))
}
