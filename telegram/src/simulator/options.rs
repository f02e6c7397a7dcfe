//! How the simulator behaves.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// Settings of a simulator. Every field has a default, so a configuration file names only what differs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Address to listen on; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Simulated seconds per real second, for pauses, lifetimes and flood windows. Dates and the waiting time of a long
    /// poll stay real. More than 0.
    pub time_scale: f64,
    /// Which tokens are bots.
    pub tokens: Tokens,
    /// Bots that exist from the start, with names of their own.
    pub bots: Vec<NewBot>,
    /// Whether chats and file ids that the simulator has not seen are taken as existing. Off, as at Telegram, they are
    /// `chat not found` and `wrong file identifier`.
    pub accept_unknown: bool,
    /// When to answer 429.
    pub flood: FloodModel,
    /// What is written down.
    pub journal: JournalMode,
    /// Newest journal entries kept.
    pub journal_limit: usize,
    /// Newest messages kept in every chat.
    pub history: usize,
    /// Bytes of files kept; the oldest files go first.
    pub files_limit: usize,
    /// Delay before every call is looked at, in real milliseconds.
    pub latency_ms: u64,
    /// Start of the random numbers (update ids, file ids, pauses).
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            time_scale: 1.0,
            tokens: Tokens::Open,
            bots: Vec::new(),
            accept_unknown: false,
            flood: FloodModel::default(),
            journal: JournalMode::Full,
            journal_limit: 100_000,
            history: 200,
            files_limit: 256 * 1024 * 1024,
            latency_ms: 0,
            seed: 1,
        }
    }
}

/// Which tokens are bots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// Every well-formed token is one, from its first use, called `bot<id>_bot`.
    Open,
    /// Only those that were made by [`Options::bots`] or by hand.
    Listed,
}

/// A bot to be made.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBot {
    /// Its token, `<id>:<secret>`.
    pub token: String,
    /// Name without `@`; `bot<id>_bot` where absent.
    #[serde(default)]
    pub username: Option<String>,
    /// Shown name; the username where absent.
    #[serde(default)]
    pub name: Option<String>,
}

impl fmt::Debug for NewBot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewBot")
            .field("username", &self.username)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What is written down about calls and deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalMode {
    /// Entries and counters.
    Full,
    /// Counters alone.
    Counters,
    /// Nothing.
    Off,
}

/// When to answer 429. Telegram publishes no exact numbers; these are its FAQ's.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FloodModel {
    /// Messages to one private chat or channel.
    pub chat: Option<Rate>,
    /// Messages and edits in one group.
    pub group: Option<Rate>,
    /// Messages of one bot to all its chats. Off by default: Telegram applies it to bulk sending, not to replies.
    pub bulk: Option<Rate>,
    /// Changes of one bot's webhook.
    pub set_webhook: Option<Rate>,
    /// Seconds added for every call that comes before its time is up.
    pub penalty_secs: u32,
}

impl Default for FloodModel {
    fn default() -> Self {
        Self {
            chat: Some(Rate {
                count: 1,
                per_secs: 1.0,
                burst: 5,
            }),
            group: Some(Rate {
                count: 20,
                per_secs: 60.0,
                burst: 20,
            }),
            bulk: None,
            set_webhook: Some(Rate {
                count: 1,
                per_secs: 1.0,
                burst: 1,
            }),
            penalty_secs: 0,
        }
    }
}

impl FloodModel {
    /// No limits at all.
    pub fn off() -> Self {
        Self {
            chat: None,
            group: None,
            bulk: None,
            set_webhook: None,
            penalty_secs: 0,
        }
    }
}

/// So many at a time, refilled steadily.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Calls that …
    pub count: u32,
    /// … so many seconds bring back.
    pub per_secs: f64,
    /// Calls that pass at once after a pause.
    pub burst: u32,
}
