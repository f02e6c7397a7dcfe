//! Sessions that a command opened for itself, with e-mail and password: they end with it, however it ends.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::task::JoinHandle;

use super::Api;
use crate::error::{CommandError, CommandResult};
use crate::signals;
use crate::terminal::note;

/// Those of this process.
static OPENED: Mutex<Vec<Api>> = Mutex::new(Vec::new());
/// Those that are being opened.
static OPENING: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());
/// Longest wait for a session that is being opened when the command is told to stop.
const OPENS: Duration = Duration::from_secs(10);

/// Opens a session that ends with the command, also if the command is told to stop while the server opens it.
pub(super) async fn open<T: Send + 'static>(
    opening: impl Future<Output = Result<(Api, T), CommandError>> + Send + 'static,
) -> Result<(Api, T), CommandError> {
    signals::catch().map_err(|error| CommandError::Other(error.to_string()))?;
    let (tell, told) = tokio::sync::oneshot::channel();
    let task = tokio::spawn(async move {
        let opened = opening.await;
        if let Ok((api, _)) = &opened {
            lock(&OPENED).push(api.clone());
        }
        // Nobody waits for it where the command was told to stop.
        let _ = tell.send(opened);
    });
    lock(&OPENING).push(task);
    told.await
        .unwrap_or_else(|_| Err(CommandError::Other("the login was given up".to_owned())))
}

/// Runs a command, and ends the sessions that it opened: also when it fails, and when it is told to stop.
pub(crate) async fn ended_after(command: impl Future<Output = CommandResult>) -> CommandResult {
    let outcome = tokio::select! {
        outcome = command => outcome,
        signal = signals::caught() => Err(CommandError::Stopped(signal.as_raw_value())),
    };
    let insisted = signals::interrupted();
    tokio::select! {
        () = end_all() => {}
        () = insisted => note(format!("the session of this command was left open; {HOW_TO_END}")),
    }
    outcome
}

/// What to do about a session that was left open.
const HOW_TO_END: &str = "`botloom sessions list` shows it, `botloom sessions end` ends it";

async fn end_all() {
    let opening = std::mem::take(&mut *lock(&OPENING));
    for task in opening {
        if tokio::time::timeout(OPENS, task).await.is_err() {
            note(format!(
                "whether the server opened a session for this command is not known; {HOW_TO_END}"
            ));
        }
    }
    let opened = std::mem::take(&mut *lock(&OPENED));
    for api in opened {
        end(&api).await;
    }
}

async fn end(api: &Api) {
    let ended = match api.at_the_end().post(LOGOUT, json!({})).await {
        // One that has ended already is ended.
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => return,
        Ok(answer) => answer.ok().map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        note(format!(
            "the session of this command was left open: {error}; {HOW_TO_END}"
        ));
    }
}

/// Where a session ends. Ending it twice ends it.
pub(super) const LOGOUT: &str = "/auth/logout";

fn lock<T>(list: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    list.lock().unwrap_or_else(PoisonError::into_inner)
}
