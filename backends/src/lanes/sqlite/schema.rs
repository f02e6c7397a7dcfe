//! Opening the file: settings, lock, schema.

use std::path::Path;
use std::time::Duration;

use botloom_core::TimestampMs;
use botloom_core::ports::{StoreError, StoreResult};
use rusqlite::{Connection, ErrorCode};

use super::SqliteTuning;
use super::convert::failed;

/// "BotL": marks our files, so that a foreign one is not touched.
const APPLICATION_ID: i64 = 0x426f_744c;
/// One script for each version of the schema; the version is the number of scripts that ran.
const SCRIPTS: &[&str] = &[
    include_str!("../../../../migrations/sqlite/runtime/0001_lanes.sql"),
    include_str!("../../../../migrations/sqlite/runtime/0002_traces.sql"),
    include_str!("../../../../migrations/sqlite/runtime/0003_flood_waits.sql"),
    include_str!("../../../../migrations/sqlite/runtime/0004_letters_found.sql"),
];
/// Statements kept compiled; more than there are.
const STATEMENTS: usize = 64;

/// How long another owner may take to let go.
const PATIENCE: Duration = Duration::from_millis(250);

/// Opens or makes the file and takes it for this process alone: leases are memory, two owners would both grant them.
pub(super) fn open(path: &Path, tuning: &SqliteTuning, now: TimestampMs) -> StoreResult<Connection> {
    let db = Connection::open(path).map_err(failed)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.busy_timeout(PATIENCE).map_err(failed)?;
    // The lock comes first: with it the index of the write-ahead log needs no shared memory.
    db.execute_batch(&format!(
        "PRAGMA page_size = 4096;
         PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -{};
         PRAGMA temp_store = MEMORY;
         PRAGMA fullfsync = 1;
         PRAGMA checkpoint_fullfsync = 1;",
        (tuning.cache_bytes / 1024).max(1),
    ))
    .map_err(in_use)?;
    check(&db)?;
    let mode: String = db
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(in_use)?;
    if mode != "wal" {
        return Err(StoreError::Corrupt(format!("journal mode is {mode}")));
    }
    db.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA wal_autocheckpoint = 8000;
         PRAGMA journal_size_limit = 67108864;
         BEGIN EXCLUSIVE;",
    )
    .map_err(in_use)?;
    migrate(&db, now).map_err(failed)?;
    db.execute_batch("COMMIT").map_err(failed)?;
    if let Some(bytes) = tuning.max_bytes {
        let pages = (bytes / 4096).max(1);
        let set = format!("PRAGMA max_page_count = {pages}");
        db.query_row(&set, [], |_| Ok(())).map_err(failed)?;
    }
    sync_folder(path)?;
    Ok(db)
}

/// Refuses what is not ours or newer than we know.
fn check(db: &Connection) -> StoreResult<()> {
    let pragma = |name: &str| db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(in_use)?;
    let version = pragma("user_version").map_err(in_use)?;
    let tables = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, i64>(0)
        })
        .map_err(in_use)?;
    let ours = application == APPLICATION_ID || (application == 0 && tables == 0);
    if !ours {
        let text = "the file is a database of another program";
        return Err(StoreError::Corrupt(text.to_owned()));
    }
    let known = SCRIPTS.len();
    if usize::try_from(version).is_ok_and(|version| version > known) {
        let text = format!("the file has schema {version}, this program knows up to {known}: it is too old");
        return Err(StoreError::Corrupt(text));
    }
    Ok(())
}

fn migrate(db: &Connection, now: TimestampMs) -> rusqlite::Result<()> {
    let version = db.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
    let done = usize::try_from(version).unwrap_or(0);
    for script in SCRIPTS.iter().skip(done) {
        db.execute_batch(script)?;
    }
    if done == 0 {
        db.execute(
            "INSERT INTO meta (key, value) VALUES ('run', 0), ('made_at', ?1), ('made_by', ?2)",
            (now.0, env!("CARGO_PKG_VERSION")),
        )?;
    }
    if done < SCRIPTS.len() {
        db.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};",
            SCRIPTS.len()
        ))?;
    }
    Ok(())
}

/// A lock that somebody else has is the usual reason why opening fails: say so.
fn in_use(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::unavailable("the file is in use by another process")
        }
        _ => failed(error),
    }
}

/// Makes the name of a new file as durable as its content.
fn sync_folder(path: &Path) -> StoreResult<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let opened = std::fs::File::open(folder);
    opened
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::unavailable)
}
