//! Calls to Telegram on behalf of somebody who waits.

use std::future::Future;

use botloom_core::model::{BotRow, SealedToken};
use botloom_core::secret::Secret;
use botloom_core::vault::SecretContext;
use botloom_telegram::{CallError, Class, Token, classify};

use super::Error;
use crate::state::App;

/// The bot's token, opened.
pub(crate) fn token(app: &App, bot: &BotRow) -> Result<Token, Error> {
    let sealed = bot.token.as_ref().ok_or(Error::TokenMissing)?;
    let text = open(app, sealed, &bot.token_context())?;
    Token::new(text.expose()).map_err(|_| Error::Internal("the stored token is none"))
}

/// Opens what the master key sealed.
pub(crate) fn open(app: &App, sealed: &SealedToken, context: &SecretContext<'_>) -> Result<Secret, Error> {
    app.deps
        .vault
        .open(&sealed.0, context)
        .map_err(|_| Error::Internal("a secret was sealed with another master key"))
}

/// Waits for a call, not longer than a person does. `now` says what holds if Telegram does not answer.
pub(crate) async fn ask<T>(
    app: &App,
    method: &str,
    now: &'static str,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, Error> {
    match tokio::time::timeout(app.options.telegram_timeout, call).await {
        Err(_) => Err(Error::TelegramUnavailable { now, wait_secs: None }),
        Ok(result) => judge(method, now, result),
    }
}

/// What the end of a call means for somebody who waits for it. `now` as in [`ask`].
pub(crate) fn judge<T>(method: &str, now: &'static str, result: Result<T, CallError>) -> Result<T, Error> {
    result.map_err(|error| {
        tracing::info!(method, %error, "a call to Telegram failed");
        match (classify(&error, method), error) {
            (Class::Unauthorized, _) => Error::TokenRejected,
            (Class::RetryAfter { secs }, _) => Error::TelegramUnavailable {
                now,
                wait_secs: Some(secs),
            },
            (Class::Transient { .. }, _) => Error::TelegramUnavailable { now, wait_secs: None },
            (_, CallError::Api { description, .. }) => Error::TelegramRefused(description),
            _ => Error::Internal("a call that cannot be made"),
        }
    })
}
