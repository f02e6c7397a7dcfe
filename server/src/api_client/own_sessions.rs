//! Sessions that a command opened for itself, with e-mail and password: they end with it, however it ends.

use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::Api;
use crate::error::{CommandError, CommandResult};
use crate::terminal::note;

/// Those of this process.
static OPENED: Mutex<Vec<Api>> = Mutex::new(Vec::new());
/// That there is one.
static FIRST: Notify = Notify::const_new();

/// Has a session ended with the command.
pub(super) fn add(api: &Api) {
    OPENED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(api.clone());
    FIRST.notify_one();
}

/// Runs a command, and ends the sessions that it opened: also when it fails, and when it is told to stop.
pub(crate) async fn ended_after(command: impl Future<Output = CommandResult>) -> CommandResult {
    let outcome = tokio::select! {
        outcome = command => outcome,
        stopped = told_to_stop() => Err(stopped),
    };
    let opened = std::mem::take(&mut *OPENED.lock().unwrap_or_else(PoisonError::into_inner));
    for api in opened {
        end(&api).await;
    }
    outcome
}

async fn end(api: &Api) {
    let ended = match api.hastily().post("/auth/logout", json!({})).await {
        // One that has ended already is ended.
        Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => return,
        Ok(answer) => answer.ok().map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        note(format!("the session of this command was left open: {error}"));
    }
}

/// Waits for a signal that ends the process. Until there is a session the signal itself does that.
async fn told_to_stop() -> CommandError {
    FIRST.notified().await;
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        return std::future::pending().await;
    };
    let number = tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    };
    CommandError::Stopped(number.as_raw_value())
}
