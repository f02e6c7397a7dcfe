//! Deleting what expired and what was purged, a little at a time so that no update waits for it.
//!
//! Expired rows need no index: each sweep walks on through the table from where the last one stopped, further the more
//! rows were added, so that the rows that are kept too long stay a small part of the table.

use botloom_core::TimestampMs;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

/// Rows looked at in one sweep of a table, at least.
const STEP: usize = 1_000;
/// Rows looked at for each row that was added.
const PACE: usize = 4;
/// Rows of a purged bot deleted from each table in one sweep.
const PURGE_STEP: i64 = 2_000;

/// Tables with rows of a bot, and their keys.
const OF_BOT: [(&str, &str); 7] = [
    ("inq", "bot, chat, seq"),
    ("att", "bot, chat"),
    ("seen", "bot, uid"),
    ("state", "bot, chat"),
    ("outq", "bot, chat, rank, seq"),
    ("out_delays", "bot, chat"),
    ("dlq", "n"),
];

type Cursor = Option<(i64, Value)>;

#[derive(Debug)]
pub(super) struct Sweeper {
    added: usize,
    seen: Cursor,
    state: Cursor,
    /// Whether rows of purged bots may be left.
    purged: bool,
}

impl Default for Sweeper {
    fn default() -> Self {
        Self {
            added: 0,
            seen: None,
            state: None,
            purged: true,
        }
    }
}

impl Sweeper {
    pub(super) const fn grew(&mut self, rows: usize) {
        self.added += rows;
    }

    pub(super) const fn purged(&mut self) {
        self.purged = true;
    }

    pub(super) fn sweep(&mut self, db: &Connection, now: TimestampMs) -> rusqlite::Result<()> {
        let rows = (self.added * PACE).max(STEP);
        self.added = 0;
        self.seen = expire(db, "seen", "uid", self.seen.take(), rows, now)?;
        self.state = expire(db, "state", "chat", self.state.take(), rows, now)?;
        if self.purged {
            self.purged = purge(db)?;
        }
        Ok(())
    }
}

/// Deletes expired rows among the next `rows` behind the cursor; answers where to go on, `None` at the end.
fn expire(
    db: &Connection,
    table: &str,
    key: &str,
    from: Cursor,
    rows: usize,
    now: TimestampMs,
) -> rusqlite::Result<Cursor> {
    // Numbers of bots begin at 1: this stands before every row.
    let from = from.unwrap_or((0, Value::Integer(0)));
    let sql = format!(
        "SELECT bot, {key} FROM {table} WHERE (bot, {key}) > (?1, ?2) ORDER BY bot, {key} LIMIT 1 OFFSET ?3"
    );
    let skip = i64::try_from(rows).unwrap_or(i64::MAX);
    let until: Cursor = db
        .prepare_cached(&sql)?
        .query_row((from.0, &from.1, skip), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some(until) = &until {
        let sql = format!(
            "DELETE FROM {table} WHERE (bot, {key}) > (?1, ?2) AND (bot, {key}) <= (?3, ?4) AND exp <= ?5"
        );
        db.prepare_cached(&sql)?
            .execute((from.0, &from.1, until.0, &until.1, now.0))?;
    } else {
        let sql = format!("DELETE FROM {table} WHERE (bot, {key}) > (?1, ?2) AND exp <= ?3");
        db.prepare_cached(&sql)?.execute((from.0, &from.1, now.0))?;
    }
    Ok(until)
}

/// Deletes some rows of one purged bot; answers whether there is more to do.
fn purge(db: &Connection) -> rusqlite::Result<bool> {
    let gone: Option<i64> = db
        .prepare_cached("SELECT n FROM gone LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let Some(n) = gone else {
        return Ok(false);
    };
    let mut deleted = 0;
    for (table, key) in OF_BOT {
        let sql = format!(
            "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE bot = ?1 LIMIT ?2)"
        );
        deleted += db.prepare_cached(&sql)?.execute((n, PURGE_STEP))?;
    }
    if deleted == 0 {
        db.prepare_cached("DELETE FROM gone WHERE n = ?1")?.execute([n])?;
    }
    Ok(true)
}
