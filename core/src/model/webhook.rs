//! What checks of webhooks find, and what is known of a bot's registration at Telegram.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hash::Sha256Hash;
use crate::ids::{BotId, InvalidId};
use crate::time::TimestampMs;

/// Whether Telegram delivers a bot's updates to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebhookStatus {
    /// Not checked yet, or Telegram did not answer.
    Unknown,
    /// Telegram has what it should have, and delivers.
    Healthy,
    /// Telegram has something older of ours, which is being replaced.
    Repairing,
    /// Updates do not come, or not those that the bot wants, and a person should know.
    Drifted,
}

impl WebhookStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::Healthy, Self::Repairing, Self::Drifted];

    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Repairing => "repairing",
            Self::Drifted => "drifted",
        }
    }
}

impl fmt::Display for WebhookStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WebhookStatus {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or(InvalidId {
            what: "webhook status",
        })
    }
}

macro_rules! findings {
    ($($variant:ident $code:literal $doc:literal;)*) => {
        /// What can be wrong with how a bot's updates reach us.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum WebhookFinding {
            $(#[doc = $doc] #[serde(rename = $code)] $variant,)*
        }

        impl WebhookFinding {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable code, as stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }
    };
}

findings! {
    WebhookMissing "webhook-missing" "Telegram has no webhook for the bot.";
    WebhookForeign "webhook-foreign" "Telegram delivers to an address that we never registered.";
    UrlOutdated "url-outdated" "Telegram delivers to an address that we registered earlier.";
    AllowedUpdatesDiffer "allowed-updates-differ" "Telegram is asked for other kinds of updates than the live revision wants.";
    MaxConnectionsDiffer "max-connections-differ" "Telegram was told another number of connections.";
    SecretOutdated "secret-outdated" "Telegram may not have the webhook's present secret.";
    SecretRefused "secret-refused" "Deliveries are answered with 401.";
    DeliveryFailing "delivery-failing" "Deliveries fail, and updates wait.";
    BacklogGrowing "backlog-growing" "More and more updates wait at Telegram, without an error.";
    PollingBlocked "polling-blocked" "The bot is polled and has a webhook, so that polling gets nothing.";
    TokenRejected "token-rejected" "Telegram does not know the bot's token.";
    PublicUrlMissing "public-url-missing" "The installation has no public URL that Telegram can deliver to.";
    RepairRefused "repair-refused" "Telegram refused to take the webhook that it should have.";
    Unknown "unknown" "A newer version of the platform found something that this one has no word for.";
}

impl fmt::Display for WebhookFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for WebhookFinding {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let mut all = Self::ALL.iter().copied();
        all.find(|finding| finding.as_str() == text).ok_or(InvalidId {
            what: "webhook finding",
        })
    }
}

/// A finding with what is particular about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What is wrong.
    pub finding: WebhookFinding,
    /// Words of Telegram's, or the host of a foreign address; never a whole address, in which people put tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What the last check of a bot found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookState {
    /// Verdict.
    pub status: WebhookStatus,
    /// Everything that was found, most telling first. Kept while Telegram does not answer.
    pub findings: Vec<Found>,
    /// Since when the status holds.
    pub since: TimestampMs,
    /// Whether the status stands in the event log, as far as it belongs there.
    pub told: bool,
    /// When Telegram last answered.
    pub checked_at: Option<TimestampMs>,
    /// Since when it does not.
    pub unanswered_since: Option<TimestampMs>,
    /// Updates that waited at Telegram.
    pub pending: Option<u64>,
    /// Checks in a row at which more waited than at the one before.
    pub growth: u32,
    /// Telegram's date of the last failed delivery, Unix seconds.
    pub error_at: Option<i64>,
    /// That a check moved the bot to another address of ours.
    pub moved: Option<WebhookMove>,
}

/// A move of a bot to another address that a check made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookMove {
    /// When.
    pub at: TimestampMs,
    /// Telegram's date of the last failed delivery until then, Unix seconds: what is newer is of the new address.
    pub error_at: Option<i64>,
    /// Whether the bot was well until then: only such a one tells anything about the new address.
    pub well: bool,
}

impl WebhookState {
    /// Of a bot that was not checked yet.
    pub const fn unchecked(at: TimestampMs) -> Self {
        Self {
            status: WebhookStatus::Unknown,
            findings: Vec::new(),
            since: at,
            told: true,
            checked_at: None,
            unanswered_since: None,
            pending: None,
            growth: 0,
            error_at: None,
            moved: None,
        }
    }

    /// Whether this is among what was found.
    pub fn has(&self, finding: WebhookFinding) -> bool {
        self.findings.iter().any(|found| found.finding == finding)
    }
}

/// What we made Telegram register for a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The webhook's address.
    pub url: String,
    /// Digest of its secret.
    pub secret: Sha256Hash,
}

/// A `setWebhook` that came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Digest of everything that was set: the same again is not tried again at once.
    pub fingerprint: Sha256Hash,
    /// When.
    pub at: TimestampMs,
}

/// What is known of what Telegram has of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registration {
    /// The last that Telegram confirmed, by the answer to `setWebhook` or at a check.
    pub registered: Option<String>,
    /// An address that Telegram may have too: its `setWebhook` began, and its outcome is not known.
    pub registering: Option<String>,
    /// Digest of the secret that Telegram confirmed.
    pub secret: Option<Sha256Hash>,
    /// The last `setWebhook` that Telegram answered, well or with a refusal.
    pub tried: Option<Tried>,
}

impl Registration {
    /// Whether we registered this address, as far as we know.
    pub fn knows(&self, url: &str) -> bool {
        let ours = [&self.registered, &self.registering];
        ours.into_iter().any(|known| known.as_deref() == Some(url))
    }
}

/// The check of one bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookCheck {
    /// The bot.
    pub bot: BotId,
    /// Grows with every claim; proves it.
    pub fence: i64,
    /// What the last check found.
    pub state: WebhookState,
    /// What Telegram has of ours.
    pub registration: Registration,
}

/// How many `setWebhook` may be made, over all nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookPace {
    /// In any 60 seconds.
    pub per_minute: u32,
    /// In any 3,600 seconds.
    pub per_hour: u32,
}

/// Whether a `setWebhook` may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookGrant {
    /// Yes, and it is counted.
    Given,
    /// No; not before this moment.
    NotBefore(TimestampMs),
}

/// What the pace has been lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookPaceState {
    /// `setWebhook` granted within the last hour.
    pub last_hour: u32,
    /// Telegram asked us to wait until then.
    pub held_until: Option<TimestampMs>,
}

/// Bots of one status with the same findings, at the same kind of address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookTally {
    /// Status.
    pub status: WebhookStatus,
    /// Findings.
    pub findings: Vec<WebhookFinding>,
    /// Whether Telegram delivers to an address of ours that is not under the public URL announced last, as far as the store
    /// knows: bots wait for their turn from the moment of a move, not from their next check.
    pub elsewhere: bool,
    /// Bots.
    pub bots: u64,
}

/// How all connected bots are, in numbers that tell whether Telegram can be reached and whether a move to another address goes
/// well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookSurvey {
    /// Bots that checks moved to the public URL announced last, within the hour before the last such move, and that were well
    /// until then.
    pub moved: u64,
    /// Those of them whose deliveries have failed since.
    pub moved_failing: u64,
    /// Bots that are at an older address.
    pub rest: u64,
    /// What `moved` is to be compared with: the rest, and bots that were moved in the same hour and were not well before.
    pub others: u64,
    /// Those of them whose deliveries fail at the older address, or did until they were moved.
    pub others_failing: u64,
    /// Since when moves are held, as it was noted.
    pub held_since: Option<TimestampMs>,
    /// Bots of which Telegram told nothing at the last check.
    pub unanswered: u64,
    /// Since when it has told nothing of the first of them.
    pub unanswered_since: Option<TimestampMs>,
}
