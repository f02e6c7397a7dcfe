//! One reader of the log per project: it tells all streams of the project, and ends those whose readers may not go on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::ports::Notice;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Watch, frame};
use crate::app::{Error, access};
use crate::auth::caller::Credential;
use crate::auth::policy::{self, Action};
use crate::auth::session;
use crate::state::App;

/// Events that wait for the slowest stream of a project; one that falls behind further reads the log itself.
const TOLD: usize = 1_024;
/// Events read from the log at a time.
pub(super) const BATCH: u32 = 200;
/// Questions to the catalog at a time, of one project.
const ASKED: usize = 4;

/// What the reader of the log tells the streams.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// An event, in the order of the log.
    Event(Live),
    /// Something that cannot be told event by event: each stream is to look at the log itself.
    Look,
}

/// An event on its way to all streams. Clones share the text.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) id: u64,
    pub(super) bot: Arc<BotId>,
    pub(super) frame: Bytes,
}

/// All projects that somebody watches on this node.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    projects: Mutex<HashMap<ProjectId, Project>>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Project {
    told: broadcast::Sender<Told>,
    readers: HashMap<u64, Reader>,
    /// Ends the tasks of the project, when its last reader has left.
    left: CancellationToken,
}

#[derive(Debug, Clone)]
struct Reader {
    watch: Arc<Watch>,
    ended: CancellationToken,
}

/// A stream's part in its project, until dropped.
pub(super) struct Seat {
    app: App,
    project: ProjectId,
    number: u64,
    /// Cancelled when the reader may not go on.
    pub(super) ended: CancellationToken,
}

impl Hub {
    fn projects(&self) -> MutexGuard<'_, HashMap<ProjectId, Project>> {
        self.projects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn readers(&self, project: ProjectId) -> Vec<Reader> {
        let projects = self.projects();
        let readers = projects.get(&project).map(|project| project.readers.values());
        readers.into_iter().flatten().cloned().collect()
    }
}

/// Takes part in the project of `watch`. What is told from now on is heard.
pub(super) fn join(app: &App, watch: Arc<Watch>) -> (Seat, broadcast::Receiver<Told>) {
    let id = watch.project;
    let number = app.hub.numbers.fetch_add(1, Ordering::Relaxed);
    let ended = CancellationToken::new();
    let mut projects = app.hub.projects();
    let project = projects.entry(id).or_insert_with(|| {
        let (told, _) = broadcast::channel(TOLD);
        let left = app.stop.child_token();
        let feed = Feed {
            app: app.clone(),
            project: id,
            told: told.clone(),
        };
        let until = left.clone();
        tokio::spawn(async move { until.run_until_cancelled(feed.run()).await });
        Project {
            told,
            readers: HashMap::new(),
            left,
        }
    });
    let reader = Reader {
        watch,
        ended: ended.clone(),
    };
    project.readers.insert(number, reader);
    let told = project.told.subscribe();
    let seat = Seat {
        app: app.clone(),
        project: id,
        number,
        ended,
    };
    (seat, told)
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut projects = self.app.hub.projects();
        if let Some(project) = projects.get_mut(&self.project) {
            project.readers.remove(&self.number);
            if project.readers.is_empty() {
                project.left.cancel();
                projects.remove(&self.project);
            }
        }
    }
}

/// The task of one project.
struct Feed {
    app: App,
    project: ProjectId,
    told: broadcast::Sender<Told>,
}

impl Feed {
    /// Reads and guards side by side: a catalog that is slow to answer holds no event up.
    async fn run(self) {
        tokio::join!(self.read(), self.guard());
    }

    async fn read(&self) {
        // Listening before reading: what is logged in between is heard of.
        let mut bus = self.app.deps.ports.bus.subscribe();
        let mut poll = every(self.app.options.stream_poll);
        let mut last = None;
        loop {
            last = self.look(last).await;
            loop {
                tokio::select! {
                    notice = bus.recv() => match notice {
                        Ok(Notice::EventLogged { project }) if project == self.project => break,
                        Ok(_) => {}
                        Err(broadcast::error::RecvError::Lagged(_)) => break,
                        // The process ends.
                        Err(broadcast::error::RecvError::Closed) => return,
                    },
                    _ = poll.tick() => break,
                }
            }
        }
    }

    /// Tells everything in the log after `last`; answers the new last. `None`: where the log is, is not known yet.
    async fn look(&self, last: Option<u64>) -> Option<u64> {
        let log = &self.app.deps.ports.events;
        let mut at = last;
        loop {
            let limit = if at.is_some() { BATCH } else { 1 };
            let page = match log.events_after(self.project, at.unwrap_or(0), limit).await {
                Ok(page) => page,
                Err(error) => {
                    // The next poll asks again.
                    tracing::warn!(?error, "the event log cannot be read");
                    return at;
                }
            };
            let Some(last) = at.filter(|_| !page.gap) else {
                // Streams that began before this moment do not know what they missed.
                self.tell(Told::Look);
                return Some(page.latest);
            };
            let whole = page.events.len() < BATCH as usize;
            at = page.events.last().map_or(Some(last), |event| Some(event.id));
            for event in page.events {
                self.tell(Told::Event(Live {
                    id: event.id,
                    frame: frame::event(&event),
                    bot: Arc::new(event.bot_id),
                }));
            }
            if whole {
                return at;
            }
        }
    }

    fn tell(&self, told: Told) {
        // Nobody listens any more: the task is about to be ended.
        self.told.send(told).ok();
    }

    async fn guard(&self) {
        let mut bus = self.app.deps.ports.bus.subscribe();
        let mut poll = every(self.app.options.stream_poll);
        loop {
            tokio::select! {
                notice = bus.recv() => match notice {
                    Ok(Notice::SessionEnded { session }) => self.end(&session),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => self.check().await,
                    Err(broadcast::error::RecvError::Closed) => return,
                },
                _ = poll.tick() => self.check().await,
            }
        }
    }

    /// Ends the streams of a session or token.
    fn end(&self, credential: &Sha256Hash) {
        for reader in self.app.hub.readers(self.project) {
            if reader.watch.digest() == *credential {
                reader.ended.cancel();
            }
        }
    }

    /// Ends the streams of sessions and tokens that have ended, and of users who may not read any more. Asks once for all
    /// streams of a session or token.
    async fn check(&self) {
        let mut shown: HashMap<_, _> = HashMap::new();
        for reader in self.app.hub.readers(self.project) {
            shown.entry(reader.watch.digest()).or_insert(reader.watch);
        }
        let mut verdicts = stream::iter(shown)
            .map(async |(credential, watch)| (credential, self.may_go_on(&watch).await))
            .buffer_unordered(ASKED);
        while let Some((credential, verdict)) = verdicts.next().await {
            match verdict {
                Ok(true) => {}
                Ok(false) => self.end(&credential),
                Err(error) => {
                    tracing::warn!(?error, "event streams end; their readers come back");
                    self.end(&credential);
                }
            }
        }
    }

    async fn may_go_on(&self, watch: &Watch) -> Result<bool, Error> {
        let (catalog, now) = (&self.app.deps.ports.catalog, self.app.now());
        let alive = match &watch.credential {
            Credential::Session { session, .. } => catalog
                .session(&session.hash)
                .await?
                .is_some_and(|session| !session::is_over(&session, now)),
            Credential::Token(token) => catalog
                .token(&token.hash)
                .await?
                .is_some_and(|token| now < token.expires_at),
        };
        let role = access::role(&self.app, watch.actor, self.project).await?;
        Ok(alive && role.is_some_and(|role| policy::allows(role, Action::Read)))
    }
}

pub(super) fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
