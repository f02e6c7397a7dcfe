//! Every text and every string with placeholders of a document, with its pointer.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::draft::Draft;
use crate::limits::{
    COMMAND_DESCRIPTION_CODE_POINTS, DESCRIPTION_CODE_POINTS, SHORT_DESCRIPTION_CODE_POINTS,
};
use crate::model::Text;
use crate::pointer;
use crate::step::{QuickReply, Scalar, Step};

/// Calls `visit` for every `Text`.
pub(super) fn texts<'d>(draft: &'d Draft<'_>, mut visit: impl FnMut(&str, &'d Text)) {
    descriptions(draft, |at, text, _| visit(at, text));
    for (_, _, at, step) in draft.steps() {
        match step {
            Step::Reply(reply) => {
                visit(&format!("{at}/text"), &reply.text);
                buttons(at, &reply.quick_replies, &mut visit);
            }
            Step::Ask(ask) => {
                visit(&format!("{at}/text"), &ask.text);
                buttons(at, &ask.quick_replies, &mut visit);
            }
            Step::Validate(validate) => visit(&format!("{at}/onFail/text"), &validate.on_fail.text),
            Step::Save(_) | Step::ApiCall(_) | Step::Goto(_) => {}
        }
    }
}

/// Calls `visit` for every text that Telegram shows outside of chats, with the lengths that it takes in code points.
pub(super) fn descriptions<'d>(
    draft: &'d Draft<'_>,
    mut visit: impl FnMut(&str, &'d Text, RangeInclusive<usize>),
) {
    if let Some(meta) = &draft.meta {
        let about = [
            ("/meta/description", &meta.description, DESCRIPTION_CODE_POINTS),
            (
                "/meta/shortDescription",
                &meta.short_description,
                SHORT_DESCRIPTION_CODE_POINTS,
            ),
        ];
        for (at, text, longest) in about {
            if let Some(text) = text {
                visit(at, text, 0..=longest);
            }
        }
    }
    for part in draft.commands.iter().flatten() {
        if let Some(description) = &part.value.description {
            let at = pointer::join(&part.pointer, "description");
            visit(&at, description, 1..=COMMAND_DESCRIPTION_CODE_POINTS);
        }
    }
}

fn buttons<'d>(at: &str, buttons: &'d [QuickReply], visit: &mut impl FnMut(&str, &'d Text)) {
    for (index, button) in buttons.iter().enumerate() {
        visit(&format!("{at}/quickReplies/{index}/text"), &button.text);
    }
}

/// Calls `visit` for every string that may hold placeholders: texts, localized texts, and fields of steps.
pub(super) fn templates(draft: &Draft<'_>, mut visit: impl FnMut(&str, &str)) {
    texts(draft, |at, text| {
        if let Text::Literal(text) = text {
            visit(at, text);
        }
    });
    for (locale, texts) in draft.localization.iter().flatten() {
        let base = pointer::join("/localization", locale);
        for (key, text) in texts {
            if text.contains("{{") {
                visit(&pointer::join(&base, key), text);
            }
        }
    }
    for (_, _, at, step) in draft.steps() {
        match step {
            Step::Reply(reply) => {
                if let Some(media) = &reply.media {
                    for (name, text) in [("url", &media.url), ("fileId", &media.file_id)] {
                        if let Some(text) = text {
                            visit(&format!("{at}/media/{name}"), text);
                        }
                    }
                }
            }
            Step::Save(save) => json(&format!("{at}/value"), &save.value, &mut visit),
            Step::ApiCall(call) => {
                visit(&format!("{at}/url"), &call.url);
                for (name, text) in &call.headers {
                    visit(&pointer::join(&format!("{at}/headers"), name), text);
                }
                for (name, value) in &call.query {
                    if let Scalar::Text(text) = value {
                        visit(&pointer::join(&format!("{at}/query"), name), text);
                    }
                }
                if let Some(body) = &call.body {
                    json(&format!("{at}/body"), body, &mut visit);
                }
            }
            Step::Ask(_) | Step::Validate(_) | Step::Goto(_) => {}
        }
    }
}

fn json(at: &str, value: &Value, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::String(text) => visit(at, text),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                json(&pointer::index(at, index), item, visit);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                json(&pointer::join(at, name), member, visit);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What a `Text` says: itself, or the localized texts of its key with their locales.
pub(super) fn resolved<'d>(draft: &'d Draft<'_>, text: &'d Text) -> Vec<(Option<&'d str>, &'d str)> {
    match text {
        Text::Literal(text) => vec![(None, text)],
        Text::Key(key) => draft
            .localization
            .iter()
            .flatten()
            .filter_map(|(locale, texts)| Some((Some(*locale), *texts.get(key.key.as_str())?)))
            .collect(),
    }
}
