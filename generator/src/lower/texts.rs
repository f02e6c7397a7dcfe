//! Texts: literal ones stay in their steps, localized ones stand in one table per locale.

use std::collections::BTreeSet;

use botloom_spec::model::{BotSpec, Text};
use botloom_spec::step::{QuickReply, Step};

use crate::ir::Data;

/// A text of a step.
pub(super) fn text(text: &Text) -> Data {
    match text {
        Text::Literal(text) => text.as_str().into(),
        Text::Key(key) => Data::Fields(vec![("key", key.key.as_str().into())]),
    }
}

/// Buttons under a message.
pub(super) fn buttons(replies: &[QuickReply]) -> Option<Data> {
    let button = |reply: &QuickReply| {
        let mut fields = vec![("text", text(&reply.text))];
        super::optional(&mut fields, "flow", reply.flow.as_deref());
        super::optional(&mut fields, "value", reply.value.as_deref());
        Data::Fields(fields)
    };
    (!replies.is_empty()).then(|| Data::List(replies.iter().map(button).collect()))
}

/// The localized texts that steps refer to, by locale.
pub(super) fn table(spec: &BotSpec) -> Data {
    let used = used(spec);
    let locales = spec.localization.0.iter().map(|(locale, texts)| {
        let texts = texts.iter().filter(|(key, _)| used.contains(key.as_str()));
        (
            locale.clone(),
            Data::Named(
                texts
                    .map(|(key, text)| (key.clone(), text.as_str().into()))
                    .collect(),
            ),
        )
    });
    Data::Named(locales.collect())
}

fn used(spec: &BotSpec) -> BTreeSet<&str> {
    let texts = spec.flows.iter().flat_map(|flow| &flow.steps).flat_map(|step| {
        let (text, replies): (_, &[QuickReply]) = match step {
            Step::Reply(reply) => (Some(&reply.text), &reply.quick_replies),
            Step::Ask(ask) => (Some(&ask.text), &ask.quick_replies),
            Step::Validate(validate) => (Some(&validate.on_fail.text), &[]),
            Step::Save(_) | Step::ApiCall(_) | Step::Goto(_) => (None, &[]),
        };
        text.into_iter().chain(replies.iter().map(|reply| &reply.text))
    });
    let keys = texts.filter_map(|text| match text {
        Text::Key(key) => Some(key.key.as_str()),
        Text::Literal(_) => None,
    });
    keys.collect()
}
