//! Typed names of things, so that a chat cannot be passed where a bot is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A text that is not a name of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}")]
pub struct InvalidId {
    /// The kind of name that was asked for.
    pub what: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the form.
            pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidId> {
                let text = text.as_ref();
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.into())) } else { Err(InvalidId { what: $what }) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id of version 7: sorts by the time it was made.
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { what: $what })
            }
        }
    };
}

text_id!(
    /// A bot's slug: `^[a-z][a-z0-9-]{2,62}$`. Chosen by the author, unique in an installation.
    BotId,
    "bot id",
    |text| {
        (3..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

text_id!(
    /// What orders updates inside a bot: a chat's id (`-100123`), `u:<user id>` where an update has no chat (inline
    /// queries, payments), `p:<poll id>` for polls, or `-` for updates of nobody.
    ChatId,
    "chat id",
    |text| !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic())
);

impl ChatId {
    /// The Telegram chat id to send to: the chat itself, or the private chat with the user. `None` where there is no
    /// chat to send to.
    pub fn telegram_chat(&self) -> Option<i64> {
        self.as_str()
            .strip_prefix("u:")
            .unwrap_or(self.as_str())
            .parse()
            .ok()
    }
}

impl From<i64> for ChatId {
    fn from(id: i64) -> Self {
        Self(id.to_string().into())
    }
}

/// The unit of order: one chat of one bot. Updates of a lane take effect one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lane {
    /// The bot.
    pub bot: BotId,
    /// The chat inside the bot.
    pub chat: ChatId,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.bot, self.chat)
    }
}

uuid_id!(
    /// A person who can log in.
    UserId,
    "user id"
);
uuid_id!(
    /// A group of bots with its members and roles.
    ProjectId,
    "project id"
);
uuid_id!(
    /// A generation or a deployment.
    TaskId,
    "task id"
);
uuid_id!(
    /// An invitation to a project.
    InvitationId,
    "invitation id"
);
uuid_id!(
    /// An API token.
    TokenId,
    "token id"
);
uuid_id!(
    /// An entry of the audit log.
    AuditId,
    "audit id"
);

impl TaskId {
    /// Id of the rollback that the platform starts if this deployment is found unhealthy: the same on every node, so that
    /// it is started once.
    #[must_use]
    pub const fn of_its_rollback(self) -> Self {
        Self(Uuid::from_u128(self.0.as_u128() ^ 1))
    }
}

/// The number of a bot's activation. Grows by one with every flip, rollbacks included; never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bot_ids_are_slugs() {
        for good in ["abc", "pizza-demo", "a23"] {
            assert!(BotId::new(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "ab", "1ab", "Abc", "a_b", "a b", "ab/", long.as_str()] {
            assert!(BotId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_lane_without_a_chat_sends_to_the_private_chat_of_its_user() {
        assert_eq!(ChatId::new("u:42").unwrap().telegram_chat(), Some(42));
        assert_eq!(ChatId::from(-100_123).telegram_chat(), Some(-100_123));
        assert_eq!(ChatId::new("p:99x").unwrap().telegram_chat(), None);
    }
}
