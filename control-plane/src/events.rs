//! Live events: a project's log as server-sent events, for one bot.
//!
//! Every stream has a task of its own that reads the log and fills a bounded buffer. The bus only wakes it: what is sent
//! comes from the log, so a lost hint delays and never loses. Nobody waits for a slow reader.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::sse::Event;
use botloom_core::event::LoggedEvent;
use botloom_core::hash::Sha256Hash;
use botloom_core::ids::{BotId, ProjectId, UserId};
use botloom_core::ports::Notice;
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use crate::app::actor::Actor;
use crate::app::{Error, access};
use crate::auth::caller::Credential;
use crate::auth::policy::{self, Action};
use crate::auth::session;
use crate::state::App;

/// Events that wait for a reader.
const BUFFER: usize = 256;
/// Events read from the log at a time.
const BATCH: u32 = 200;
/// When a browser reconnects.
const RETRY: Duration = Duration::from_secs(2);

/// Event streams that are open, by user.
#[derive(Debug)]
pub(crate) struct Streams {
    limit: u32,
    open: Arc<Mutex<HashMap<UserId, u32>>>,
}

/// One of a user's streams, until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    user: UserId,
    open: Arc<Mutex<HashMap<UserId, u32>>>,
}

impl Streams {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            open: Arc::default(),
        }
    }

    /// A place for one more stream of the user, if there is one.
    pub(crate) fn enter(&self, user: UserId) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place {
            user,
            open: self.open.clone(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// Where a reader wants to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// With what happens from now on.
    Now,
    /// After this event.
    After(u64),
    /// After an event that never was: the reader has to fetch everything anew.
    Unknown,
}

/// Who watches what.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) actor: Actor,
    pub(crate) credential: Credential,
    pub(crate) project: ProjectId,
    pub(crate) bot: BotId,
    pub(crate) start: Start,
}

impl Watch {
    fn is_of(&self, hash: &Sha256Hash) -> bool {
        matches!(&self.credential, Credential::Session { session, .. } if session.hash == *hash)
    }
}

/// Opens a stream. It holds `place` as long as its feeding task lives.
pub(crate) fn open(app: App, watch: Watch, place: Place) -> impl Stream<Item = Result<Event, Infallible>> {
    let (sender, receiver) = mpsc::channel(BUFFER);
    let stalled = Arc::new(AtomicBool::new(false));
    let feed = Feed {
        app,
        watch,
        sender,
        stalled: stalled.clone(),
        _place: place,
    };
    tokio::spawn(feed.run());
    // What the buffer holds still goes out; then a reader that was too slow is told to fetch everything anew.
    let end = stream::once(async move { stalled.load(Ordering::Acquire) })
        .filter_map(async |stalled| stalled.then(|| resync("the reader was too slow", None)));
    ReceiverStream::new(receiver).chain(end).map(Ok)
}

struct Feed {
    app: App,
    watch: Watch,
    sender: mpsc::Sender<Event>,
    stalled: Arc<AtomicBool>,
    _place: Place,
}

/// The stream has ended.
struct Ended;

impl Feed {
    async fn run(self) {
        // Listening before reading: what is logged in between is heard of.
        let bus = self.app.deps.ports.bus.subscribe();
        let stop = self.app.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.sender.closed() => {}
            _ = self.follow(bus) => {}
        }
    }

    async fn follow(&self, mut bus: broadcast::Receiver<Notice>) -> Result<(), Ended> {
        let mut last = self.first().await?;
        self.send(Event::default().retry(RETRY).comment("connected"))
            .await?;
        let mut poll = tokio::time::interval(self.app.options.stream_poll);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            last = self.catch_up(last).await?;
            self.wake(&mut bus, &mut poll).await?;
        }
    }

    /// The event after which to read.
    async fn first(&self) -> Result<u64, Ended> {
        if let Start::After(id) = self.watch.start {
            return Ok(id);
        }
        let page = self
            .app
            .deps
            .ports
            .events
            .events_after(self.watch.project, 0, 1)
            .await;
        let latest = page.map_err(|error| ended_by(&error.into()))?.latest;
        if self.watch.start == Start::Unknown {
            self.send(resync("the last event is not known", Some(latest)))
                .await?;
        }
        Ok(latest)
    }

    /// Sends everything in the log after `last`; answers the new last.
    async fn catch_up(&self, mut last: u64) -> Result<u64, Ended> {
        loop {
            let page = self
                .app
                .deps
                .ports
                .events
                .events_after(self.watch.project, last, BATCH)
                .await;
            let page = match page {
                Ok(page) => page,
                Err(error) => {
                    // The next poll asks again.
                    tracing::warn!(?error, "the event log cannot be read");
                    return Ok(last);
                }
            };
            if page.gap {
                self.send(resync("events are missing", Some(page.latest))).await?;
                return Ok(page.latest);
            }
            if page.events.is_empty() {
                return Ok(last);
            }
            for event in &page.events {
                last = event.id;
                if event.bot_id == self.watch.bot {
                    self.send(show(event)).await?;
                }
            }
        }
    }

    /// Waits until the log may have grown.
    async fn wake(
        &self,
        bus: &mut broadcast::Receiver<Notice>,
        poll: &mut tokio::time::Interval,
    ) -> Result<(), Ended> {
        loop {
            tokio::select! {
                notice = bus.recv() => match notice {
                    Ok(Notice::EventLogged { project }) if project == self.watch.project => return Ok(()),
                    Ok(Notice::SessionEnded { session }) if self.watch.is_of(&session) => return Err(Ended),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Lagged(_)) => return self.check_session().await,
                    Err(broadcast::error::RecvError::Closed) => return Err(Ended),
                },
                _ = poll.tick() => return self.check_session().await,
            }
        }
    }

    /// Ends the stream of a session or token that has ended, and of a user who may not read any more.
    async fn check_session(&self) -> Result<(), Ended> {
        match self.may_go_on().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ended),
            Err(error) => Err(ended_by(&error)),
        }
    }

    async fn may_go_on(&self) -> Result<bool, Error> {
        let (catalog, now) = (&self.app.deps.ports.catalog, self.app.now());
        let alive = match &self.watch.credential {
            Credential::Session { session, .. } => catalog
                .session(&session.hash)
                .await?
                .is_some_and(|session| !session::is_over(&session, now)),
            Credential::Token(token) => catalog
                .token(&token.hash)
                .await?
                .is_some_and(|token| now < token.expires_at),
        };
        let role = access::role(&self.app, self.watch.actor, self.watch.project).await?;
        Ok(alive && role.is_some_and(|role| policy::allows(role, Action::Read)))
    }

    async fn send(&self, event: Event) -> Result<(), Ended> {
        let sending = self.sender.send(event);
        match tokio::time::timeout(self.app.options.stream_stall, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended),
            Err(_) => {
                self.stalled.store(true, Ordering::Release);
                Err(Ended)
            }
        }
    }
}

fn ended_by(error: &Error) -> Ended {
    tracing::warn!(?error, "an event stream ends; its reader comes back");
    Ended
}

fn show(event: &LoggedEvent) -> Event {
    let mut data = json!({ "botId": event.bot_id, "at": event.at.to_rfc3339() });
    if let (Value::Object(data), Ok(Value::Object(mut shown))) =
        (&mut data, serde_json::to_value(&event.event))
        && let Some(Value::Object(fields)) = shown.remove("data")
    {
        data.extend(fields);
    }
    Event::default()
        .id(event.id.to_string())
        .event(event.event.name())
        .data(data.to_string())
}

/// Tells the reader to fetch everything anew and, with an id, from where the stream goes on.
fn resync(reason: &str, latest: Option<u64>) -> Event {
    let event = Event::default()
        .event("resync")
        .data(json!({ "reason": reason }).to_string());
    match latest {
        Some(latest) => event.id(latest.to_string()),
        None => event,
    }
}
