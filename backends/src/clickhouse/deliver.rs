//! From the spool to ClickHouse, for as long as it takes.
//!
//! A segment is one insert whose deduplication token is the segment's id: an insert that was not confirmed is made again
//! with the same token, and the server skips what it has.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clickhouse::Client;
use tokio_util::sync::CancellationToken;

use super::connect::{exception, is_unreadable};
use super::{Waiting, migrate};
use crate::failures::note_failure;
use crate::spool::{SegmentId, Spool};

/// Pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Longest an insert may take before it counts as failed.
const INSERT_WAIT: Duration = Duration::from_mins(1);
/// How often a segment is read that cannot be read (too many open files, a bad sector) before it is dropped, with
/// [`LONGEST_PAUSE`] in between.
const READS: u32 = 6;
/// How often the spool looks at its clock: a part of the age, so that no segment gets much older.
const TICK: Duration = Duration::from_millis(250);

/// Tells how much waits.
pub(super) fn note_size(bytes: u64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "gauges are floats; a spool has gigabytes at most"
    )]
    metrics::gauge!("botloom_analytics_spool_bytes").set(bytes as f64);
}

fn note_delivered(rows: u64) {
    metrics::counter!("botloom_analytics_delivered_total").increment(rows);
}

/// Counts rows that are lost.
pub(super) fn note_dropped(rows: u64) {
    metrics::counter!("botloom_analytics_dropped_total").increment(rows);
}

/// Takes segments out of the spool, oldest first.
#[derive(Debug)]
pub(super) struct Deliverer {
    client: Client,
    waiting: Arc<Waiting>,
    /// Whether the schema is known to be up to date.
    migrated: bool,
}

/// Why a segment was not delivered.
enum Undelivered {
    /// The server will never take it.
    Rejected(clickhouse::error::Error),
    /// Try again.
    Away(String),
}

impl Deliverer {
    pub(super) fn new(client: Client, waiting: Arc<Waiting>, migrated: bool) -> Self {
        Self {
            client: client
                .with_setting("async_insert", "0")
                // One segment must be one block, or the token would stand for a part of it.
                .with_setting("input_format_parallel_parsing", "0")
                .with_setting("max_partitions_per_insert_block", "0"),
            waiting,
            migrated,
        }
    }

    /// Delivers until `shutdown`. What is left stays in the spool.
    pub(super) async fn run(mut self, shutdown: CancellationToken) {
        let waiting = Arc::clone(&self.waiting);
        let work = async { tokio::join!(tick(&waiting), self.deliver_all()) };
        tokio::select! {
            () = shutdown.cancelled() => {}
            _ = work => {}
        }
    }

    async fn deliver_all(&mut self) {
        let mut pause = FIRST_PAUSE;
        let mut unread = 0;
        loop {
            let filled = Arc::clone(&self.waiting);
            let filled = filled.filled.notified();
            let (id, lines) = match self.waiting.with(Spool::oldest).await {
                Ok(Some(segment)) => segment,
                Ok(None) => {
                    filled.await;
                    continue;
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound && unread < READS => {
                    tracing::warn!(error = %error, "the oldest segment of telemetry cannot be read yet");
                    unread += 1;
                    tokio::time::sleep(LONGEST_PAUSE).await;
                    continue;
                }
                Err(error) => {
                    tracing::error!(error = %error, "the oldest segment of telemetry cannot be read, it is dropped");
                    self.end(Spool::drop_oldest, note_dropped).await;
                    unread = 0;
                    continue;
                }
            };
            unread = 0;
            match self.deliver(id, lines).await {
                Ok(()) => {
                    if pause > FIRST_PAUSE {
                        tracing::info!("telemetry is delivered to ClickHouse again");
                    }
                    pause = FIRST_PAUSE;
                    self.end(move |spool| spool.remove(id), note_delivered).await;
                }
                Err(Undelivered::Rejected(error)) => {
                    tracing::error!(segment = %id, error = %error, "ClickHouse cannot read a segment of telemetry, it is dropped");
                    self.end(move |spool| spool.remove(id), note_dropped).await;
                }
                Err(Undelivered::Away(reason)) => {
                    note_failure("analytics");
                    if pause == FIRST_PAUSE {
                        tracing::warn!(
                            reason,
                            "telemetry cannot be delivered to ClickHouse, it waits in the spool"
                        );
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Takes a segment out of the spool and counts its rows.
    async fn end(&self, remove: impl FnOnce(&mut Spool) -> io::Result<u64> + Send + 'static, count: fn(u64)) {
        let removed = self.waiting.with(move |spool| {
            let rows = remove(spool)?;
            Ok((rows, spool.bytes()))
        });
        match removed.await {
            Ok((rows, bytes)) => {
                count(rows);
                note_size(bytes);
            }
            // It will be delivered again, which the token makes harmless.
            Err(error) => {
                tracing::warn!(error = %error, "a segment of telemetry could not be removed");
                tokio::time::sleep(LONGEST_PAUSE).await;
            }
        }
        self.waiting.emptied.notify_waiters();
    }

    async fn deliver(&mut self, id: SegmentId, lines: Vec<u8>) -> Result<(), Undelivered> {
        if !self.migrated {
            match tokio::time::timeout(INSERT_WAIT, migrate::run(&self.client)).await {
                Ok(Ok(())) => self.migrated = true,
                Ok(Err(failed)) => return Err(Undelivered::Away(failed.to_string())),
                Err(_) => return Err(Undelivered::Away("it does not answer".to_owned())),
            }
        }
        let mut insert = self
            .client
            .insert_formatted_with("INSERT INTO analytics_events FORMAT JSONEachRow")
            .with_setting("insert_deduplication_token", id.to_string());
        let sent = async {
            insert.send(Bytes::from(lines)).await?;
            insert.end().await
        };
        match tokio::time::timeout(INSERT_WAIT, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if is_unreadable(&error) => Err(Undelivered::Rejected(error)),
            Ok(Err(error)) => {
                // The server answered and did not take it: perhaps somebody made the database anew.
                self.migrated = exception(&error).is_none();
                Err(Undelivered::Away(error.to_string()))
            }
            Err(_) => Err(Undelivered::Away("it does not answer".to_owned())),
        }
    }
}

/// Seals and syncs what is old enough, and tells when there is something to deliver.
async fn tick(waiting: &Arc<Waiting>) {
    loop {
        tokio::time::sleep(TICK).await;
        if let Err(error) = waiting.with(Spool::tick).await {
            tracing::warn!(error = %error, "the telemetry spool could not be written to disk");
        }
        waiting.filled.notify_one();
    }
}
