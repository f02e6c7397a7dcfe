//! Telemetry in ClickHouse: what is recorded goes to a spool on the local disk and from there, in the background, to
//! ClickHouse; questions go to ClickHouse directly. So recording never waits for ClickHouse and never fails with it.

mod connect;
mod deliver;
mod migrate;
mod row;
mod transfer;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use botloom_core::Secret;
use botloom_core::ids::BotId;
use botloom_core::ports::{Analytics, AnalyticsEvent, AnalyticsQuery, AnalyticsRow, StoreError, StoreResult};
use botloom_core::time::TimestampMs;
use clickhouse::Client;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use connect::ClickHouseError;
use deliver::Deliverer;
use row::Rows;

use crate::analytics::{Dialect, statement};
use crate::data_dir::DataDirError;
use crate::error::ConnectError;
use crate::spool::{Spool, SpoolLimits};

const DAY_MS: i64 = 86_400_000;
/// Rows of one insert: few enough for a statement of a second or two, many enough for few parts.
const SEGMENT_ROWS: u64 = 5_000;
/// Longest time that a row waits for company, and the most that a loss of power takes.
const SEGMENT_AGE: Duration = Duration::from_secs(1);
/// Default of [`ClickHouseOptions::spool_bytes`].
const SPOOL_BYTES: u64 = 1024 * 1024 * 1024;
/// How long opening waits for a server that does not answer.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Longest an answer or a deletion may take.
const QUERY_WAIT: Duration = Duration::from_secs(30);

const DIALECT: Dialect = Dialect {
    events: "analytics_events FINAL",
    chat_days: "(SELECT day, chat, first_at, last_at FROM analytics_chat_days \
        WHERE bot_id = {bot:String} AND first_at < {to:Int64})",
    bot: "{bot:String}",
    from: "{from:Int64}",
    to: "{to:Int64}",
    flow: "{flow:String}",
    day: "toDate(fromUnixTimestamp64Milli({at}, 'UTC'))",
    hour: "formatDateTime(fromUnixTimestamp64Milli({at}, 'UTC'), '%Y-%m-%dT%H:00', 'UTC')",
    latency: "latency_ms",
    reason: "reason",
    epoch: "JSONExtractUInt(fields, 'epoch')",
    step: "step",
    id_length: "lengthUTF8(id)",
};

/// Days of chats from the events themselves: the rollup knows the first and the last moment of a day, which is not
/// enough for a window that begins and ends within it.
const DAYS_FROM_EVENTS: &str = "(SELECT toDate(fromUnixTimestamp64Milli(at, 'UTC')) AS day, chat, \
    at AS first_at, at AS last_at FROM analytics_events FINAL \
    WHERE bot_id = {bot:String} AND at < {to:Int64} AND event = 'update_handled')";

/// Where ClickHouse is, and where rows wait for it.
#[derive(Debug, Clone)]
pub struct ClickHouseOptions {
    /// `http(s)://user:password@host:port/database`. Without a database: `default`. A database that does not exist is
    /// made.
    pub url: Secret,
    /// Folder of the spool, for this process alone.
    pub spool_dir: PathBuf,
    /// Most bytes of the spool; when it is full, the oldest rows are dropped.
    pub spool_bytes: u64,
}

impl ClickHouseOptions {
    /// A spool of 1 GiB.
    pub const fn new(url: Secret, spool_dir: PathBuf) -> Self {
        Self {
            url,
            spool_dir,
            spool_bytes: SPOOL_BYTES,
        }
    }
}

/// Telemetry in ClickHouse. Clones share it; delivery ends when the last one is dropped, and goes on when the spool is
/// opened again.
#[derive(Debug, Clone)]
pub struct ClickHouseAnalytics {
    client: Client,
    rows: Arc<Rows>,
    waiting: Arc<Waiting>,
    _deliverer: Arc<DropGuard>,
}

/// The spool, shared by who records and who delivers.
#[derive(Debug)]
struct Waiting {
    spool: Mutex<Spool>,
    /// There may be something to deliver.
    filled: Notify,
    /// A segment is out of the spool.
    emptied: Notify,
}

impl Waiting {
    /// Works on the spool where it holds no other task up. It runs to its end also if the caller goes away.
    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Spool) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let waiting = Arc::clone(self);
        let work = move || work(&mut waiting.spool.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl ClickHouseAnalytics {
    /// Opens the spool and begins to deliver. A server that is away is no error: its schema is brought up to date when
    /// it is back. A server that refuses, or has the schema of another version, is.
    pub async fn open(options: ClickHouseOptions) -> Result<Self, ConnectError> {
        let client = connect::client(&options.url)?;
        let limits = SpoolLimits {
            lines: SEGMENT_ROWS,
            age: SEGMENT_AGE,
            bytes: options.spool_bytes,
        };
        let dir = options.spool_dir.clone();
        let spool = tokio::task::spawn_blocking(move || Spool::open(&dir, limits))
            .await
            .map_err(StoreError::unavailable)?
            .map_err(|source| DataDirError::Unusable {
                path: options.spool_dir,
                source,
            })?;
        let migrated = match tokio::time::timeout(CONNECT_WAIT, migrate::run(&client)).await {
            Ok(Ok(())) => true,
            Ok(Err(migrate::Failed::For(error))) => return Err(error),
            Ok(Err(migrate::Failed::Away(error))) => {
                tracing::warn!(error = %error, "ClickHouse is away, telemetry waits in the spool");
                false
            }
            Err(_) => {
                tracing::warn!("ClickHouse does not answer, telemetry waits in the spool");
                false
            }
        };
        let waiting = Arc::new(Waiting {
            spool: Mutex::new(spool),
            filled: Notify::new(),
            emptied: Notify::new(),
        });
        let shutdown = CancellationToken::new();
        let deliverer = Deliverer::new(client.clone(), Arc::clone(&waiting), migrated);
        tokio::spawn(deliverer.run(shutdown.clone()));
        Ok(Self {
            client,
            rows: Arc::default(),
            waiting,
            _deliverer: Arc::new(shutdown.drop_guard()),
        })
    }

    /// Waits until everything that was recorded before is in ClickHouse, at most for `limit`. Call it before the
    /// process ends; what is not delivered by then is at the next start.
    pub async fn flush(&self, limit: Duration) -> StoreResult<()> {
        let sealed = self.waiting.with(|spool| spool.seal().map(|()| spool.newest()));
        let Some(last) = sealed.await.map_err(StoreError::unavailable)? else {
            return Ok(());
        };
        self.waiting.filled.notify_one();
        let delivered = async {
            loop {
                let mut emptied = std::pin::pin!(self.waiting.emptied.notified());
                emptied.as_mut().enable();
                let held = self.waiting.with(move |spool| Ok(spool.holds_up_to(last))).await;
                if !held.map_err(StoreError::unavailable)? {
                    return Ok(());
                }
                emptied.await;
            }
        };
        tokio::time::timeout(limit, delivered)
            .await
            .map_err(StoreError::unavailable)?
    }

    /// Whether ClickHouse answers within `limit`: for readiness.
    pub async fn check(&self, limit: Duration) -> StoreResult<()> {
        within(limit, self.client.query_raw("SELECT 1").execute()).await
    }
}

#[async_trait]
impl Analytics for ClickHouseAnalytics {
    /// Appends to the spool. Fails only with the local disk.
    async fn record(&self, events: &[AnalyticsEvent]) -> StoreResult<()> {
        if events.is_empty() {
            return Ok(());
        }
        let lines = self.rows.lines(events);
        let appended = self.waiting.with(move |spool| {
            let dropped = spool.append(&lines)?;
            Ok((dropped, spool.bytes()))
        });
        let (dropped, bytes) = appended.await.map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
            _ => StoreError::unavailable(error),
        })?;
        deliver::note_size(bytes);
        if dropped > 0 {
            deliver::note_dropped(dropped);
            tracing::warn!(
                rows = dropped,
                "the telemetry spool is full, its oldest rows were dropped"
            );
        }
        Ok(())
    }

    async fn query(
        &self,
        bot: &BotId,
        from: TimestampMs,
        to: TimestampMs,
        question: &AnalyticsQuery,
    ) -> StoreResult<Vec<AnalyticsRow>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let one_day = from.0.div_euclid(DAY_MS) == to.0.saturating_sub(1).div_euclid(DAY_MS);
        let by_utc_day = matches!(question, AnalyticsQuery::Chats(grid) if grid.is_utc_days());
        let dialect = Dialect {
            chat_days: if one_day && by_utc_day {
                DAYS_FROM_EVENTS
            } else {
                DIALECT.chat_days
            },
            ..DIALECT
        };
        let mut select = self
            .client
            .query_raw(&statement(&dialect, question))
            .with_setting("max_execution_time", QUERY_WAIT.as_secs().to_string())
            // An error in the midst of an answer is then an error of the request.
            .with_setting("wait_end_of_query", "1")
            .param("bot", bot.as_str())
            .param("from", from.0)
            .param("to", to.0);
        if let AnalyticsQuery::Funnel { flow } = question {
            select = select.param("flow", flow);
        }
        let answer = within(QUERY_WAIT, async {
            select.fetch_bytes("JSONCompactEachRow")?.collect().await
        });
        row::answers(&answer.await?)
    }

    async fn expire(&self, bot: &BotId, before: TimestampMs) -> StoreResult<u64> {
        let statement = |text: &str| {
            self.client
                .query_raw(text)
                .param("bot", bot.as_str())
                .param("before", before.0)
        };
        let condition = "bot_id = {bot:String} AND at < {before:Int64}";
        let count = statement(&format!(
            "SELECT COUNT(*) FROM analytics_events FINAL WHERE {condition}"
        ));
        let expired = within(QUERY_WAIT, count.fetch_one::<u64>()).await?;
        let events = statement(&format!("DELETE FROM analytics_events WHERE {condition}"));
        within(QUERY_WAIT, events.execute()).await?;
        let days = "DELETE FROM analytics_chat_days WHERE bot_id = {bot:String} AND last_at < {before:Int64}";
        within(QUERY_WAIT, statement(days).execute()).await?;
        Ok(expired)
    }
}

/// Waits for an answer of ClickHouse.
async fn within<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, clickhouse::error::Error>>,
) -> StoreResult<T> {
    tokio::time::timeout(limit, answer)
        .await
        .map_err(StoreError::unavailable)?
        .map_err(StoreError::unavailable)
}
