//! What an update of the manager bot tells.

use botloom_core::model::{ManagedBot, TelegramAccount};
use serde::Deserialize;

/// An update.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) id: i64,
    /// Username and bot that were made; `None`: the update is about something else.
    pub(super) made: Option<(String, ManagedBot)>,
}

/// Reads an update; `None`: it has no number, so it is none.
pub(super) fn read(json: &str) -> Option<Read> {
    #[derive(Deserialize)]
    struct Number {
        update_id: i64,
    }
    let Number { update_id } = serde_json::from_str(json).ok()?;
    let made = serde_json::from_str::<Update>(json).ok();
    Some(Read {
        id: update_id,
        made: made.map(|update| update.managed_bot.made()),
    })
}

#[derive(Deserialize)]
struct Update {
    managed_bot: Updated,
}

/// `ManagedBotUpdated` of the Bot API.
#[derive(Deserialize)]
struct Updated {
    user: User,
    bot: Bot,
}

#[derive(Deserialize)]
struct User {
    id: i64,
    first_name: String,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Bot {
    id: i64,
    username: String,
}

impl Updated {
    fn made(self) -> (String, ManagedBot) {
        let creator = TelegramAccount {
            id: self.user.id,
            first_name: self.user.first_name,
            username: self.user.username,
        };
        let id = self.bot.id;
        (self.bot.username, ManagedBot { id, creator })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_managed_bots_from_the_rest() {
        let told = read(
            r#"{"update_id": 5, "managed_bot": {"user": {"id": 1, "is_bot": false, "first_name": "Ann"},
                "bot": {"id": 2, "is_bot": true, "first_name": "A", "username": "A_bot"}}}"#,
        );
        let creator = TelegramAccount {
            id: 1,
            first_name: "Ann".to_owned(),
            username: None,
        };
        let made = Some(("A_bot".to_owned(), ManagedBot { id: 2, creator }));
        assert_eq!(told, Some(Read { id: 5, made }));
        for other in [
            r#"{"update_id": 5}"#,
            r#"{"update_id": 5, "managed_bot": {"new": 1}}"#,
        ] {
            assert_eq!(read(other), Some(Read { id: 5, made: None }), "{other}");
        }
        assert_eq!(read("{}"), None);
    }
}
