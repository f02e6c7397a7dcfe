//! What becomes of a message after a send, or instead of one.

use std::time::Duration;

use botloom_core::bot_js::Ambiguous;
use botloom_core::ports::QueuedMessage;
use botloom_telegram::{CallError, Class, classify};

use crate::options::SendLimits;

/// Longest pause between tries.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// Why a message was not sent again.
pub(super) const AMBIGUOUS: &str = "ambiguous";

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It arrived, or what it wanted holds already.
    Sent,
    /// Its time is over.
    Expired,
    /// It never will: reason and detail of its dead letter.
    Dead(String, String),
    /// Nothing will reach this chat.
    ChatGone(String, String),
    /// Not before `wait`. `attempt` counts failed sends.
    Later { wait: Duration, attempt: u32 },
    /// Telegram asked for a pause.
    FloodWait(Duration),
    /// The same call with another chat id.
    MovedTo(i64),
    /// The token is refused.
    Unauthorized,
    /// There is no token to send with.
    NoToken,
    /// Somebody else has to go on.
    GiveBack,
}

impl Verdict {
    /// Stable name, for traces.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Expired => "expired",
            Self::Dead(..) | Self::ChatGone(..) => "dead_lettered",
            Self::Later { .. } => "later",
            Self::FloodWait(_) => "flood_wait",
            Self::MovedTo(_) => "moved",
            Self::Unauthorized | Self::NoToken => "no_token",
            Self::GiveBack => "given_back",
        }
    }
}

/// Whether doing it twice shows twice.
pub(super) fn shows_twice(method: &str) -> bool {
    method.starts_with("send") && method != "sendChatAction"
}

/// Sorts the answer to a send. The second value: nobody knows whether it was executed.
pub(super) fn judge(
    outcome: &Result<(), CallError>,
    queued: &QueuedMessage,
    limits: &SendLimits,
) -> (Verdict, bool) {
    let Err(error) = outcome else {
        return (Verdict::Sent, false);
    };
    let method = &queued.message.method;
    let code = match error {
        CallError::Api { code, .. } => format!("telegram-{code}"),
        CallError::Connect { .. } | CallError::Ambiguous { .. } | CallError::BadAnswer { .. } => {
            "telegram-unreachable".into()
        }
        CallError::BadCall { .. } => "bad-call".into(),
    };
    let detail = error.to_string();
    let verdict = match classify(error, method) {
        Class::RetryAfter { secs } => Verdict::FloodWait(Duration::from_secs(secs.into())),
        Class::ChatGone => Verdict::ChatGone(code, detail),
        Class::AlreadyDone => Verdict::Sent,
        Class::Migrated { to } => Verdict::MovedTo(to),
        Class::Rejected | Class::ConflictingConsumer => Verdict::Dead(code, detail),
        Class::Unauthorized => Verdict::Unauthorized,
        Class::Transient { ambiguous } => {
            let shown = ambiguous && shows_twice(method);
            let doubled = limits.first_retry.saturating_mul(1 << queued.attempts.min(16));
            let wait = doubled.min(LONGEST_PAUSE.max(limits.first_retry));
            let verdict = if !ambiguous {
                // Nothing of it ever left. Half of the tries are kept for when Telegram can be reached again.
                let attempt = u32::from(queued.attempts < limits.tries / 2);
                Verdict::Later { wait, attempt }
            } else if shown && queued.message.ambiguous == Ambiguous::Skip {
                Verdict::Dead(AMBIGUOUS.into(), detail)
            } else if queued.attempts + 1 >= limits.tries {
                Verdict::Dead(code, detail)
            } else {
                Verdict::Later { wait, attempt: 1 }
            };
            return (verdict, shown);
        }
    };
    (verdict, false)
}

#[cfg(test)]
mod tests {
    use botloom_core::ports::{OutClass, OutMessage};
    use botloom_telegram::Parameters;
    use bytes::Bytes;

    use super::*;

    fn queued(method: &str, ambiguous: Ambiguous, attempts: u32) -> QueuedMessage {
        let message = OutMessage {
            method: method.into(),
            params: Bytes::from_static(b"{}"),
            class: OutClass::Reply,
            not_after: None,
            ambiguous,
            cause: "1".into(),
            trace: None,
        };
        QueuedMessage {
            message,
            attempts,
            maybe_sent: false,
        }
    }

    fn api(code: u16, text: &str) -> CallError {
        CallError::Api {
            code,
            description: text.into(),
            parameters: Parameters::default(),
        }
    }

    fn verdict(error: CallError, queued: &QueuedMessage) -> (Verdict, bool) {
        judge(&Err(error), queued, &SendLimits::default())
    }

    #[test]
    fn retries_double_up_to_a_minute_and_end_after_eight_tries() {
        let waits: Vec<_> = (0..8)
            .map(|attempts| {
                match verdict(
                    api(502, "Bad Gateway"),
                    &queued("sendMessage", Ambiguous::Resend, attempts),
                ) {
                    (Verdict::Later { wait, attempt: 1 }, true) => wait.as_secs(),
                    (Verdict::Dead(reason, _), true) if reason == "telegram-502" => 0,
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 0]);
    }

    #[test]
    fn an_outage_of_the_network_sets_nothing_aside() {
        let refused = || CallError::Connect {
            detail: "refused".into(),
        };
        let told = |attempts| verdict(refused(), &queued("sendMessage", Ambiguous::Skip, attempts));
        let later = |secs, attempt| {
            (
                Verdict::Later {
                    wait: Duration::from_secs(secs),
                    attempt,
                },
                false,
            )
        };
        assert_eq!(told(0), later(1, 1));
        assert_eq!(told(3), later(8, 1));
        assert_eq!(told(4), later(16, 0), "and so on for as long as it takes");
    }

    #[test]
    fn only_what_shows_twice_is_ambiguous() {
        let hang = || CallError::Ambiguous {
            detail: "no answer".into(),
        };
        let skip = |method| verdict(hang(), &queued(method, Ambiguous::Skip, 0));
        assert!(matches!(skip("sendMessage"), (Verdict::Dead(reason, _), true) if reason == AMBIGUOUS));
        assert!(matches!(skip("editMessageText"), (Verdict::Later { .. }, false)));
        assert!(matches!(
            verdict(hang(), &queued("sendMessage", Ambiguous::Resend, 0)),
            (Verdict::Later { .. }, true)
        ));
        let refused = CallError::Connect {
            detail: "refused".into(),
        };
        assert!(matches!(
            verdict(refused, &queued("sendMessage", Ambiguous::Skip, 0)),
            (Verdict::Later { .. }, false)
        ));
    }

    #[test]
    fn refusals() {
        let message = queued("sendMessage", Ambiguous::Resend, 0);
        let of = |error| verdict(error, &message).0;
        assert!(
            matches!(of(api(403, "Forbidden: bot was blocked by the user")), Verdict::ChatGone(code, _) if code == "telegram-403")
        );
        assert!(
            matches!(of(api(400, "Bad Request: message text is empty")), Verdict::Dead(code, _) if code == "telegram-400")
        );
        assert_eq!(
            of(api(400, "Bad Request: message is not modified")),
            Verdict::Sent
        );
        assert_eq!(of(api(401, "Unauthorized")), Verdict::Unauthorized);
        assert_eq!(
            of(api(429, "Too Many Requests: retry after 7")),
            Verdict::FloodWait(Duration::from_secs(7))
        );
    }
}
