//! Calls that go wrong on command.

use serde::{Deserialize, Serialize};

use super::reply::Refusal;

/// A rule for calls that are to go wrong. The oldest rule that fits a call applies to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only this bot's calls.
    #[serde(default)]
    pub bot: Option<i64>,
    /// Only this method, in any case.
    #[serde(default)]
    pub method: Option<String>,
    /// Only calls about this chat.
    #[serde(default)]
    pub chat: Option<i64>,
    /// Let so many fitting calls pass first.
    #[serde(default)]
    pub skip: u32,
    /// Then apply to so many; without it to all.
    #[serde(default)]
    pub count: Option<u32>,
    /// Execute the call nevertheless, so that the caller alone does not learn of it.
    #[serde(default)]
    pub executed: bool,
    /// What happens.
    pub action: Action,
}

/// What a faulty call meets.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// This refusal.
    Answer {
        /// Like 403, 429, 500.
        code: u16,
        /// Telegram's usual words for the code where absent.
        #[serde(default)]
        description: Option<String>,
        /// For 429.
        #[serde(default)]
        retry_after: Option<u32>,
        /// For a basic group that was upgraded.
        #[serde(default)]
        migrate_to_chat_id: Option<i64>,
    },
    /// No answer for so many real milliseconds, then a closed connection.
    Hang {
        /// Real milliseconds.
        ms: u64,
    },
    /// The usual answer, so many real milliseconds late.
    Delay {
        /// Real milliseconds.
        ms: u64,
    },
    /// The usual answer, once all faults were ended or everything was forgotten: the call waits for that, however long it
    /// takes. A caller that goes, or the end of the simulator, ends the waiting, and the call is not executed. With `executed` it
    /// is executed at once, and the answer alone waits.
    Hold,
    /// A closed connection.
    Reset,
}

impl Action {
    /// The refusal that an `Answer` stands for.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        let Self::Answer {
            code,
            description,
            retry_after,
            migrate_to_chat_id,
        } = self
        else {
            return None;
        };
        let usual = match code {
            400 if migrate_to_chat_id.is_some() => {
                "Bad Request: group chat was upgraded to a supergroup chat".into()
            }
            400 => "Bad Request: chat not found".into(),
            401 => "Unauthorized".into(),
            403 => "Forbidden: bot was blocked by the user".into(),
            404 => "Not Found".into(),
            413 => "Request Entity Too Large".into(),
            429 => format!("Too Many Requests: retry after {}", retry_after.unwrap_or(1)),
            500 => "Internal Server Error".into(),
            502 => "Bad Gateway".into(),
            _ => "Service Unavailable".to_owned(),
        };
        let mut refusal = Refusal::new(*code, description.clone().unwrap_or(usual));
        refusal.parameters.retry_after = *retry_after;
        refusal.parameters.migrate_to_chat_id = *migrate_to_chat_id;
        Some(refusal)
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn list(&self) -> &[Fault] {
        &self.0
    }

    /// The rule that this call meets, used up by one.
    pub(crate) fn meet(&mut self, bot: i64, method: &str, chat: Option<i64>) -> Option<(Action, bool)> {
        let fits = |fault: &Fault| {
            fault.bot.is_none_or(|b| b == bot)
                && fault
                    .method
                    .as_deref()
                    .is_none_or(|m| m.eq_ignore_ascii_case(method))
                && (fault.chat.is_none() || fault.chat == chat)
        };
        let at = self.0.iter().position(fits)?;
        let fault = &mut self.0[at];
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        let met = (fault.action.clone(), fault.executed);
        if let Some(count) = &mut fault.count {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.0.remove(at);
            }
        }
        Some(met)
    }
}
