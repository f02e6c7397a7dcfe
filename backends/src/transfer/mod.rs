//! Moving a whole installation from one set of stores to another: everything is copied, then counted and hashed on both
//! sides. Nothing is deleted on the side it came from.
//!
//! Neither side may be in use: updates that Telegram cannot deliver meanwhile wait there for up to 24 hours.

mod embedded;
mod item;
mod redis;
mod side;
mod tables;
mod tally;

use async_trait::async_trait;
use botloom_core::event::LoggedEvent;
use botloom_core::ids::ProjectId;
use botloom_core::model::RevisionRow;
use botloom_core::ports::{
    AnalyticsEvent, ArtifactError, ArtifactName, EventLog, Page, PageRequest, Revisions, StoreError,
    StoreResult,
};
use botloom_core::{Coded as _, Sha256Hash, TimestampMs};
use sha2::{Digest as _, Sha256};
use sqlx::query;
use tokio::sync::mpsc;

use item::is_fleeting;
pub(crate) use item::{LaneItem, LaneTransfer, SEEN_MARGIN_MS};
pub use tally::{Tallies, Tally};

use crate::catalog::SqlCatalog;
use crate::connect::StorageOptions;
use crate::error::ConnectError;
use crate::sql::{RowExt as _, store_error};
use side::Side;
use tables::TABLES;

/// Items that wait between the two sides.
const WAITING: usize = 4_096;
/// Items, events or rows of telemetry handed over at a time.
const BATCH: usize = 1_000;

/// A log of events that can be filled with what another one held.
#[async_trait]
pub(crate) trait EventTransfer: EventLog {
    /// Appends events of one project under the ids that they have, in order. The log must have no younger ones.
    async fn restore(&self, project: ProjectId, events: &[LoggedEvent]) -> StoreResult<()>;
}

/// Telemetry that can be told as a whole. Filling it is [`botloom_core::ports::Analytics::record`].
#[async_trait]
pub(crate) trait AnalyticsTransfer: botloom_core::ports::Analytics {
    /// Up to `limit` events whose id is behind `after`, by id.
    async fn events_behind(&self, after: Option<&str>, limit: usize) -> StoreResult<Vec<AnalyticsEvent>>;

    /// Waits until everything that was recorded can be asked for.
    async fn flush(&self) -> StoreResult<()>;
}

/// Why an installation could not be moved. The side it came from is as it was.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The side to be filled holds an installation already.
    #[error("the target is not empty: something is in {0}")]
    NotEmpty(&'static str),
    /// A node uses the services.
    #[error("a node is running on the services: stop all nodes first")]
    InUse,
    /// A side could not be opened.
    #[error("{}", .0.outside())]
    Connect(#[from] ConnectError),
    /// A store of either side failed.
    #[error("{}", .0.outside())]
    Store(#[from] StoreError),
    /// A file of a revision could not be read or written.
    #[error("file {name} of revision {rev}: {source}")]
    Artifact {
        /// The revision.
        rev: String,
        /// The file.
        name: ArtifactName,
        /// What is wrong with it.
        source: ArtifactError,
    },
}

/// What was moved: what both sides counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferReport {
    /// On the side it came from.
    pub from: Tallies,
    /// On the side it went to.
    pub to: Tallies,
}

impl TransferReport {
    /// What the two sides do not agree on.
    pub fn differences(&self) -> Vec<&'static str> {
        let names = self.from.keys().chain(self.to.keys());
        let mut differing: Vec<_> = names
            .copied()
            .filter(|name| self.from.get(name) != self.to.get(name))
            .collect();
        differing.sort_unstable();
        differing.dedup();
        differing
    }
}

/// Copies everything from one set of stores into another, which must be empty, and compares.
///
/// # Errors
///
/// [`TransferError`]; the side it came from is as it was, the other may be filled in part.
pub async fn transfer(from: StorageOptions, to: StorageOptions) -> Result<TransferReport, TransferError> {
    let now = from.clock.now();
    let (from, to) = (&Side::open(from, now).await?, &Side::open(to, now).await?);
    for table in TABLES {
        if !table.is_empty(&to.db).await? {
            return Err(TransferError::NotEmpty(table.name));
        }
    }
    if !to.lanes.is_empty().await? {
        return Err(TransferError::NotEmpty("the lanes"));
    }
    for table in TABLES {
        table.copy(&from.db, &to.db).await?;
        tracing::info!(table = table.name, "copied");
    }
    copy_artifacts(from, to).await?;
    tracing::info!("artifacts copied");
    copy_events(from, to).await?;
    copy_analytics(from, to).await?;
    tracing::info!("events and telemetry copied");
    copy_lanes(from, to, now).await?;
    tracing::info!("lanes copied");
    Ok(TransferReport {
        from: tallies(from, now).await?,
        to: tallies(to, now).await?,
    })
}

/// Calls `each` for every revision.
async fn revisions(
    side: &Side,
    mut each: impl AsyncFnMut(RevisionRow) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let catalog = SqlCatalog::new(&side.db);
    let rows = query("SELECT id FROM bots ORDER BY id")
        .fetch_all(side.db.reader())
        .await;
    for row in rows.map_err(store_error)? {
        let bot = row.parsed("id")?;
        let mut request = PageRequest {
            cursor: None,
            limit: 200,
        };
        loop {
            let Page { items, next_cursor } = catalog.revisions(&bot, &request).await?;
            for revision in items {
                each(revision).await?;
            }
            let Some(cursor) = next_cursor else { break };
            request.cursor = Some(cursor);
        }
    }
    Ok(())
}

fn digest_of(revision: &RevisionRow, name: ArtifactName) -> &Sha256Hash {
    match name {
        ArtifactName::BotJs => &revision.digests.bot_js,
        ArtifactName::SpecJson => &revision.digests.spec_json,
        ArtifactName::RevJson => &revision.digests.rev_json,
    }
}

async fn copy_artifacts(from: &Side, to: &Side) -> Result<(), TransferError> {
    revisions(from, async |revision| {
        for name in ArtifactName::ALL {
            let failed = |source| TransferError::Artifact {
                rev: revision.rev_hash.to_string(),
                name,
                source,
            };
            let (bot, rev) = (&revision.bot, &revision.rev_hash);
            let bytes = from
                .artifacts
                .get(bot, rev, name, digest_of(&revision, name))
                .await;
            let bytes = bytes.map_err(failed)?;
            to.artifacts.put(bot, rev, name, bytes).await.map_err(failed)?;
        }
        Ok(())
    })
    .await
}

async fn projects(side: &Side) -> StoreResult<Vec<ProjectId>> {
    let rows = query("SELECT id FROM projects ORDER BY id")
        .fetch_all(side.db.reader())
        .await;
    rows.map_err(store_error)?
        .iter()
        .map(|row| row.parsed("id"))
        .collect()
}

/// Calls `each` for every piece of the log of a project.
async fn events(
    side: &Side,
    project: ProjectId,
    mut each: impl AsyncFnMut(Vec<LoggedEvent>) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut after = 0;
    loop {
        let page = side.events.events_after(project, after, 500).await?;
        let Some(last) = page.events.last() else {
            return Ok(());
        };
        after = last.id;
        each(page.events).await?;
    }
}

async fn copy_events(from: &Side, to: &Side) -> StoreResult<()> {
    for project in projects(from).await? {
        events(from, project, async |page| {
            to.events.restore(project, &page).await
        })
        .await?;
    }
    Ok(())
}

/// Calls `each` for every piece of the telemetry.
async fn telemetry(
    side: &Side,
    mut each: impl AsyncFnMut(&[AnalyticsEvent]) -> StoreResult<()>,
) -> StoreResult<()> {
    let mut after: Option<String> = None;
    loop {
        let page = side.analytics.events_behind(after.as_deref(), BATCH).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id.clone());
        each(&page).await?;
    }
}

async fn copy_analytics(from: &Side, to: &Side) -> StoreResult<()> {
    telemetry(from, async |page| to.analytics.record(page).await).await?;
    to.analytics.flush().await
}

/// Calls `each` for pieces of what lanes hold.
async fn lane_items(
    side: &Side,
    now: TimestampMs,
    mut each: impl AsyncFnMut(Vec<LaneItem>) -> StoreResult<()>,
) -> StoreResult<()> {
    let (out, mut items) = mpsc::channel(WAITING);
    let export = side.lanes.export(now, out);
    let take = async {
        let mut batch = Vec::new();
        let mut taken = Ok(());
        while taken.is_ok() && items.recv_many(&mut batch, BATCH).await > 0 {
            taken = each(std::mem::take(&mut batch)).await;
        }
        // Ends an export that would wait for ever for somebody who failed.
        items.close();
        taken
    };
    let (exported, taken) = tokio::join!(export, take);
    taken?;
    exported
}

async fn copy_lanes(from: &Side, to: &Side, now: TimestampMs) -> StoreResult<()> {
    lane_items(from, now, async |batch| to.lanes.import(batch).await).await?;
    to.lanes.finish().await
}

fn add_json(tally: &mut Tally, value: &impl serde::Serialize) -> StoreResult<()> {
    let json = serde_json::to_vec(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    tally.add(Sha256::digest(json).into());
    Ok(())
}

async fn tallies(side: &Side, now: TimestampMs) -> Result<Tallies, TransferError> {
    let mut tallies = Tallies::new();
    for table in TABLES {
        tallies.insert(table.name, table.tally(&side.db).await?);
    }
    let mut files = Tally::default();
    revisions(side, async |revision| {
        for name in ArtifactName::ALL {
            let bytes = side
                .artifacts
                .get(
                    &revision.bot,
                    &revision.rev_hash,
                    name,
                    digest_of(&revision, name),
                )
                .await
                .map_err(|source| TransferError::Artifact {
                    rev: revision.rev_hash.to_string(),
                    name,
                    source,
                })?;
            files.add(Sha256Hash::of(&bytes).0);
        }
        Ok(())
    })
    .await?;
    tallies.insert("files of revisions", files);
    let mut logged = Tally::default();
    for project in projects(side).await? {
        events(side, project, async |page| {
            page.iter().try_for_each(|event| add_json(&mut logged, event))
        })
        .await?;
    }
    tallies.insert("events", logged);
    let mut recorded = Tally::default();
    telemetry(side, async |page| {
        page.iter()
            .filter(|event| !is_fleeting(event.expires_at, now))
            .try_for_each(|event| add_json(&mut recorded, &Recorded(event)))
    })
    .await?;
    tallies.insert("telemetry", recorded);
    lane_items(side, now, async |batch| {
        for item in batch.iter().filter(|item| !item.is_fleeting(now)) {
            item.add_to(tallies.entry(item.kind()).or_default());
        }
        Ok(())
    })
    .await?;
    Ok(tallies)
}

/// A row of telemetry as it is hashed.
struct Recorded<'a>(&'a AnalyticsEvent);

impl serde::Serialize for Recorded<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        (
            &event.id,
            event.bot.as_str(),
            event.chat.as_str(),
            event.rev.map(|rev| rev.to_string()),
            (event.at.0, event.expires_at.0),
            &event.event,
            // Engines that know no absence keep it as an empty text.
            event.flow.as_deref().unwrap_or_default(),
            event.step.as_deref().unwrap_or_default(),
            &event.fields,
        )
            .serialize(serializer)
    }
}
