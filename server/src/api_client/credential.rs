//! What a command proves with who it is: e-mail and password, asked for on a terminal where they are missing.

use std::io::IsTerminal as _;

use super::problems::WAYS_IN;
use crate::cli::Login;
use crate::error::CommandError;
use crate::terminal;

/// Whom the server takes a command for, as far as messages tell of it.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// Nobody.
    Nobody,
    /// The bearer of an API token; where it comes from.
    Token(String),
    /// Who ran `botloom login`.
    Kept,
    /// Somebody with this e-mail address.
    Account(String),
}

/// E-mail and password of an account that there is.
pub(crate) async fn credentials(login: &Login) -> Result<(String, String), CommandError> {
    if login.email.is_none() && login.password.is_none() && !std::io::stdin().is_terminal() {
        return Err(CommandError::Other(format!(
            "nobody is logged in at {}: {WAYS_IN}",
            login.server
        )));
    }
    let email = email(login).await?;
    let password = password(login.password.as_deref(), "Password: ").await?;
    Ok((email, password))
}

/// E-mail and password of an account that is to be made.
pub(crate) async fn new_credentials(login: &Login) -> Result<(String, String), CommandError> {
    let email = email(login).await?;
    let password = new_password(login.password.as_deref(), "Password: ", "BOTLOOM_PASSWORD").await?;
    Ok((email, password))
}

async fn email(login: &Login) -> Result<String, CommandError> {
    asked(login.email.as_deref(), "E-mail: ", "--email or BOTLOOM_EMAIL").await
}

/// A password that holds.
pub(crate) async fn password(given: Option<&str>, question: &str) -> Result<String, CommandError> {
    answered(given, "BOTLOOM_PASSWORD", terminal::ask_hidden(question)).await
}

/// A password that is to hold from now on: what nobody sees is typed twice.
pub(crate) async fn new_password(
    given: Option<&str>,
    question: &str,
    otherwise: &str,
) -> Result<String, CommandError> {
    let password = answered(given, otherwise, terminal::ask_hidden(question)).await?;
    if given.is_none() && password != answered(None, otherwise, terminal::ask_hidden("Once more: ")).await? {
        return Err(CommandError::Other(
            "these are two different passwords; nothing was changed".to_owned(),
        ));
    }
    Ok(password)
}

/// A text that was given, or is asked for on a terminal; `otherwise` says how to give it where there is none.
pub(crate) async fn asked(
    given: Option<&str>,
    question: &str,
    otherwise: &str,
) -> Result<String, CommandError> {
    answered(given, otherwise, terminal::ask(question)).await
}

async fn answered(
    given: Option<&str>,
    otherwise: &str,
    ask: impl Future<Output = std::io::Result<String>>,
) -> Result<String, CommandError> {
    if let Some(text) = given {
        return Ok(text.to_owned());
    }
    if !std::io::stdin().is_terminal() {
        return Err(CommandError::Other(format!("give {otherwise}")));
    }
    ask.await.map_err(|error| CommandError::Other(error.to_string()))
}
