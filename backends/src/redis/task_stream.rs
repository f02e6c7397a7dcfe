//! One stream of tasks with its consumer group.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use botloom_core::ids::TaskId;
use botloom_core::model::NodeId;
use botloom_core::ports::{StoreError, StoreResult};
use redis::streams::{StreamAutoClaimReply, StreamId, StreamInfoConsumersReply, StreamReadReply};
use redis::{RedisError, cmd};

use super::RedisLink;

/// The one group: each entry goes to one worker.
const GROUP: &str = "workers";
/// Entries older than this are cut off: their tasks ended long ago, or are found by their rows.
const KEEP_MS: i64 = 7 * 24 * 3_600_000;
/// A consumer without entries that was silent for so long was a process that is gone.
const SILENT_MS: usize = 3_600_000;
/// Where a walk over the entries in workers' hands begins.
const START: &str = "0-0";

/// A stream behind a link, read as one consumer.
#[derive(Debug)]
pub(super) struct TaskStream {
    link: RedisLink,
    key: &'static str,
    consumer: String,
    /// Where the walk over entries in workers' hands goes on: it looks at a few at a time.
    walk: Mutex<String>,
}

/// An entry in this consumer's hands.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    /// `None`: not an entry that was written by this software.
    pub(super) task: Option<TaskId>,
}

impl TaskStream {
    pub(super) fn new(link: &RedisLink, key: &'static str, node: NodeId) -> Self {
        Self {
            link: link.clone(),
            key,
            consumer: node.to_string(),
            walk: Mutex::new(START.to_owned()),
        }
    }

    /// Adds an entry for a task.
    pub(super) async fn add(&self, task: &TaskId, json: &str) -> StoreResult<()> {
        let mut add = cmd("XADD");
        add.arg(self.key)
            .arg("*")
            .arg("id")
            .arg(task.to_string())
            .arg("task")
            .arg(json);
        let _id: String = self.link.run(&add).await?;
        Ok(())
    }

    /// The next entry: one whose consumer was silent for `idle`, otherwise one that nobody had.
    pub(super) async fn next(&self, idle: Duration) -> StoreResult<Option<Entry>> {
        match self.try_next(idle).await {
            Err(error) if has_code(&error, "NOGROUP") => {
                self.make_group().await?;
                self.try_next(idle).await
            }
            answer => answer,
        }
    }

    async fn try_next(&self, idle: Duration) -> StoreResult<Option<Entry>> {
        if let Some(entry) = self.claim(idle).await? {
            return Ok(Some(entry));
        }
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg(&self.consumer);
        read.arg("COUNT").arg(1).arg("STREAMS").arg(self.key).arg(">");
        let reply: Option<StreamReadReply> = self.link.run(&read).await?;
        let keys = reply.map(|reply| reply.keys).unwrap_or_default();
        Ok(keys.into_iter().flat_map(|key| key.ids).next().map(entry))
    }

    /// Takes over an entry of a consumer that was silent for `idle`.
    async fn claim(&self, idle: Duration) -> StoreResult<Option<Entry>> {
        let from = self.walk.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(self.key).arg(GROUP).arg(&self.consumer);
        claim
            .arg(u64::try_from(idle.as_millis()).unwrap_or(u64::MAX))
            .arg(&from);
        claim.arg("COUNT").arg(1);
        let reply: StreamAutoClaimReply = self.link.run(&claim).await?;
        *self.walk.lock().unwrap_or_else(PoisonError::into_inner) = reply.next_stream_id;
        Ok(reply.claimed.into_iter().next().map(entry))
    }

    /// Starts the idle time of an entry anew, without counting a delivery.
    pub(super) async fn hold(&self, entry: &str) -> StoreResult<()> {
        let mut claim = cmd("XCLAIM");
        claim.arg(self.key).arg(GROUP).arg(&self.consumer);
        claim.arg(0).arg(entry).arg("JUSTID");
        let _held: Vec<String> = self.link.run(&claim).await?;
        Ok(())
    }

    /// Takes an entry out of the stream for good.
    pub(super) async fn drop_entry(&self, entry: &str) -> StoreResult<()> {
        let _done: i64 = self
            .link
            .run(cmd("XACK").arg(self.key).arg(GROUP).arg(entry))
            .await?;
        let _done: i64 = self.link.run(cmd("XDEL").arg(self.key).arg(entry)).await?;
        Ok(())
    }

    /// Cuts off old entries and forgets consumers that are gone.
    pub(super) async fn tidy(&self) -> StoreResult<()> {
        self.make_group().await?;
        let oldest = self.link.now().await?.plus(-KEEP_MS).0;
        let _cut: i64 = self
            .link
            .run(cmd("XTRIM").arg(self.key).arg("MINID").arg(oldest))
            .await?;
        let consumers: StreamInfoConsumersReply = self
            .link
            .run(cmd("XINFO").arg("CONSUMERS").arg(self.key).arg(GROUP))
            .await?;
        for gone in consumers.consumers {
            if gone.pending == 0 && gone.idle > SILENT_MS && gone.name != self.consumer {
                // An entry that comes to it at this moment goes with it; its task is found by its row.
                let mut forget = cmd("XGROUP");
                forget.arg("DELCONSUMER").arg(self.key).arg(GROUP).arg(gone.name);
                let _pending: i64 = self.link.run(&forget).await?;
            }
        }
        Ok(())
    }

    /// Makes stream and group unless they are there.
    async fn make_group(&self) -> StoreResult<()> {
        let mut create = cmd("XGROUP");
        create
            .arg("CREATE")
            .arg(self.key)
            .arg(GROUP)
            .arg(START)
            .arg("MKSTREAM");
        match self.link.run::<()>(&create).await {
            Err(error) if !has_code(&error, "BUSYGROUP") => Err(error),
            _ => Ok(()),
        }
    }
}

fn entry(id: StreamId) -> Entry {
    let fields: HashMap<String, redis::Value> = id.map;
    let task = fields.get("id").and_then(|value| {
        let text: String = redis::from_redis_value_ref(value).ok()?;
        text.parse().ok()
    });
    Entry { id: id.id, task }
}

/// Whether a server's error has this code.
fn has_code(error: &StoreError, code: &str) -> bool {
    let StoreError::Unavailable(source) = error else {
        return false;
    };
    source
        .downcast_ref::<RedisError>()
        .is_some_and(|error| error.code() == Some(code))
}
