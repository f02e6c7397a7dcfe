//! Bots that people make for a bot that manages them (Bot API 9.6).

use serde_json::json;
use url::Url;

use super::{NoBot, Shared, World};
use crate::Token;
use crate::simulator::options::NewBot;
use crate::simulator::people::SimError;

/// Names of a new bot; what is absent stays as it was suggested.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Renamed {
    /// Name without `@`.
    pub username: Option<String>,
    /// Shown name.
    pub name: Option<String>,
}

impl World {
    /// A person opens a link and confirms what it asks; gives the number of the new bot.
    pub(crate) fn make_managed(
        &mut self,
        shared: &Shared,
        person: i64,
        link: &str,
        renamed: Renamed,
    ) -> Result<i64, SimError> {
        let invalid = |words: &str| SimError::Invalid(words.to_owned());
        let user = self
            .people
            .get(&person)
            .ok_or(SimError::NotFound("such person"))?
            .as_user();
        let link = Url::parse(link).map_err(|_| invalid("no link"))?;
        let path: Vec<&str> = link.path().split('/').collect();
        let ["", "newbot", manager, suggested] = path[..] else {
            return Err(invalid("no link to a new bot"));
        };
        if link.host_str() != Some("t.me") {
            return Err(invalid("no link to a new bot"));
        }
        let of_name = |name: &str| {
            let mut found = self.bots.iter();
            let found = found.find(|(_, bot)| bot.username.eq_ignore_ascii_case(name));
            found.map(|(id, bot)| (*id, bot.manages))
        };
        let Some((manager, true)) = of_name(manager) else {
            return Err(invalid("the bot manages no bots"));
        };
        let username = renamed.username.unwrap_or_else(|| suggested.to_owned());
        let fits = (5..=32).contains(&username.len())
            && username.starts_with(|first: char| first.is_ascii_alphabetic())
            && username.to_ascii_lowercase().ends_with("bot")
            && username.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !fits {
            return Err(invalid("not a username of a bot"));
        }
        if of_name(&username).is_some() {
            return Err(invalid("the username is taken"));
        }
        let suggested_name = link
            .query_pairs()
            .find(|(name, _)| name == "name")
            .map(|(_, value)| value.into_owned());
        let id = 7_900_000_000 + i64::try_from(self.bots.len()).unwrap_or(0);
        let new = NewBot {
            token: self.fresh_token(id),
            username: Some(username),
            name: renamed.name.or(suggested_name),
        };
        self.add_bot(&new)
            .map_err(|_| invalid("the new bot's token is none"))?;
        if let Some(bot) = self.bots.get_mut(&id) {
            bot.manager = Some(manager);
            let told = json!({ "user": user, "bot": bot.as_user() });
            self.push(shared, manager, "managed_bot", told);
        }
        Ok(id)
    }

    /// Gives a bot another token; the one before is no use any more.
    pub(crate) fn replace_token(&mut self, id: i64) -> Result<(), NoBot> {
        let token = Token::new(self.fresh_token(id)).map_err(|_| NoBot::Malformed)?;
        if let Some(bot) = self.bots.get_mut(&id) {
            bot.token = token;
        }
        Ok(())
    }

    fn fresh_token(&mut self, id: i64) -> String {
        format!("{id}:AA-{}", self.random_id())
    }
}
