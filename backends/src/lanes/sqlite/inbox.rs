//! What waits for the writer thread: bounded, taken all at once.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use botloom_core::TimestampMs;
use botloom_core::ports::{StoreError, StoreResult};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::records::SqliteRecords;
use crate::lanes::driver::{Abandon, Step};
use crate::lanes::model::Model;

/// A step with somebody who waits for its answer.
pub(super) trait Job: Send {
    /// Whether anybody still waits.
    fn wanted(&self) -> bool;
    /// Runs the step and keeps the answer.
    fn run(&mut self, model: &mut Model<SqliteRecords>, now: TimestampMs) -> StoreResult<()>;
    /// Gives the answer: it is durable.
    fn done(self: Box<Self>, model: &mut Model<SqliteRecords>);
    /// Gives an error: what the step wrote was undone.
    fn failed(self: Box<Self>, error: StoreError);
}

/// A step of a caller.
pub(super) struct Call<S, T> {
    pub(super) step: S,
    pub(super) abandon: Abandon<SqliteRecords, T>,
    pub(super) answer: Option<T>,
    pub(super) reply: oneshot::Sender<StoreResult<T>>,
    /// Its place in the inbox, given back when the job ends.
    pub(super) _place: OwnedSemaphorePermit,
}

impl<S: Step<SqliteRecords, T>, T: Send> Job for Call<S, T> {
    fn wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(&mut self, model: &mut Model<SqliteRecords>, now: TimestampMs) -> StoreResult<()> {
        self.answer = Some((self.step)(model, now)?);
        Ok(())
    }

    fn done(self: Box<Self>, model: &mut Model<SqliteRecords>) {
        if let Some(answer) = self.answer
            && let Err(Ok(answer)) = self.reply.send(Ok(answer))
        {
            (self.abandon)(model, answer);
        }
    }

    fn failed(self: Box<Self>, error: StoreError) {
        // Nobody waits any more: then nobody needs to know.
        let _ = self.reply.send(Err(error));
    }
}

/// An answer that its caller did not take: what it grants is taken back.
struct TakeBack<T> {
    abandon: Abandon<SqliteRecords, T>,
    answer: T,
}

impl<T: Send> Job for TakeBack<T> {
    fn wanted(&self) -> bool {
        true
    }

    fn run(&mut self, _: &mut Model<SqliteRecords>, _: TimestampMs) -> StoreResult<()> {
        Ok(())
    }

    fn done(self: Box<Self>, model: &mut Model<SqliteRecords>) {
        (self.abandon)(model, self.answer);
    }

    fn failed(self: Box<Self>, _: StoreError) {}
}

/// A caller that waits for its answer. It may go away at any moment, also between the answer and taking it.
pub(super) struct Caller<'a, T: Send + 'static> {
    pub(super) answer: oneshot::Receiver<StoreResult<T>>,
    pub(super) abandon: Abandon<SqliteRecords, T>,
    pub(super) inbox: &'a Inbox,
}

impl<T: Send + 'static> Caller<'_, T> {
    pub(super) async fn answer(mut self) -> StoreResult<T> {
        (&mut self.answer).await.map_err(|_| closed())?
    }
}

impl<T: Send + 'static> Drop for Caller<'_, T> {
    fn drop(&mut self) {
        // Once closed, an answer is either here or with the writer, which takes it back itself.
        self.answer.close();
        if let Ok(Ok(answer)) = self.answer.try_recv() {
            let job = TakeBack {
                abandon: self.abandon,
                answer,
            };
            // A closed store has no leases to take back.
            let _ = self.inbox.push(Box::new(job));
        }
    }
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    places: Arc<Semaphore>,
}

impl Inbox {
    pub(super) fn new(places: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            places: Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS))),
        }
    }

    /// Waits for a place. Giving up while waiting leaves nothing behind.
    pub(super) async fn place(&self) -> StoreResult<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map_err(|_| closed())
    }

    pub(super) fn push(&self, job: Box<dyn Job>) -> StoreResult<()> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(closed());
        }
        waiting.jobs.push_back(job);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Up to `most` jobs; none if none came within `patience`; `None` when closed and empty.
    pub(super) fn take(&self, most: usize, patience: Duration) -> Option<VecDeque<Box<dyn Job>>> {
        let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let waited = self.arrived.wait_timeout_while(self.waiting(), patience, idle);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if waiting.closed && waiting.jobs.is_empty() {
            return None;
        }
        if waiting.jobs.len() <= most {
            return Some(std::mem::take(&mut waiting.jobs));
        }
        Some(waiting.jobs.drain(..most).collect())
    }

    /// Takes no more jobs; those that wait are still run.
    pub(super) fn close(&self) {
        self.waiting().closed = true;
        self.places.close();
        self.arrived.notify_all();
    }

    /// Drops the jobs that wait: nobody is left to run them.
    pub(super) fn clear(&self) {
        let jobs = std::mem::take(&mut self.waiting().jobs);
        drop(jobs);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that can panic runs under this lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::unavailable("the store is closed")
}
