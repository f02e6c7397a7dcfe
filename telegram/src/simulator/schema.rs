//! The Bot API's methods and update kinds as data (`schema/bot-api.json`).

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde::Deserialize;

/// Methods and update kinds of one version of the Bot API.
#[derive(Debug, Deserialize)]
pub struct Schema {
    /// Like `10.3`.
    pub version: String,
    /// Day that version came out.
    pub released: String,
    /// By update kind.
    pub updates: BTreeMap<String, UpdateKind>,
    /// By method, in Telegram's spelling.
    pub methods: BTreeMap<String, Method>,
}

/// An update kind.
#[derive(Debug, Deserialize)]
pub struct UpdateKind {
    /// Telegram's delivery queue; unknown for the newest kinds.
    pub queue: Option<String>,
    /// Seconds an undelivered update lives; unknown for the newest kinds.
    pub ttl_s: Option<u64>,
    /// Whether bots get it without asking.
    pub default: bool,
}

/// A method.
#[derive(Debug, Deserialize)]
pub struct Method {
    /// Types of its result, joined by `|`.
    pub returns: String,
    /// Types of its parameters, joined by `|`; the names of required ones end in `!`.
    pub params: BTreeMap<String, String>,
}

impl Method {
    /// Names of the parameters that must be given.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        self.params.keys().filter_map(|name| name.strip_suffix('!'))
    }

    /// Whether there is a parameter of this name.
    pub fn has(&self, name: &str) -> bool {
        self.params
            .keys()
            .any(|key| key.strip_suffix('!').unwrap_or(key) == name)
    }
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../schema/bot-api.json"))
        .expect("a committed file that a test reads")
});

static BY_LOWER_CASE: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    SCHEMA
        .methods
        .keys()
        .map(|name| (name.to_ascii_lowercase(), name.as_str()))
        .collect()
});

/// The data.
pub fn schema() -> &'static Schema {
    &SCHEMA
}

/// A method by its name in any case, with Telegram's spelling.
pub(crate) fn find(name: &str) -> Option<(&'static str, &'static Method)> {
    let name = *BY_LOWER_CASE.get(&name.to_ascii_lowercase())?;
    Some((name, SCHEMA.methods.get(name)?))
}
