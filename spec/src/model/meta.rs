//! `meta`: identity, languages, time zone, retention.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Text;
use crate::limits;

/// Identity of a bot and settings that hold for all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    /// Slug that names the bot everywhere.
    #[serde(rename = "botId")]
    #[schemars(extend("pattern" = limits::BOT_ID_PATTERN))]
    pub bot_id: String,
    /// Name for people.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// What an empty chat with the bot says, up to 512 code points. Absent: as Telegram has it. Empty: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// What the bot's profile and links to it say, up to 120 code points. Absent and empty as for `description`.
    #[serde(rename = "shortDescription", default, skip_serializing_if = "Option::is_none")]
    pub short_description: Option<Text>,
    /// Languages as BCP 47 tags.
    #[schemars(length(min = 1, max = 200), extend("uniqueItems" = true), inner(length(min = 1, max = 64)))]
    pub locales: Vec<String>,
    /// One of `locales`: used when a chat's language or a text is missing.
    #[serde(rename = "defaultLocale")]
    #[schemars(length(min = 1, max = 64))]
    pub default_locale: String,
    /// Version of this format; always 1.
    #[schemars(extend("const" = 1))]
    pub schema_ver: u32,
    /// IANA time zone of `context.now`.
    #[serde(default = "utc")]
    #[schemars(length(min = 1, max = 64))]
    pub timezone: String,
    /// How long data is kept.
    #[serde(default)]
    pub retention: Retention,
    /// What logs and analytics do with values of state keys marked `pii`.
    #[serde(default)]
    pub pii_policy: PiiPolicy,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// How long data is kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Retention {
    /// State of a chat that nobody wrote to.
    #[serde(default = "state_days")]
    #[schemars(range(min = 1, max = 3650))]
    pub state_days: u32,
    /// Analytics events.
    #[serde(default = "analytics_days")]
    #[schemars(range(min = 1, max = 3650))]
    pub analytics_days: u32,
}

fn state_days() -> u32 {
    30
}

fn analytics_days() -> u32 {
    90
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            state_days: state_days(),
            analytics_days: analytics_days(),
        }
    }
}

/// What logs and analytics do with personal values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum PiiPolicy {
    /// Record them.
    Keep,
    /// Record that there was a value, not which.
    #[default]
    Mask,
    /// Record nothing about them.
    Drop,
}
