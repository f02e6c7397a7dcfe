//! Updates in order, per chat: one set of rules, kept in memory, in SQLite or in Redis.
//!
//! [`model`] decides: what is a duplicate, who holds a lane, what a commit does. It keeps the places of lanes (ready,
//! leased, delayed) in memory and everything that must survive behind the trait `Records`. [`ModelLanes`] gives it
//! records in memory, [`SqliteLanes`] records in a file, written by one thread with group commit; [`Store`] is the
//! asynchronous face of both.

mod driver;
mod memory;
mod model;
mod redis;
mod sqlite;
mod store;

pub use memory::MemoryDriver;
pub use redis::{RedisLanes, SetSpread};
pub(crate) use sqlite::SqliteLaneFile;
pub use sqlite::{SqliteDriver, SqliteTuning};
pub use store::Store;

/// What the author of a bot reads about an update or a message that a person set aside.
const BY_HAND: &str = "a person took it out of the way of what stood behind it";

/// Lanes, outbox and dead letters in memory: nothing survives the process. For tests, and the measure of the others.
pub type ModelLanes = Store<MemoryDriver>;

/// Lanes, outbox and dead letters in one SQLite file, for one process.
pub type SqliteLanes = Store<SqliteDriver>;
