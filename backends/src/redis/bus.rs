//! Hints between the processes of an installation, over pub/sub. Each channel is a plain one: on a cluster every node
//! hears what any node is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use botloom_core::model::TaskKind;
use botloom_core::ports::{Bus, Notice};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, broadcast};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use super::{QUIET, RedisLink, Subscription};
use crate::tasks::Nudges;

/// Notices that a slow listener may be behind before it loses the oldest.
const BACKLOG: usize = 1_024;
/// Hints that wait to be sent before the oldest is dropped: bounds what a stalled server costs.
const WAITING: usize = 4_096;
/// Most hints sent at once.
const BATCH: usize = 64;
/// Wait before a lost subscription is opened again: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

const REVISION_PREPARE: &str = "rev:prepare";
const REVISION_SET: &str = "rev:set";
const NOTICES: &str = "botloom:notices";
const TASKS: &str = "botloom:tasks";

/// The bus of an installation whose processes share a Redis. Listeners in this process hear at once and without Redis;
/// others hear while they are connected. Ends when it is dropped.
#[derive(Debug)]
pub struct RedisBus {
    inner: Arc<Inner>,
    _running: DropGuard,
}

#[derive(Debug)]
struct Inner {
    link: RedisLink,
    /// Marks what this process sent: it has heard that already.
    me: Uuid,
    local: broadcast::Sender<Notice>,
    nudges: Arc<Nudges>,
    waiting: Mutex<VecDeque<Hint>>,
    filled: Notify,
}

/// What is sent to the other processes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Hint {
    Notice(Notice),
    /// Tasks of this kind were queued.
    Tasks(TaskKind),
}

#[derive(Debug, Serialize, Deserialize)]
struct Message<H> {
    from: Uuid,
    hint: H,
}

impl Hint {
    const fn channel(&self) -> &'static str {
        match self {
            Self::Notice(Notice::RevisionPrepare { .. }) => REVISION_PREPARE,
            Self::Notice(Notice::RevisionSet { .. }) => REVISION_SET,
            Self::Notice(_) => NOTICES,
            Self::Tasks(_) => TASKS,
        }
    }
}

impl RedisBus {
    /// Begins to listen and to send. Returns when the subscription stands, or when the first attempt at it failed: it is
    /// tried again for as long as the bus lives. Needs a Tokio runtime.
    pub async fn start(link: &RedisLink) -> Self {
        let inner = Arc::new(Inner {
            link: link.clone(),
            me: Uuid::new_v4(),
            local: broadcast::Sender::new(BACKLOG),
            nudges: Arc::default(),
            waiting: Mutex::default(),
            filled: Notify::new(),
        });
        let end = CancellationToken::new();
        let first = inner.listen_anew().await;
        tokio::spawn(until(end.clone(), hear(Arc::clone(&inner), first)));
        tokio::spawn(until(end.clone(), send(Arc::clone(&inner))));
        Self {
            inner,
            _running: end.drop_guard(),
        }
    }

    /// Whom hints about tasks wake, from this process and from others.
    pub(crate) fn nudges(&self) -> Arc<Nudges> {
        Arc::clone(&self.inner.nudges)
    }

    /// Wakes who waits for tasks of a kind, in every process.
    pub(crate) fn tasks_queued(&self, kind: TaskKind) {
        self.inner.nudges.of(kind).notify_one();
        self.inner.queue(Hint::Tasks(kind));
    }
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, notice: Notice) {
        // The one error says that nobody listens here, which is no fault.
        self.inner.local.send(notice.clone()).ok();
        self.inner.queue(Hint::Notice(notice));
    }

    fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.inner.local.subscribe()
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Hint>> {
        // No change of the queue can panic half-way.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a hint into the line of those to be sent.
    fn queue(&self, hint: Hint) {
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING {
            waiting.pop_front();
            lost("full", 1);
        }
        waiting.push_back(hint);
        drop(waiting);
        self.filled.notify_one();
    }

    async fn listen_anew(&self) -> Option<Subscription> {
        let channels = [REVISION_PREPARE, REVISION_SET, NOTICES, TASKS].map(|name| self.link.channel(name));
        match self.link.subscribe(&channels).await {
            Ok(subscription) => Some(subscription),
            Err(error) => {
                tracing::warn!(?error, "cannot listen to Redis");
                None
            }
        }
    }

    fn deliver(&self, payload: &[u8]) {
        let message: Message<Hint> = match serde_json::from_slice(payload) {
            Ok(message) => message,
            Err(error) => {
                // A newer version may know hints that this one does not.
                tracing::debug!(%error, "a hint that cannot be read");
                return;
            }
        };
        if message.from == self.me {
            return;
        }
        match message.hint {
            Hint::Notice(notice) => {
                self.local.send(notice).ok();
            }
            Hint::Tasks(kind) => self.nudges.of(kind).notify_one(),
        }
    }
}

async fn until(end: CancellationToken, work: impl Future<Output = ()>) {
    end.run_until_cancelled(work).await;
}

/// Hears what the other processes send.
async fn hear(inner: Arc<Inner>, first: Option<Subscription>) {
    let mut subscription = first;
    let mut backoff = BACKOFF.0;
    loop {
        let mut lost = subscription.is_none();
        if let Some(open) = &mut subscription {
            match tokio::time::timeout(QUIET, open.next()).await {
                Ok(Some(message)) => {
                    inner.deliver(&message.payload);
                    backoff = BACKOFF.0;
                    continue;
                }
                Ok(None) => lost = true,
                Err(_) => {}
            }
        }
        if lost {
            // Also a server that takes connections and ends them at once is not asked in a tight loop.
            tokio::time::sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
        // A silent one, if it still stands, is kept until the new one does.
        subscription = inner.listen_anew().await;
    }
}

/// Sends what waits, several at a time: on one connection they leave and arrive in their order.
async fn send(inner: Arc<Inner>) {
    loop {
        let batch: Vec<Hint> = {
            let mut waiting = inner.waiting();
            let count = waiting.len().min(BATCH);
            waiting.drain(..count).collect()
        };
        if batch.is_empty() {
            inner.filled.notified().await;
            continue;
        }
        let sending = batch.iter().map(|hint| send_one(&inner, hint));
        let failed = join_all(sending).await.into_iter().filter(|sent| !sent).count();
        if failed > 0 {
            lost("unavailable", failed);
        }
    }
}

async fn send_one(inner: &Inner, hint: &Hint) -> bool {
    let Ok(payload) = serde_json::to_vec(&Message { from: inner.me, hint }) else {
        return false;
    };
    let channel = inner.link.channel(hint.channel());
    let sent = inner.link.publish(&channel, &payload).await;
    if let Err(error) = &sent {
        tracing::debug!(?error, "a hint was not sent");
    }
    sent.is_ok()
}

/// Hints that other processes will not hear; each of them looks by itself sooner or later.
fn lost(why: &'static str, count: usize) {
    metrics::counter!("botloom_bus_lost_total", "reason" => why).increment(count as u64);
}
