//! One stream: catches up from the log, then passes on what the project's reader tells.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;

use super::hub::{self, BATCH, Seat, Told, every};
use super::{Place, Start, Watch, frame};
use crate::state::App;

/// Events that wait for a reader. Their texts are shared by all readers of the project.
const BUFFER: usize = 256;

/// Opens a stream. It holds `place` as long as its task lives.
pub(crate) fn open(app: App, watch: Watch, place: Place) -> Body {
    let (sender, receiver) = mpsc::channel(BUFFER);
    let stalled = Arc::new(AtomicBool::new(false));
    let watch = Arc::new(watch);
    let (seat, told) = hub::join(&app, watch.clone());
    let feed = Stream {
        app,
        watch,
        sender,
        stalled: stalled.clone(),
        seat,
        _place: place,
    };
    tokio::spawn(feed.run(told));
    // What the buffer holds still goes out; then a reader that was too slow is told to fetch everything anew.
    let end = stream::once(async move { stalled.load(Ordering::Acquire) })
        .filter_map(async |stalled| stalled.then(|| frame::resync("the reader was too slow", None)));
    Body::from_stream(ReceiverStream::new(receiver).chain(end).map(Ok::<_, Infallible>))
}

struct Stream {
    app: App,
    watch: Arc<Watch>,
    sender: mpsc::Sender<Bytes>,
    stalled: Arc<AtomicBool>,
    seat: Seat,
    _place: Place,
}

/// The stream has ended.
struct Ended;

/// How far the reader has been told.
#[derive(Debug, Clone, Copy)]
struct Position {
    /// The last event that was told, or belonged to another bot.
    last: u64,
    /// Whether the log could not be read when it had to be.
    behind: bool,
}

impl Stream {
    async fn run(self, told: broadcast::Receiver<Told>) {
        tokio::select! {
            () = self.app.stop.cancelled() => {}
            () = self.seat.ended.cancelled() => {}
            () = self.sender.closed() => {}
            _ = self.follow(told) => {}
        }
    }

    async fn follow(&self, mut told: broadcast::Receiver<Told>) -> Result<(), Ended> {
        let last = self.first().await?;
        self.send(frame::CONNECTED).await?;
        let mut at = Position { last, behind: false };
        if matches!(self.watch.start, Start::After(_)) {
            at = self.catch_up(at.last).await?;
        }
        let mut heartbeat = every(self.app.options.heartbeat);
        heartbeat.reset();
        let mut again = every(self.app.options.stream_poll);
        loop {
            tokio::select! {
                told = told.recv() => match told {
                    Ok(Told::Event(live)) if live.id <= at.last => {}
                    // Ids of a project have no holes: this one is the next.
                    Ok(Told::Event(live)) if live.id == at.last + 1 => {
                        at.last = live.id;
                        if *live.bot == self.watch.bot {
                            self.send(live.frame).await?;
                            heartbeat.reset();
                        }
                    }
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => at = self.catch_up(at.last).await?,
                    Err(broadcast::error::RecvError::Closed) => return Err(Ended),
                },
                _ = again.tick(), if at.behind => at = self.catch_up(at.last).await?,
                _ = heartbeat.tick() => self.send(frame::HEARTBEAT).await?,
            }
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
        let page = page.map_err(|error| {
            tracing::warn!(?error, "an event stream ends; its reader comes back");
            Ended
        })?;
        let latest = page.latest;
        if self.watch.start == Start::Unknown {
            // Where none is kept, the next one will be the oldest.
            let oldest = page.events.first().map_or(latest + 1, |event| event.id);
            self.send(frame::unknown(oldest, latest)).await?;
        }
        Ok(latest)
    }

    /// Sends everything in the log after `last`.
    async fn catch_up(&self, mut last: u64) -> Result<Position, Ended> {
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
                    tracing::warn!(?error, "the event log cannot be read");
                    return Ok(Position { last, behind: true });
                }
            };
            if page.gap {
                self.send(frame::resync("events are missing", Some(page.latest)))
                    .await?;
                last = page.latest;
            }
            if page.gap || page.events.is_empty() {
                return Ok(Position { last, behind: false });
            }
            for event in &page.events {
                last = event.id;
                if event.bot_id == self.watch.bot {
                    self.send(frame::event(event)).await?;
                }
            }
        }
    }

    async fn send(&self, frame: Bytes) -> Result<(), Ended> {
        let sending = self.sender.send(frame);
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
