//! Telling and filling a file of lanes as a whole, while no server uses it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use botloom_core::hash::Sha256Hash;
use botloom_core::ports::{
    ActiveRevision, Direction, NewDeadLetter, OutMessage, QueuedMessage, QueuedUpdate, StoreError,
    StoreResult,
};
use botloom_core::{BotId, Epoch, Lane, RevHash, TimestampMs};
use rusqlite::Row;
use tokio::sync::mpsc;

use super::SqliteTuning;
use super::convert::{
    bytes, chat, dedup, direction, direction_number, failed, malformed, message, number, time, trace,
};
use super::records::SqliteRecords;
use super::schema;
use crate::lanes::model::{Letter, MessageKey, OutDelay, Payload, Records as _, StoredMessage};
use crate::transfer::{LaneItem, LaneTransfer, SEEN_MARGIN_MS};

/// A file of lanes in the hands of a transfer. Other processes cannot open it meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct SqliteLaneFile(Arc<Mutex<File>>);

#[derive(Debug)]
struct File {
    records: SqliteRecords,
    /// Last number given to an update or a message.
    last: u64,
}

impl SqliteLaneFile {
    /// Opens or makes the file. What may have been in flight when its last process ended is `maybe_sent` from here on.
    pub(crate) fn open(path: &Path, now: TimestampMs) -> StoreResult<Self> {
        let db = schema::open(path, &SqliteTuning::default(), now)?;
        let mut records = SqliteRecords::new(db)?;
        records.begin()?;
        let run = records.begin_run()?;
        records.suspect_heads()?;
        records.commit()?;
        let last = run << 40;
        Ok(Self(Arc::new(Mutex::new(File { records, last }))))
    }

    fn file(&self) -> MutexGuard<'_, File> {
        // A panic while importing leaves an open transaction, which the next import ends by failing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut File) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let file = self.clone();
        tokio::task::spawn_blocking(move || work(&mut file.file()))
            .await
            .map_err(StoreError::unavailable)?
    }
}

#[async_trait]
impl LaneTransfer for SqliteLaneFile {
    async fn is_empty(&self) -> StoreResult<bool> {
        self.blocking(|file| file.records.is_empty()).await
    }

    async fn export(&self, now: TimestampMs, out: mpsc::Sender<LaneItem>) -> StoreResult<()> {
        self.blocking(move |file| file.records.tell(now, &out)).await
    }

    async fn import(&self, items: Vec<LaneItem>) -> StoreResult<()> {
        self.blocking(move |file| {
            file.records.begin()?;
            let taken = items.into_iter().try_for_each(|item| file.take(item));
            match taken {
                Ok(()) => file.records.commit(),
                Err(error) => {
                    file.records.rollback()?;
                    Err(error)
                }
            }
        })
        .await
    }

    async fn finish(&self) -> StoreResult<()> {
        self.blocking(|file| file.records.checkpoint()).await
    }
}

impl File {
    fn take(&mut self, item: LaneItem) -> StoreResult<()> {
        let records = &mut self.records;
        match item {
            LaneItem::Revision { bot, revision } => records.put_revision(&bot, revision),
            LaneItem::Seen { bot, key, until } => records.see(&bot, &key, TimestampMs(0), until).map(drop),
            LaneItem::State {
                lane,
                document,
                until,
            } => records.put_state(&lane, &document, until),
            LaneItem::Update { lane, update, .. } => {
                self.last += 1;
                records.push_update(&lane, self.last, &update)
            }
            LaneItem::Attempts { lane, attempts } => records.set_attempts(&lane, attempts),
            LaneItem::Message { lane, message, .. } => {
                self.last += 1;
                let stored = StoredMessage {
                    key: MessageKey::new(message.message.class, self.last),
                    queued: message,
                    begun: false,
                };
                records.push_message(&lane, &stored)
            }
            LaneItem::OutDelay {
                lane,
                until,
                flood_wait,
            } => records.set_out_delay(&lane, Some(OutDelay { until, flood_wait })),
            LaneItem::Park { bot, until } => records.put_park(&bot, Some(until)),
            LaneItem::Letter {
                attempts,
                letter,
                message,
                ..
            } => {
                let letter = Letter {
                    bot: letter.bot,
                    chat: letter.chat,
                    reason: letter.reason,
                    detail: letter.detail,
                    at: letter.at,
                    attempts,
                    payload: message.map_or(Payload::Update(letter.body), Payload::Message),
                };
                records.add_letter(&letter).map(drop)
            }
        }
    }
}

/// Counts the items of one queue after the other.
struct Positions<T> {
    current: Option<T>,
    next: u64,
}

impl<T> Default for Positions<T> {
    fn default() -> Self {
        Self {
            current: None,
            next: 0,
        }
    }
}

impl<T: PartialEq> Positions<T> {
    fn of(&mut self, queue: T) -> u64 {
        if self.current.as_ref() == Some(&queue) {
            self.next += 1;
        } else {
            self.current = Some(queue);
            self.next = 0;
        }
        self.next
    }
}

/// A row of a table whose bot column is joined with its name.
fn lane(row: &Row<'_>) -> rusqlite::Result<Lane> {
    Ok(Lane {
        bot: bot(row)?,
        chat: chat(row, 1)?,
    })
}

fn bot(row: &Row<'_>) -> rusqlite::Result<BotId> {
    BotId::new(row.get_ref(0)?.as_str()?).map_err(|error| malformed(0, error))
}

impl SqliteRecords {
    /// Whether no bot has a number: everything else hangs on one.
    fn is_empty(&self) -> StoreResult<bool> {
        let count = "SELECT count(*) FROM bots";
        let bots: i64 = self.db().query_row(count, [], |row| row.get(0)).map_err(failed)?;
        Ok(bots == 0)
    }

    fn tell(&self, now: TimestampMs, out: &mpsc::Sender<LaneItem>) -> StoreResult<()> {
        let sql = "SELECT b.id, r.epoch, r.rev FROM revs r JOIN bots b ON b.n = r.bot";
        self.each(sql, [], out, |row| {
            Ok(LaneItem::Revision {
                bot: bot(row)?,
                revision: ActiveRevision {
                    epoch: Epoch(number(row, 1)?),
                    rev: RevHash(Sha256Hash(row.get(2)?)),
                },
            })
        })?;
        let sql = "SELECT b.id, s.uid, s.exp FROM seen s JOIN bots b ON b.n = s.bot WHERE s.exp > ?1";
        self.each(sql, [now.0 + SEEN_MARGIN_MS], out, |row| {
            Ok(LaneItem::Seen {
                bot: bot(row)?,
                key: dedup(row.get_ref(1)?)?,
                until: time(row, 2)?,
            })
        })?;
        let sql = "SELECT b.id, s.chat, s.v, s.exp FROM state s JOIN bots b ON b.n = s.bot \
                   WHERE s.exp IS NULL OR s.exp > ?1";
        self.each(sql, [now.0], out, |row| {
            Ok(LaneItem::State {
                lane: lane(row)?,
                document: bytes(row, 2)?,
                until: row.get::<_, Option<i64>>(3)?.map(TimestampMs),
            })
        })?;
        let mut positions = Positions::default();
        let sql = "SELECT b.id, q.chat, q.uid, q.accepted_at, q.env, q.trace FROM inq q \
                   JOIN bots b ON b.n = q.bot ORDER BY q.bot, q.chat, q.seq";
        self.each(sql, [], out, |row| {
            let lane = lane(row)?;
            Ok(LaneItem::Update {
                position: positions.of(lane.clone()),
                lane,
                update: QueuedUpdate {
                    dedup: dedup(row.get_ref(2)?)?,
                    accepted_at: time(row, 3)?,
                    envelope: bytes(row, 4)?,
                    trace: trace(row, 5)?,
                },
            })
        })?;
        let sql = "SELECT b.id, a.chat, a.n FROM att a JOIN bots b ON b.n = a.bot";
        self.each(sql, [], out, |row| {
            Ok(LaneItem::Attempts {
                lane: lane(row)?,
                attempts: row.get(2)?,
            })
        })?;
        self.tell_outboxes(now, out)?;
        for direction in [Direction::In, Direction::Out] {
            self.tell_letters(direction, out)?;
        }
        Ok(())
    }

    fn tell_outboxes(&self, now: TimestampMs, out: &mpsc::Sender<LaneItem>) -> StoreResult<()> {
        let mut positions = Positions::default();
        let sql = "SELECT b.id, o.chat, o.class, o.ambiguous, o.not_after, o.method, o.cause, o.params, o.attempts, \
                   o.maybe_sent, o.trace FROM outq o JOIN bots b ON b.n = o.bot ORDER BY o.bot, o.chat, o.rank, o.seq";
        self.each(sql, [], out, |row| {
            let lane = lane(row)?;
            Ok(LaneItem::Message {
                position: positions.of(lane.clone()),
                lane,
                message: QueuedMessage {
                    message: OutMessage {
                        trace: trace(row, 10)?,
                        ..message(row, 2, 7)?
                    },
                    attempts: row.get(8)?,
                    maybe_sent: row.get(9)?,
                },
            })
        })?;
        let sql = "SELECT b.id, d.chat, d.due, d.flood_wait FROM out_delays d JOIN bots b ON b.n = d.bot \
                   WHERE d.due > ?1";
        self.each(sql, [now.0], out, |row| {
            Ok(LaneItem::OutDelay {
                lane: lane(row)?,
                until: time(row, 2)?,
                flood_wait: row.get(3)?,
            })
        })?;
        let sql = "SELECT b.id, p.until FROM parks p JOIN bots b ON b.n = p.bot WHERE p.until > ?1";
        self.each(sql, [now.0], out, |row| {
            Ok(LaneItem::Park {
                bot: bot(row)?,
                until: time(row, 1)?,
            })
        })
    }

    fn tell_letters(&self, wanted: Direction, out: &mpsc::Sender<LaneItem>) -> StoreResult<()> {
        let mut positions = Positions::default();
        let sql = "SELECT b.id, d.dir, d.chat, d.at, d.attempts, d.reason, d.detail, d.class, d.ambiguous, \
                   d.not_after, d.method, d.cause, d.body FROM dlq d JOIN bots b ON b.n = d.bot \
                   WHERE d.dir = ?1 ORDER BY d.bot, d.n";
        self.each(sql, [direction_number(wanted)], out, |row| {
            let bot = bot(row)?;
            let message = match direction(row, 1)? {
                Direction::In => None,
                Direction::Out => Some(message(row, 7, 12)?),
            };
            Ok(LaneItem::Letter {
                position: positions.of(bot.clone()),
                attempts: row.get(4)?,
                letter: NewDeadLetter {
                    bot,
                    chat: match row.get_ref(2)? {
                        rusqlite::types::ValueRef::Null => None,
                        _ => Some(chat(row, 2)?),
                    },
                    reason: row.get(5)?,
                    detail: row.get(6)?,
                    body: if message.is_some() {
                        bytes::Bytes::new()
                    } else {
                        bytes(row, 12)?
                    },
                    at: time(row, 3)?,
                },
                message,
            })
        })
    }

    /// Sends an item for each row.
    fn each(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        out: &mpsc::Sender<LaneItem>,
        mut item: impl FnMut(&Row<'_>) -> rusqlite::Result<LaneItem>,
    ) -> StoreResult<()> {
        let mut statement = self.db().prepare(sql).map_err(failed)?;
        let mut rows = statement.query(params).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            if out.blocking_send(item(row).map_err(failed)?).is_err() {
                break;
            }
        }
        Ok(())
    }
}
