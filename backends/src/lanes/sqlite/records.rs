//! [`Records`] in the tables of `migrations/sqlite/runtime`, inside the transaction that the writer opened.
//!
//! Longer than most files: it is one implementation of one trait, a statement or two for each method.

use std::collections::HashMap;

use botloom_core::hash::Sha256Hash;
use botloom_core::ports::{
    ActiveRevision, ChatState, DedupKey, Direction, LetterOrder, LetterQuery, OutMessage, QueuedMessage,
    QueuedUpdate, StoreError, StoreResult,
};
use botloom_core::{BotId, ChatId, Epoch, Lane, RevHash, TimestampMs, TraceParent};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::convert::{
    Uid, ambiguous_number, bytes, chat, class_number, count, dedup, direction, direction_number, failed,
    malformed, message, number, time, trace,
};
use super::sweep::Sweeper;
use crate::lanes::model::{
    LaneSummary, Letter, MessageKey, OutDelay, OutboxSummary, Payload, Records, StoredMessage, StoredUpdate,
};

#[derive(Debug)]
pub(crate) struct SqliteRecords {
    db: Connection,
    bots: HashMap<BotId, i64>,
    /// Whether `bots` changed since the transaction began.
    bots_changed: bool,
    sweeper: Sweeper,
}

const DEAD_COLUMNS: &str =
    "n, dir, chat, at, attempts, reason, detail, class, ambiguous, not_after, method, cause, body";

/// The letters of a bot and direction that a filter lets through.
const MEANT: &str = "bot = ?1 AND dir = ?2 AND (?3 IS NULL OR chat = ?3) AND (?4 IS NULL OR reason = ?4)";

/// Counts them. The index holds all that the filter asks for: what was set aside is not read.
fn count_of_letters() -> String {
    format!("SELECT count(*) FROM dlq INDEXED BY dlq_found WHERE {MEANT}")
}

impl SqliteRecords {
    pub(super) fn new(db: Connection) -> StoreResult<Self> {
        let mut records = Self {
            db,
            bots: HashMap::new(),
            bots_changed: false,
            sweeper: Sweeper::default(),
        };
        records.read_bots()?;
        Ok(records)
    }

    /// The connection, for what is no step of the model.
    pub(super) const fn db(&self) -> &Connection {
        &self.db
    }

    pub(super) fn begin(&mut self) -> StoreResult<()> {
        self.bots_changed = false;
        self.run("BEGIN IMMEDIATE", []).map(drop)
    }

    pub(super) fn commit(&mut self) -> StoreResult<()> {
        self.run("COMMIT", []).map(drop)
    }

    pub(super) fn rollback(&mut self) -> StoreResult<()> {
        // Some errors end the transaction by themselves.
        if !self.db.is_autocommit() {
            self.run("ROLLBACK", [])?;
        }
        if self.bots_changed {
            self.read_bots()?;
        }
        Ok(())
    }

    /// Deletes a little of what expired or was purged.
    pub(super) fn sweep(&mut self, now: TimestampMs) -> StoreResult<()> {
        self.sweeper.sweep(&self.db, now).map_err(failed)
    }

    /// Moves the write-ahead log into the file.
    pub(super) fn checkpoint(&self) -> StoreResult<()> {
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.db.query_row(truncate, [], |_| Ok(())).map_err(failed)
    }

    fn read_bots(&mut self) -> StoreResult<()> {
        let bots = self.all("SELECT id, n FROM bots", [], |row| {
            let id = row.get_ref(0)?.as_str()?;
            let id = BotId::new(id).map_err(|error| malformed(0, error))?;
            Ok((id, row.get(1)?))
        })?;
        self.bots = bots.into_iter().collect();
        Ok(())
    }

    /// The number of a bot, made if it has none.
    fn bot(&mut self, bot: &BotId) -> StoreResult<i64> {
        if let Some(n) = self.bots.get(bot) {
            return Ok(*n);
        }
        self.run("INSERT INTO bots (id) VALUES (?1)", [bot.as_str()])?;
        let n = self.db.last_insert_rowid();
        self.bots.insert(bot.clone(), n);
        self.bots_changed = true;
        Ok(n)
    }

    fn known(&self, bot: &BotId) -> Option<i64> {
        self.bots.get(bot).copied()
    }

    /// Bots by number, to read whole tables. Rows of numbers that are not here wait to be swept.
    fn names(&self) -> HashMap<i64, BotId> {
        self.bots.iter().map(|(bot, n)| (*n, bot.clone())).collect()
    }

    fn run(&self, sql: &str, params: impl Params) -> StoreResult<usize> {
        let execute = || self.db.prepare_cached(sql)?.execute(params);
        execute().map_err(failed)
    }

    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Option<T>> {
        let query = || self.db.prepare_cached(sql)?.query_row(params, read).optional();
        query().map_err(failed)
    }

    fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Vec<T>> {
        let query = || -> rusqlite::Result<Vec<T>> {
            self.db.prepare_cached(sql)?.query_map(params, read)?.collect()
        };
        query().map_err(failed)
    }
}

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn letter(bot: &BotId, row: &Row<'_>) -> rusqlite::Result<(u64, Letter)> {
    let payload = match direction(row, 1)? {
        Direction::In => Payload::Update(bytes(row, 12)?),
        Direction::Out => Payload::Message(message(row, 7, 12)?),
    };
    let letter = Letter {
        bot: bot.clone(),
        chat: match row.get_ref(2)? {
            rusqlite::types::ValueRef::Null => None,
            _ => Some(chat(row, 2)?),
        },
        at: time(row, 3)?,
        attempts: row.get(4)?,
        reason: row.get(5)?,
        detail: row.get(6)?,
        payload,
    };
    Ok((number(row, 0)?, letter))
}

impl Records for SqliteRecords {
    fn begin_run(&mut self) -> StoreResult<u64> {
        let next = "UPDATE meta SET value = value + 1 WHERE key = 'run' RETURNING value";
        self.one(next, [], |row| number(row, 0))?
            .ok_or_else(|| StoreError::Corrupt("the count of runs is missing".to_owned()))
    }

    fn suspect_heads(&mut self) -> StoreResult<()> {
        self.run("UPDATE outq SET maybe_sent = 1, begun = 0 WHERE begun = 1", [])?;
        let first = "UPDATE outq SET maybe_sent = 1 WHERE ambiguous = 0 AND (bot, chat, rank, seq) IN \
                     (SELECT bot, chat, rank, min(seq) FROM outq GROUP BY bot, chat, rank)";
        self.run(first, []).map(drop)
    }

    fn lanes(&mut self) -> StoreResult<Vec<LaneSummary>> {
        let attempts: HashMap<(i64, String), u32> = self
            .all("SELECT bot, chat, n FROM att", [], |row| {
                Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
            })?
            .into_iter()
            .collect();
        let names = self.names();
        // With min() SQLite takes the other columns from the row that has the minimum.
        let sql = "SELECT bot, chat, count(*), accepted_at, min(seq) FROM inq GROUP BY bot, chat";
        let found = self.all(sql, [], |row| {
            let n = row.get(0)?;
            let Some(bot) = names.get(&n).cloned() else {
                return Ok(None);
            };
            let chat = chat(row, 1)?;
            let tries = attempts.get(&(n, chat.as_str().to_owned()));
            Ok(Some(LaneSummary {
                attempts: tries.copied().unwrap_or(0),
                lane: Lane { bot, chat },
                updates: count(row, 2)?,
                oldest: time(row, 3)?,
            }))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    fn outboxes(&mut self) -> StoreResult<Vec<OutboxSummary>> {
        let names = self.names();
        let sql = "SELECT o.bot, o.chat, o.messages, d.due, d.flood_wait \
                   FROM (SELECT bot, chat, count(*) AS messages FROM outq GROUP BY bot, chat) o \
                   LEFT JOIN out_delays d ON d.bot = o.bot AND d.chat = o.chat";
        let found = self.all(sql, [], |row| {
            let Some(bot) = names.get(&row.get(0)?).cloned() else {
                return Ok(None);
            };
            let chat = chat(row, 1)?;
            Ok(Some(OutboxSummary {
                lane: Lane { bot, chat },
                messages: count(row, 2)?,
                delay: match row.get(3)? {
                    Some(due) => Some(OutDelay {
                        until: TimestampMs(due),
                        flood_wait: row.get(4)?,
                    }),
                    None => None,
                },
            }))
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    fn revisions(&mut self) -> StoreResult<Vec<(BotId, ActiveRevision)>> {
        let sql = "SELECT b.id, r.epoch, r.rev FROM revs r JOIN bots b ON b.n = r.bot";
        self.all(sql, [], |row| {
            let bot = BotId::new(row.get_ref(0)?.as_str()?).map_err(|error| malformed(0, error))?;
            let revision = ActiveRevision {
                epoch: Epoch(number(row, 1)?),
                rev: RevHash(Sha256Hash(row.get(2)?)),
            };
            Ok((bot, revision))
        })
    }

    fn parks(&mut self) -> StoreResult<Vec<(BotId, TimestampMs)>> {
        let sql = "SELECT b.id, p.until FROM parks p JOIN bots b ON b.n = p.bot";
        self.all(sql, [], |row| {
            let bot = BotId::new(row.get_ref(0)?.as_str()?).map_err(|error| malformed(0, error))?;
            Ok((bot, time(row, 1)?))
        })
    }

    fn dead_counts(&mut self) -> StoreResult<Vec<(BotId, Direction, u64)>> {
        let sql = "SELECT b.id, d.dir, count(*) FROM dlq d JOIN bots b ON b.n = d.bot GROUP BY d.bot, d.dir";
        self.all(sql, [], |row| {
            let bot = BotId::new(row.get_ref(0)?.as_str()?).map_err(|error| malformed(0, error))?;
            Ok((bot, direction(row, 1)?, number(row, 2)?))
        })
    }

    fn see(
        &mut self,
        bot: &BotId,
        key: &DedupKey,
        now: TimestampMs,
        until: TimestampMs,
    ) -> StoreResult<bool> {
        let bot = self.bot(bot)?;
        let sql = "INSERT INTO seen (bot, uid, exp) VALUES (?1, ?2, ?3) \
                   ON CONFLICT DO UPDATE SET exp = excluded.exp WHERE exp <= ?4";
        let changed = self.run(sql, (bot, Uid(key), until.0, now.0))?;
        self.sweeper.grew(changed);
        Ok(changed > 0)
    }

    fn seen(&mut self, bot: &BotId, key: &DedupKey, now: TimestampMs) -> StoreResult<bool> {
        let Some(bot) = self.known(bot) else {
            return Ok(false);
        };
        let sql = "SELECT 1 FROM seen WHERE bot = ?1 AND uid = ?2 AND exp > ?3";
        let found = self.one(sql, (bot, Uid(key), now.0), |_| Ok(()))?;
        Ok(found.is_some())
    }

    fn push_update(&mut self, lane: &Lane, seq: u64, update: &QueuedUpdate) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let sql = "INSERT INTO inq (bot, chat, seq, uid, accepted_at, env, trace) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = (
            bot,
            lane.chat.as_str(),
            seq.cast_signed(),
            Uid(&update.dedup),
            update.accepted_at.0,
            update.envelope.as_ref(),
            update.trace.as_ref().map(TraceParent::as_str),
        );
        self.run(sql, values).map(drop)
    }

    fn updates(&mut self, lane: &Lane, after: u64, most: usize) -> StoreResult<Vec<StoredUpdate>> {
        let Some(bot) = self.known(&lane.bot) else {
            return Ok(Vec::new());
        };
        let sql = "SELECT seq, uid, accepted_at, env, trace FROM inq \
                   WHERE bot = ?1 AND chat = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";
        let values = (bot, lane.chat.as_str(), after.cast_signed(), limit(most));
        self.all(sql, values, |row| {
            Ok(StoredUpdate {
                seq: number(row, 0)?,
                update: QueuedUpdate {
                    dedup: dedup(row.get_ref(1)?)?,
                    accepted_at: time(row, 2)?,
                    envelope: bytes(row, 3)?,
                    trace: trace(row, 4)?,
                },
            })
        })
    }

    fn pop_updates(&mut self, lane: &Lane, through: u64) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let sql = "DELETE FROM inq WHERE bot = ?1 AND chat = ?2 AND seq <= ?3";
        self.run(sql, (bot, lane.chat.as_str(), through.cast_signed()))
            .map(drop)
    }

    fn set_attempts(&mut self, lane: &Lane, attempts: u32) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        if attempts == 0 {
            let sql = "DELETE FROM att WHERE bot = ?1 AND chat = ?2";
            return self.run(sql, (bot, lane.chat.as_str())).map(drop);
        }
        let sql =
            "INSERT INTO att (bot, chat, n) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = excluded.n";
        self.run(sql, (bot, lane.chat.as_str(), attempts)).map(drop)
    }

    fn state(&mut self, lane: &Lane, now: TimestampMs) -> StoreResult<Option<Bytes>> {
        let Some(bot) = self.known(&lane.bot) else {
            return Ok(None);
        };
        let sql = "SELECT v FROM state WHERE bot = ?1 AND chat = ?2 AND (exp IS NULL OR exp > ?3)";
        self.one(sql, (bot, lane.chat.as_str(), now.0), |row| bytes(row, 0))
    }

    fn put_state(&mut self, lane: &Lane, document: &Bytes, until: Option<TimestampMs>) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let sql = "INSERT INTO state (bot, chat, exp, v) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO UPDATE SET exp = excluded.exp, v = excluded.v";
        let until = until.map(|until| until.0);
        self.run(sql, (bot, lane.chat.as_str(), until, document.as_ref()))
            .map(drop)
    }

    fn touch_state(&mut self, lane: &Lane, now: TimestampMs, until: TimestampMs) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let sql = "UPDATE state SET exp = ?3 WHERE bot = ?1 AND chat = ?2 AND (exp IS NULL OR exp > ?4)";
        self.run(sql, (bot, lane.chat.as_str(), until.0, now.0)).map(drop)
    }

    fn delete_state(&mut self, lane: &Lane) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let sql = "DELETE FROM state WHERE bot = ?1 AND chat = ?2";
        self.run(sql, (bot, lane.chat.as_str())).map(drop)
    }

    fn states(
        &mut self,
        bot: &BotId,
        after: Option<&ChatId>,
        now: TimestampMs,
        most: usize,
    ) -> StoreResult<Vec<ChatState>> {
        let Some(n) = self.known(bot) else {
            return Ok(Vec::new());
        };
        let sql = "SELECT chat, v FROM state WHERE bot = ?1 AND chat > ?2 AND (exp IS NULL OR exp > ?3) \
                   ORDER BY chat LIMIT ?4";
        let values = (n, after.map_or("", ChatId::as_str), now.0, limit(most));
        self.all(sql, values, |row| {
            Ok(ChatState {
                chat: chat(row, 0)?,
                document: bytes(row, 1)?,
            })
        })
    }

    fn push_message(&mut self, lane: &Lane, stored: &StoredMessage) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let message = &stored.queued.message;
        let sql = "INSERT INTO outq (bot, chat, rank, seq, class, ambiguous, not_after, attempts, begun, \
                   maybe_sent, method, cause, params, trace) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let values = (
            bot,
            lane.chat.as_str(),
            stored.key.rank,
            stored.key.seq.cast_signed(),
            class_number(message.class),
            ambiguous_number(message.ambiguous),
            message.not_after.map(|until| until.0),
            stored.queued.attempts,
            stored.begun,
            stored.queued.maybe_sent,
            &message.method,
            &message.cause,
            message.params.as_ref(),
            message.trace.as_ref().map(TraceParent::as_str),
        );
        self.run(sql, values).map(drop)
    }

    fn messages(&mut self, lane: &Lane, most: usize) -> StoreResult<Vec<StoredMessage>> {
        let Some(bot) = self.known(&lane.bot) else {
            return Ok(Vec::new());
        };
        let sql = "SELECT rank, seq, class, ambiguous, not_after, method, cause, params, attempts, \
                   maybe_sent, begun, trace FROM outq WHERE bot = ?1 AND chat = ?2 ORDER BY rank, seq LIMIT ?3";
        self.all(sql, (bot, lane.chat.as_str(), limit(most)), |row| {
            Ok(StoredMessage {
                key: MessageKey {
                    rank: row.get(0)?,
                    seq: number(row, 1)?,
                },
                queued: QueuedMessage {
                    message: OutMessage {
                        trace: trace(row, 11)?,
                        ..message(row, 2, 7)?
                    },
                    attempts: row.get(8)?,
                    maybe_sent: row.get(9)?,
                },
                begun: row.get(10)?,
            })
        })
    }

    fn mark_message(&mut self, lane: &Lane, stored: &StoredMessage) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let sql = "UPDATE outq SET attempts = ?5, begun = ?6, maybe_sent = ?7 \
                   WHERE bot = ?1 AND chat = ?2 AND rank = ?3 AND seq = ?4";
        let values = (
            bot,
            lane.chat.as_str(),
            stored.key.rank,
            stored.key.seq.cast_signed(),
            stored.queued.attempts,
            stored.begun,
            stored.queued.maybe_sent,
        );
        self.run(sql, values).map(drop)
    }

    fn pop_message(&mut self, lane: &Lane, key: MessageKey) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let sql = "DELETE FROM outq WHERE bot = ?1 AND chat = ?2 AND rank = ?3 AND seq = ?4";
        self.run(sql, (bot, lane.chat.as_str(), key.rank, key.seq.cast_signed()))
            .map(drop)
    }

    fn set_out_delay(&mut self, lane: &Lane, delay: Option<OutDelay>) -> StoreResult<()> {
        let bot = self.bot(&lane.bot)?;
        let Some(delay) = delay else {
            let sql = "DELETE FROM out_delays WHERE bot = ?1 AND chat = ?2";
            return self.run(sql, (bot, lane.chat.as_str())).map(drop);
        };
        let sql = "INSERT INTO out_delays (bot, chat, due, flood_wait) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO UPDATE SET due = excluded.due, flood_wait = excluded.flood_wait";
        self.run(sql, (bot, lane.chat.as_str(), delay.until.0, delay.flood_wait))
            .map(drop)
    }

    fn put_revision(&mut self, bot: &BotId, revision: ActiveRevision) -> StoreResult<()> {
        let bot = self.bot(bot)?;
        let sql = "INSERT INTO revs (bot, epoch, rev) VALUES (?1, ?2, ?3) \
                   ON CONFLICT DO UPDATE SET epoch = excluded.epoch, rev = excluded.rev";
        let RevHash(Sha256Hash(digest)) = revision.rev;
        self.run(sql, (bot, revision.epoch.0.cast_signed(), digest))
            .map(drop)
    }

    fn put_park(&mut self, bot: &BotId, until: Option<TimestampMs>) -> StoreResult<()> {
        let bot = self.bot(bot)?;
        let Some(until) = until else {
            return self.run("DELETE FROM parks WHERE bot = ?1", [bot]).map(drop);
        };
        let sql = "INSERT INTO parks (bot, until) VALUES (?1, ?2) \
                   ON CONFLICT DO UPDATE SET until = excluded.until";
        self.run(sql, (bot, until.0)).map(drop)
    }

    fn add_letter(&mut self, letter: &Letter) -> StoreResult<u64> {
        let bot = self.bot(&letter.bot)?;
        let (message, body) = match &letter.payload {
            Payload::Update(body) => (None, body),
            Payload::Message(message) => (Some(message), &message.params),
        };
        let sql = "INSERT INTO dlq (bot, dir, chat, at, attempts, reason, detail, class, ambiguous, not_after, \
                   method, cause, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let values = (
            bot,
            direction_number(letter.payload.direction()),
            letter.chat.as_ref().map(ChatId::as_str),
            letter.at.0,
            letter.attempts,
            &letter.reason,
            &letter.detail,
            message.map(|message| class_number(message.class)),
            message.map(|message| ambiguous_number(message.ambiguous)),
            message.and_then(|message| message.not_after).map(|until| until.0),
            message.map(|message| message.method.as_str()),
            message.map(|message| message.cause.as_str()),
            body.as_ref(),
        );
        self.run(sql, values)?;
        Ok(self.db.last_insert_rowid().cast_unsigned())
    }

    fn letter(&mut self, bot: &BotId, number: u64) -> StoreResult<Option<Letter>> {
        let Some(n) = self.known(bot) else {
            return Ok(None);
        };
        let sql = format!("SELECT {DEAD_COLUMNS} FROM dlq WHERE n = ?1 AND bot = ?2");
        let found = self.one(&sql, (number.cast_signed(), n), |row| letter(bot, row))?;
        Ok(found.map(|(_, letter)| letter))
    }

    fn letters(
        &mut self,
        bot: &BotId,
        query: &LetterQuery,
        from: Option<u64>,
        most: usize,
    ) -> StoreResult<Vec<(u64, Letter)>> {
        let Some(n) = self.known(bot) else {
            return Ok(Vec::new());
        };
        let (beyond, order, start) = match query.order {
            LetterOrder::NewestFirst => ("<", "DESC", i64::MAX),
            LetterOrder::OldestFirst => (">", "ASC", 0),
        };
        let sql = format!(
            "SELECT {DEAD_COLUMNS} FROM dlq WHERE {MEANT} AND n {beyond} ?5 ORDER BY n {order} LIMIT ?6"
        );
        let values = (
            n,
            direction_number(query.direction),
            query.chat.as_ref().map(ChatId::as_str),
            &query.reason,
            from.map_or(start, u64::cast_signed),
            limit(most),
        );
        self.all(&sql, values, |row| letter(bot, row))
    }

    fn count_letters(&mut self, bot: &BotId, query: &LetterQuery) -> StoreResult<u64> {
        let Some(n) = self.known(bot) else { return Ok(0) };
        let values = (
            n,
            direction_number(query.direction),
            query.chat.as_ref().map(ChatId::as_str),
            &query.reason,
        );
        let counted = self.one(&count_of_letters(), values, |row| number(row, 0))?;
        Ok(counted.unwrap_or(0))
    }

    fn delete_letter(&mut self, bot: &BotId, number: u64) -> StoreResult<()> {
        let bot = self.bot(bot)?;
        let sql = "DELETE FROM dlq WHERE n = ?1 AND bot = ?2";
        self.run(sql, (number.cast_signed(), bot)).map(drop)
    }

    fn delete_oldest_letters(&mut self, bot: &BotId, direction: Direction, count: u64) -> StoreResult<()> {
        let bot = self.bot(bot)?;
        let sql = "DELETE FROM dlq WHERE n IN \
                   (SELECT n FROM dlq WHERE bot = ?1 AND dir = ?2 ORDER BY n LIMIT ?3)";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.run(sql, (bot, direction_number(direction), count)).map(drop)
    }

    fn purge(&mut self, bot: &BotId) -> StoreResult<()> {
        let Some(n) = self.known(bot) else {
            return Ok(());
        };
        self.run("INSERT INTO gone (n) VALUES (?1)", [n])?;
        self.run("DELETE FROM bots WHERE n = ?1", [n])?;
        self.run("DELETE FROM revs WHERE bot = ?1", [n])?;
        self.run("DELETE FROM parks WHERE bot = ?1", [n])?;
        self.bots.remove(bot);
        self.bots_changed = true;
        self.sweeper.purged();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SqliteTuning, schema};
    use super::*;

    #[test]
    fn letters_are_counted_from_their_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runtime.db");
        let db = schema::open(&path, &SqliteTuning::default(), TimestampMs(0)).unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {}", count_of_letters());
        for (chat, reason) in [
            (None, None),
            (Some("1"), None),
            (None, Some("x")),
            (Some("1"), Some("x")),
        ] {
            let plan: String = db
                .query_row(&explain, (1, 0, chat, reason), |row| row.get(3))
                .unwrap();
            assert!(plan.contains("COVERING INDEX dlq_found"), "{plan}");
        }
    }
}
