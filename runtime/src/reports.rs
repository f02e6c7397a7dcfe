//! What is told after the fact: telemetry for the author, events for who watches. Never on the path of an answer:
//! both leave through bounded buffers, and what does not fit is counted and dropped.

mod retention;
mod telemetry;

use std::sync::Arc;
use std::time::Duration;

use botloom_core::event::BotEvent;
use botloom_core::ids::{BotId, ProjectId};
use botloom_core::ports::{Analytics, AnalyticsEvent, EventLog};
use botloom_core::time::{SharedClock, TimestampMs};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use retention::Retention;
pub(crate) use telemetry::{CHAT_BLOCKED, Run, api_calls, from_bot_code, plain, sent};

/// Rows that wait.
const BUFFER: usize = 8_192;
/// Rows written at once.
const BATCH: usize = 500;
/// Longest time that a row waits for company.
const BATCH_AGE: Duration = Duration::from_secs(1);
/// Events that wait.
const EVENTS: usize = 1_024;

/// Where reports go in. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Reports {
    rows: mpsc::Sender<AnalyticsEvent>,
    events: mpsc::Sender<(ProjectId, BotId, TimestampMs, BotEvent)>,
    clock: SharedClock,
    retention: Retention,
}

/// The other end.
#[derive(Debug)]
pub(crate) struct Writer {
    rows: mpsc::Receiver<AnalyticsEvent>,
    events: mpsc::Receiver<(ProjectId, BotId, TimestampMs, BotEvent)>,
}

/// Both ends.
pub(crate) fn reports(clock: SharedClock) -> (Reports, Writer) {
    let (rows, rows_out) = mpsc::channel(BUFFER);
    let (events, events_out) = mpsc::channel(EVENTS);
    (
        Reports {
            rows,
            events,
            clock,
            retention: Retention::default(),
        },
        Writer {
            rows: rows_out,
            events: events_out,
        },
    )
}

impl Reports {
    /// Remembers how long the bot's telemetry is kept, as its newest program says.
    pub(crate) fn keep_for(&self, bot: &BotId, ttl_ms: Option<i64>) {
        self.retention.learn(bot, ttl_ms);
    }

    /// Records telemetry; says itself how long it is kept.
    pub(crate) fn record(&self, mut row: AnalyticsEvent) {
        row.expires_at = row.at.plus(self.retention.ttl_ms(&row.bot));
        if self.rows.try_send(row).is_err() {
            metrics::counter!("botloom_analytics_dropped_total").increment(1);
        }
    }

    /// Tells who watches the project.
    pub(crate) fn tell(&self, project: ProjectId, bot: &BotId, event: BotEvent) {
        let event = (project, bot.clone(), self.clock.now(), event);
        if self.events.try_send(event).is_err() {
            metrics::counter!("botloom_events_dropped_total").increment(1);
        }
    }
}

impl Writer {
    /// Writes until `shutdown`, and then what is left.
    pub(crate) async fn run(
        mut self,
        analytics: Arc<dyn Analytics>,
        log: Arc<dyn EventLog>,
        shutdown: CancellationToken,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut tick = tokio::time::interval(BATCH_AGE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let room = BATCH - batch.len();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some((project, bot, at, event)) = self.events.recv() => append(&*log, project, &bot, at, &event).await,
                got = self.rows.recv_many(&mut batch, room) => {
                    if got == 0 {
                        break;
                    }
                    if batch.len() == BATCH {
                        flush(&*analytics, &mut batch).await;
                    }
                }
                _ = tick.tick() => flush(&*analytics, &mut batch).await,
            }
        }
        while let Ok((project, bot, at, event)) = self.events.try_recv() {
            append(&*log, project, &bot, at, &event).await;
        }
        while let Ok(row) = self.rows.try_recv() {
            batch.push(row);
            if batch.len() == BATCH {
                flush(&*analytics, &mut batch).await;
            }
        }
        flush(&*analytics, &mut batch).await;
    }
}

async fn append(log: &dyn EventLog, project: ProjectId, bot: &BotId, at: TimestampMs, event: &BotEvent) {
    if let Err(error) = log.append(project, bot, at, event).await {
        metrics::counter!("botloom_events_dropped_total").increment(1);
        tracing::warn!(%bot, event = event.name(), error = %error, "an event could not be logged");
    }
}

async fn flush(analytics: &dyn Analytics, batch: &mut Vec<AnalyticsEvent>) {
    if batch.is_empty() {
        return;
    }
    if let Err(error) = analytics.record(batch).await {
        metrics::counter!("botloom_analytics_dropped_total").increment(batch.len() as u64);
        tracing::warn!(rows = batch.len(), error = %error, "telemetry could not be stored");
    }
    batch.clear();
}

#[cfg(test)]
mod tests {
    use botloom_core::ids::ChatId;
    use botloom_core::time::SystemClock;

    use super::*;

    #[test]
    fn rows_are_kept_for_as_long_as_the_bot_says() {
        let (reports, mut writer) = reports(Arc::new(SystemClock));
        let (bot, chat) = (BotId::new("pizza").unwrap(), ChatId::from(5));
        let run = Run {
            bot: &bot,
            chat: &chat,
            rev: None,
            at: TimestampMs(1_000),
            cause: "77",
        };
        reports.keep_for(&bot, Some(86_400_000));
        reports.record(plain(run, "x", "{}".to_owned()));
        let row = writer.rows.try_recv().unwrap();
        assert_eq!(row.expires_at, TimestampMs(86_401_000));
    }
}
