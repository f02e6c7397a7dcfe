//! The link to Redis: what every store on Redis is built on.
//!
//! [`RedisLink`] is cheap to clone and shared by all stores of a process. It keeps one multiplexed connection per node
//! and primary: commands that are issued while a round trip is on its way leave together with the next one, so a batch
//! is a number of calls awaited at once, never a pipeline object. Every call has a time limit, and a connection that is
//! lost is opened again by the next call.
//!
//! How a store uses it:
//!
//! - a command: `link.run::<T>(&command).await`, with another limit `link.run_within(&command, limit)`;
//! - a script: `Script::new(include_str!("x.lua"))` once, then `link.script::<T>(&SCRIPT, keys, args).await`. Every key is
//!   declared and lies in one slot; a script without a shard tags its keys itself (`{ev}`);
//! - names: `link.names().phys(name, shard)` for what belongs to a shard; other names are used as they are;
//! - many shards or keys at once: `futures_util::future::join_all` over calls;
//! - messages: `link.publish(channel, payload)`, `link.subscribe(&[channel])`; names of channels go through
//!   `link.channel(name)`, because channels are common to all databases of a server;
//! - time: `link.now()` is the server's.
//!
//! Whether a call that ended with `Unavailable` took effect is unknown: the connection never repeats a command by itself
//! on one server, a cluster's connection may. Every use must bear a repetition.

mod bus;
mod connection;
mod error;
mod event_log;
mod homes;
mod install;
mod link;
mod moving;
mod names;
mod nodes;
mod options;
mod outcomes;
mod primaries;
mod reopen;
mod script;
mod subscription;
mod task_stream;
mod tasks;
mod url;

pub use bus::RedisBus;
pub use error::RedisConnectError;
pub use event_log::RedisEventLog;
pub use homes::Homes;
pub use link::RedisLink;
pub(crate) use moving::{MoveMark, refuse_moving};
pub(crate) use names::{MAX_SPREAD, Names};
pub use nodes::RedisNodes;
pub use options::{DedupeMode, RedisOptions};
pub use outcomes::RedisOutcomes;
pub(crate) use primaries::Primaries;
pub(crate) use script::Script;
pub(crate) use subscription::{QUIET, Subscription};
pub use tasks::RedisTasks;
