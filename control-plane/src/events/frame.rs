//! Events as the text of an event stream. Rendered once, sent to every reader.

use botloom_core::event::LoggedEvent;
use bytes::Bytes;
use serde_json::{Value, json};

/// What goes out first: when a browser that loses the connection comes back (ms), and that there is one.
pub(super) const CONNECTED: Bytes = Bytes::from_static(b"retry: 2000\n: connected\n\n");
/// Keeps a quiet connection open.
pub(super) const HEARTBEAT: Bytes = Bytes::from_static(b": heartbeat\n\n");

/// An event of the log.
pub(super) fn event(event: &LoggedEvent) -> Bytes {
    let mut data = json!({ "botId": event.bot_id, "at": event.at.to_rfc3339() });
    if let (Value::Object(data), Ok(Value::Object(mut shown))) =
        (&mut data, serde_json::to_value(&event.event))
        && let Some(Value::Object(fields)) = shown.remove("data")
    {
        data.extend(fields);
    }
    // JSON printed in one line: a stream's fields end with the line.
    format!(
        "id: {}\nevent: {}\ndata: {data}\n\n",
        event.id,
        event.event.name()
    )
    .into()
}

/// Tells a reader of whom it is not known where it was what there is: the oldest event that is kept, and the latest, from
/// which the stream goes on.
pub(super) fn unknown(oldest: u64, latest: u64) -> Bytes {
    let data = json!({ "reason": "the last event is not known", "oldest": oldest });
    format!("id: {latest}\nevent: resync\ndata: {data}\n\n").into()
}

/// Tells the reader to fetch everything anew and, with an id, from where the stream goes on.
pub(super) fn resync(reason: &str, latest: Option<u64>) -> Bytes {
    let id = latest.map_or_else(String::new, |latest| format!("id: {latest}\n"));
    format!("{id}event: resync\ndata: {}\n\n", json!({ "reason": reason })).into()
}
