//! Problems of the API in the words of the command line: what the API says in routes and headers, as commands and variables.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::Value;

use super::Asked;
use super::credential::Credential;

/// How to log in, for who has given nothing.
pub(super) const WAYS_IN: &str = "log in with `botloom login`, or set BOTLOOM_TOKEN (an API token; or --token-file), \
                                  or BOTLOOM_EMAIL and BOTLOOM_PASSWORD";

/// A problem document in words: title, detail, and each finding on a line of its own.
pub(super) fn words(status: StatusCode, body: &Value, asked: &Asked) -> String {
    let slug = body["type"].as_str().unwrap_or_default();
    let slug = slug.rsplit('/').next().unwrap_or_default();
    let title = match (slug, &asked.credential) {
        ("unauthenticated", Credential::Token(_)) => "The API token was refused",
        _ => body["title"]
            .as_str()
            .unwrap_or_else(|| status.canonical_reason().unwrap_or("error")),
    };
    let mut text = format!("{title} ({})", status.as_u16());
    let detail = remedy(slug, asked).or_else(|| body["detail"].as_str().map(str::to_owned));
    if let Some(detail) = detail {
        let _ = write!(text, ": {detail}");
    }
    for error in body["errors"].as_array().into_iter().flatten() {
        let pointer = error["pointer"].as_str().unwrap_or_default();
        let message = error["message"]
            .as_str()
            .or_else(|| error["detail"].as_str())
            .unwrap_or_default();
        let _ = write!(text, "\n  {pointer}: {message}");
    }
    text
}

/// What to do about a problem; `None` where the words of the API say it.
fn remedy(slug: &str, asked: &Asked) -> Option<String> {
    let bot = asked.bot();
    Some(match slug {
        "unauthenticated" | "session-expired" | "token-expired" | "csrf-invalid" => {
            who(slug, &asked.credential)
        }
        "session-required" => match &asked.credential {
            Credential::Token(token) => format!(
                "{token} is an API token, and this needs a person: leave it out, and use `botloom login` or --email"
            ),
            _ => "log in with `botloom login`".to_owned(),
        },
        "fresh-login-required" => {
            "log in again with `botloom login`, and repeat it within 10 minutes".to_owned()
        }
        "password-login-off" => {
            "log in to the console, and make an API token there for BOTLOOM_TOKEN".to_owned()
        }
        "password-not-set" => "your account has no password yet; the console sets the first one".to_owned(),
        "already-set-up" => "there is an owner already; log in with `botloom login`".to_owned(),
        "rate-limited" => {
            "the server takes no more requests of yours for now; try again in a minute".to_owned()
        }
        "too-many-attempts" => "too many logins failed; try again in a minute".to_owned(),
        "project-not-empty" => "delete its bots first; `botloom bots list` lists them".to_owned(),
        "project-required" => format!(
            "you have several projects: make the bot in one of them first, `botloom bots create {bot} --project NAME`; \
             `botloom projects list` lists them"
        ),
        "no-staging-bot" => {
            format!("say first whose staging bot it is: `botloom bots stage {bot} PRODUCTION-BOT`")
        }
        "token-missing" => format!("give the bot its token first: `botloom connect {bot} --bot-token TOKEN`"),
        "token-revoked" => format!(
            "Telegram does not know the stored token any more; give the bot its present one: `botloom connect {bot} \
             --bot-token TOKEN`"
        ),
        "bot-not-connected" => format!(
            "the bot takes no updates; `botloom connect {bot} --connect polling` (or webhook) connects it"
        ),
        "public-url-missing" => {
            "webhooks need BOTLOOM_PUBLIC_URL at the server; without one: `--connect polling`".to_owned()
        }
        "manager-bot-missing" => format!(
            "the server has no BOTLOOM_MANAGER_BOT_TOKEN; make the Telegram bot at @BotFather, and `botloom connect {bot} \
             --bot-token TOKEN`"
        ),
        "no-previous-revision" => "the bot has no earlier revision to go back to".to_owned(),
        _ => return None,
    })
}

/// What to do where the server does not take the caller for anybody.
fn who(slug: &str, credential: &Credential) -> String {
    match credential {
        Credential::Nobody => WAYS_IN.to_owned(),
        Credential::Token(token) if slug == "token-expired" => {
            format!("{token}; make a new one with `botloom tokens create`")
        }
        Credential::Token(token) => format!(
            "{token}; it was revoked, or is of another server. `botloom tokens create` makes one, `botloom login` does \
             without"
        ),
        Credential::Kept => {
            "the session that `botloom login` kept has ended; log in again with `botloom login`".to_owned()
        }
        Credential::Account(email) => format!("the session of {email} was ended meanwhile; try again"),
    }
}
