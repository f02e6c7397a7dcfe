//! A message of the bot as a script describes it and as a person sees it.

use std::fmt::Write as _;

use botloom_runtime::simulator::{Sent, Transcript};
use botloom_spec::script::{Media, Message};
use botloom_spec::step::MediaKind;
use serde_json::Value;

use crate::terminal::note;

const MEDIA: [(&str, &str, MediaKind); 6] = [
    ("sendPhoto", "photo", MediaKind::Photo),
    ("sendVideo", "video", MediaKind::Video),
    ("sendDocument", "document", MediaKind::Document),
    ("sendAudio", "audio", MediaKind::Audio),
    ("sendVoice", "voice", MediaKind::Voice),
    ("sendAnimation", "animation", MediaKind::Animation),
];

/// What a script would expect to get this message.
pub(super) fn message(sent: &Sent) -> Message {
    let text = |key: &str| sent.params.get(key).and_then(Value::as_str).map(str::to_owned);
    let media = MEDIA
        .into_iter()
        .find(|(method, _, _)| *method == sent.method)
        .map(|(_, field, kind)| {
            let from = text(field).unwrap_or_default();
            let is_url = from.starts_with("https://") || from.starts_with("http://");
            let (url, file_id) = if is_url {
                (Some(from), None)
            } else {
                (None, Some(from))
            };
            Media { kind, url, file_id }
        });
    Message {
        text: text("text").or_else(|| text("caption")),
        buttons: buttons(sent),
        media,
    }
}

fn buttons(sent: &Sent) -> Vec<String> {
    let rows = sent
        .params
        .get("reply_markup")
        .and_then(|markup| markup.get("keyboard"));
    let rows = rows.and_then(Value::as_array).into_iter().flatten();
    let label = |button: &Value| {
        button
            .as_str()
            .or_else(|| button["text"].as_str())
            .map(str::to_owned)
    };
    rows.filter_map(Value::as_array)
        .flatten()
        .filter_map(label)
        .collect()
}

/// A message in the terminal.
pub(super) fn lines(sent: &Sent) -> String {
    let message = message(sent);
    let mut text = String::new();
    if let Some(media) = &message.media {
        let from = media
            .url
            .as_deref()
            .or(media.file_id.as_deref())
            .unwrap_or_default();
        text.push_str(&format!("({:?}: {from}) ", media.kind).to_lowercase());
    }
    text.push_str(&message.text.unwrap_or_default().replace('\n', "\n     "));
    if !message.buttons.is_empty() {
        let _ = write!(text, "\n     [{}]", message.buttons.join("]  ["));
    }
    text
}

/// What else happened, for `--verbose`.
pub(super) fn details(transcript: &Transcript, state: Option<&str>) {
    for call in &transcript.calls {
        let body = call.body.as_ref().map_or_else(String::new, ToString::to_string);
        note(format!("     call      {} {} {body}", call.method, call.url));
    }
    for event in &transcript.telemetry {
        note(format!(
            "     telemetry {}",
            serde_json::to_string(event).unwrap_or_default()
        ));
    }
    note(format!("     state     {}", state.unwrap_or("none")));
}
