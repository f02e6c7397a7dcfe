//! A revision that can be run: its source, and what its passport allows.

use botloom_core::ids::BotId;
use botloom_core::model::RevJson;
use jiff::tz::TimeZone;

use crate::effects::AllowList;
use crate::sandbox::Source;

/// A revision, ready to be called.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) bot: BotId,
    pub(crate) source: Source,
    /// Bytes of the source.
    pub(crate) size: usize,
    /// Of `context.now`.
    pub(crate) zone: TimeZone,
    /// After the last change of a chat's document.
    pub(crate) state_ttl_ms: Option<i64>,
    /// Of the bot's telemetry.
    pub(crate) analytics_ttl_ms: Option<i64>,
    pub(crate) allow: AllowList,
    /// In bytes.
    pub(crate) max_api_response: usize,
    /// For `getUpdates`.
    pub(crate) allowed_updates: Vec<String>,
}

impl Program {
    /// Puts source and passport together. An unknown time zone is UTC: the spec was checked against another edition of
    /// the zone database, and a bot with the wrong hour is better than none.
    pub(crate) fn new(bot_js: String, passport: RevJson) -> Self {
        let zone = TimeZone::get(&passport.bot.timezone).unwrap_or_else(|_| {
            tracing::warn!(bot = %passport.bot_id, zone = passport.bot.timezone, "unknown time zone, UTC is used");
            TimeZone::UTC
        });
        let ttl_ms = |secs: u64| i64::try_from(secs.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Self {
            size: bot_js.len(),
            source: Source::revision(passport.rev_hash, bot_js),
            bot: passport.bot_id,
            zone,
            state_ttl_ms: passport.bot.state_ttl_sec.map(ttl_ms),
            analytics_ttl_ms: passport.bot.analytics_ttl_sec.map(ttl_ms),
            allow: AllowList::new(&passport.security.allow_domains),
            max_api_response: usize::try_from(passport.security.max_api_response_kb).unwrap_or(64) * 1024,
            allowed_updates: passport.allowed_updates,
        }
    }
}
