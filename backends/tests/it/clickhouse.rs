//! Telemetry in a real ClickHouse: the suite, and what happens while the server is away.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use botloom_backends::{ClickHouseAnalytics, ClickHouseOptions, ConnectError};
use botloom_core::ids::BotId;
use botloom_core::ports::{Analytics, AnalyticsEvent, AnalyticsQuery, AnalyticsRow, StoreError, StoreResult};
use botloom_core::testing::conformance;
use botloom_core::time::TimestampMs;
use botloom_core::{Coded as _, Secret};
use clickhouse::Client;
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use crate::proxy::{Network, Proxy};
use crate::settings::setting;
use crate::support::eventually;
use crate::telemetry::{bot, event};

/// Longest that a test waits for delivery; a server that was away is tried again within ten seconds.
const DELIVERY: Duration = Duration::from_mins(1);

/// A database of the test's own.
#[derive(Debug)]
struct Database {
    url: Url,
}

impl Database {
    fn new() -> Self {
        let mut url: Url = setting("BOTLOOM_TEST_CLICKHOUSE_URL").parse().unwrap();
        url.set_path(&format!("test_{}", Uuid::new_v4().simple()));
        Self { url }
    }

    fn options(&self, dir: &Path) -> ClickHouseOptions {
        ClickHouseOptions::new(Secret::new(self.url.as_str()), dir.to_owned())
    }

    async fn open(&self, dir: &Path) -> ClickHouseAnalytics {
        ClickHouseAnalytics::open(self.options(dir)).await.unwrap()
    }

    /// The same database through a proxy.
    async fn behind(&self, network: Network) -> (Self, Proxy) {
        let target = format!("{}:{}", self.url.host_str().unwrap(), self.url.port().unwrap());
        let proxy = Proxy::start(&target, network).await;
        let mut url = self.url.clone();
        url.set_host(Some("127.0.0.1")).unwrap();
        let port = proxy.address().rsplit_once(':').unwrap().1.parse().unwrap();
        url.set_port(Some(port)).unwrap();
        (Self { url }, proxy)
    }

    /// A client of the test's own.
    fn raw(&self) -> Client {
        let mut server = self.url.clone();
        server.set_path("/");
        server.set_username("").unwrap();
        server.set_password(None).unwrap();
        Client::default()
            .with_url(server)
            .with_user(self.url.username())
            .with_password(self.url.password().unwrap_or_default())
            .with_database(self.url.path().trim_matches('/'))
    }

    async fn number(&self, sql: &str) -> u64 {
        self.raw().query_raw(sql).fetch_one().await.unwrap()
    }

    async fn execute(&self, sql: &str) {
        self.raw().query_raw(sql).execute().await.unwrap();
    }

    /// Rows as they lie there: what came twice and was not skipped counts twice.
    async fn stored(&self) -> u64 {
        self.number("SELECT count() FROM analytics_events").await
    }
}

/// Delivers each batch before it answers, because the suite asks at once.
#[derive(Debug)]
struct Delivered(ClickHouseAnalytics);

#[async_trait]
impl Analytics for Delivered {
    async fn record(&self, events: &[AnalyticsEvent]) -> StoreResult<()> {
        self.0.record(events).await?;
        self.0.flush(DELIVERY).await
    }

    async fn query(
        &self,
        bot: &BotId,
        from: TimestampMs,
        to: TimestampMs,
        query: &AnalyticsQuery,
    ) -> StoreResult<Vec<AnalyticsRow>> {
        self.0.query(bot, from, to, query).await
    }

    async fn expire(&self, bot: &BotId, before: TimestampMs) -> StoreResult<u64> {
        self.0.expire(bot, before).await
    }
}

async fn delivered() -> (conformance::analytics::Subject, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let analytics = Database::new().open(dir.path()).await;
    (Arc::new(Delivered(analytics)), dir)
}

mod conforms {
    botloom_core::analytics_conformance!(super::delivered().await);
}

fn batch(ids: std::ops::Range<u32>) -> Vec<AnalyticsEvent> {
    ids.map(|id| event(id, 3_600_000)).collect()
}

async fn count(analytics: &ClickHouseAnalytics) -> StoreResult<u64> {
    let (from, to) = (TimestampMs(0), TimestampMs(i64::MAX));
    let rows = analytics.query(&bot(), from, to, &AnalyticsQuery::Events).await?;
    Ok(rows.iter().map(|row| row.values[0]).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_away_recording_goes_on_and_nothing_is_lost() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    let (through, proxy) = database.behind(Network::Works).await;
    let analytics = through.open(dir.path()).await;
    for round in 0..60 {
        match round {
            20 => proxy.set(Network::Cut),
            40 => proxy.set(Network::Works),
            _ => {}
        }
        analytics
            .record(&batch(round * 500..(round + 1) * 500))
            .await
            .unwrap();
        if round == 30 {
            let unanswered = count(&analytics).await;
            assert!(
                matches!(unanswered, Err(StoreError::Unavailable(_))),
                "{unanswered:?}"
            );
            assert!(analytics.check(Duration::from_secs(5)).await.is_err());
        }
    }
    analytics.flush(DELIVERY).await.unwrap();
    assert_eq!(count(&analytics).await.unwrap(), 30_000);
    assert_eq!(database.stored().await, 30_000);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "the spool is empty");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_at_the_start_gets_its_schema_and_rows_later() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    let (through, proxy) = database.behind(Network::Cut).await;
    let analytics = through.open(dir.path()).await;
    analytics.record(&batch(0..10)).await.unwrap();
    proxy.set(Network::Works);
    analytics.flush(DELIVERY).await.unwrap();
    assert_eq!(count(&analytics).await.unwrap(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_whose_answer_is_lost_is_made_again_and_stored_once() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    let (through, proxy) = database.behind(Network::Works).await;
    let analytics = through.open(dir.path()).await;
    proxy.set(Network::LosesAnswers);
    analytics.record(&batch(0..100)).await.unwrap();
    let unconfirmed = analytics.flush(Duration::from_secs(3)).await;
    assert!(unconfirmed.is_err(), "no answer ever came");
    eventually("but the rows did", async || database.stored().await == 100).await;
    proxy.set(Network::Works);
    analytics.flush(DELIVERY).await.unwrap();
    assert_eq!(database.stored().await, 100);
    // Rows of the same ids in another segment lie there twice and count once.
    analytics.record(&batch(50..150)).await.unwrap();
    analytics.flush(DELIVERY).await.unwrap();
    assert_eq!(database.stored().await, 200);
    assert_eq!(count(&analytics).await.unwrap(), 150);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_ended_process_left_in_the_spool_is_delivered_by_the_next() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    let (away, _proxy) = database.behind(Network::Cut).await;
    let analytics = away.open(dir.path()).await;
    analytics.record(&batch(0..7_000)).await.unwrap();
    drop(analytics);
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "one segment is full, one is not: {names:?}");
    let analytics = database.open(dir.path()).await;
    analytics.flush(DELIVERY).await.unwrap();
    assert_eq!(count(&analytics).await.unwrap(), 7_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_drops_the_oldest_rows_and_stays_within_its_bound() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    let (through, proxy) = database.behind(Network::Cut).await;
    let mut options = through.options(dir.path());
    options.spool_bytes = 3_000_000;
    let analytics = ClickHouseAnalytics::open(options).await.unwrap();
    for round in 0..6 {
        analytics
            .record(&batch(round * 5_000..(round + 1) * 5_000))
            .await
            .unwrap();
        let files = dir.path().read_dir().unwrap();
        let held: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(held <= 3_000_000, "{held}");
    }
    proxy.set(Network::Works);
    analytics.flush(DELIVERY).await.unwrap();
    let kept = count(&analytics).await.unwrap();
    assert!((5_000..30_000).contains(&kept) && kept % 5_000 == 0, "{kept}");
    let newest = "SELECT count() FROM analytics_events WHERE id = 'a-bot:29999'";
    assert_eq!(database.number(newest).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_the_server_cannot_read_holds_nobody_up() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    let name = format!("{}.1.sealed", Uuid::now_v7());
    std::fs::write(dir.path().join(name), "{\"id\":\"x\",\"at\":\"never\"}\n").unwrap();
    let analytics = database.open(dir.path()).await;
    analytics.record(&batch(0..3)).await.unwrap();
    analytics.flush(DELIVERY).await.unwrap();
    assert_eq!(database.stored().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_when_their_time_is_over() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    let analytics = database.open(dir.path()).await;
    let handled = |id: u32, expires_in_ms: i64| AnalyticsEvent {
        event: "update_handled".to_owned(),
        chat: i64::from(id).into(),
        ..event(id, expires_in_ms)
    };
    let rows = [handled(1, -1_000), handled(2, 3_600_000), handled(3, -1_000)];
    analytics.record(&rows).await.unwrap();
    analytics.flush(DELIVERY).await.unwrap();
    for table in ["analytics_events", "analytics_chat_days"] {
        database.execute(&format!("OPTIMIZE TABLE {table} FINAL")).await;
        assert_eq!(
            database.number(&format!("SELECT count() FROM {table}")).await,
            1,
            "{table}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_at_once_agree_on_one_schema() {
    let database = Arc::new(Database::new());
    let nodes: Vec<_> = (0..4)
        .map(|node| {
            let database = Arc::clone(&database);
            tokio::spawn(async move {
                let dir = tempfile::tempdir().unwrap();
                let analytics = database.open(dir.path()).await;
                analytics
                    .record(&batch(node * 10..(node + 1) * 10))
                    .await
                    .unwrap();
                analytics.flush(DELIVERY).await.unwrap();
            })
        })
        .collect();
    for node in nodes {
        node.await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(count(&database.open(dir.path()).await).await.unwrap(), 40);
    let versions = "SELECT count() FROM schema_migrations FINAL";
    assert_eq!(database.number(versions).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_of_others_are_refused() {
    let (database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    drop(database.open(dir.path()).await);
    let newer = "INSERT INTO schema_migrations (version, name, digest) VALUES (99, 'of tomorrow', 'x')";
    database.execute(newer).await;
    let error = ClickHouseAnalytics::open(database.options(dir.path()))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ConnectError::SchemaTooNew { found: 99, newest: 5 }),
        "{error:?}"
    );
    let other = "INSERT INTO schema_migrations (version, name, digest) VALUES (4, 'analytics', 'x')";
    database.execute(other).await;
    let error = ClickHouseAnalytics::open(database.options(dir.path()))
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::SchemaChanged(4)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_without_showing_it() {
    let (mut database, dir) = (Database::new(), tempfile::tempdir().unwrap());
    database.url.set_username("nobody").unwrap();
    database.url.set_password(Some("geheim")).unwrap();
    let options = database.options(dir.path());
    let printed = format!("{options:?}");
    let error = ClickHouseAnalytics::open(options).await.unwrap_err();
    assert_eq!(error.code(), "clickhouse-refused", "{error:?}");
    let told = format!("{printed} {error} {error:?} {}", error.outside());
    assert!(!told.contains("geheim"), "{told}");
}
