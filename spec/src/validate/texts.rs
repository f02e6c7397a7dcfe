//! Localized texts are there, and what is sent can be sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::strings::{self, resolved};
use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::limits::CAPTION_CODE_POINTS;
use crate::model::Text;
use crate::pointer;
use crate::step::Step;
use crate::template::{self, Segment};

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    translations(draft, findings);
    sendable(draft, findings);
}

fn translations(draft: &Draft<'_>, findings: &mut Findings) {
    let (Some(localization), Some(default), Some(locales)) =
        (&draft.localization, draft.default_locale, &draft.locales)
    else {
        return;
    };
    if !locales.iter().any(|(_, locale)| *locale == default) {
        return;
    }
    let nothing = BTreeMap::new();
    let texts = Localized {
        fallback: localization.get(default).unwrap_or(&nothing),
        others: locales
            .iter()
            .filter(|(_, locale)| *locale != default)
            .map(|(_, locale)| (*locale, localization.get(locale).unwrap_or(&nothing)))
            .collect(),
    };
    // How many of the other locales have a key: one pass, however many keys and locales there are.
    let mut translations: HashMap<&str, usize> = HashMap::new();
    for key in texts.others.iter().flat_map(|(_, texts)| texts.keys()) {
        *translations.entry(key).or_default() += 1;
    }
    let complete = |key: &str| translations.get(key).copied().unwrap_or_default() == texts.others.len();
    let mut used = BTreeSet::new();
    strings::texts(draft, |at, text| {
        let Text::Key(key) = text else { return };
        let key = key.key.as_str();
        used.insert(key);
        let at = format!("{at}/key");
        if !texts.fallback.contains_key(key) {
            let hint = findings.suggest(key, texts.fallback.keys().copied());
            findings.add_hinted(Code::MissingText, &at, || (missing(default, key), hint));
        } else if !complete(key) {
            findings.add(Code::UntranslatedText, &at, || texts.untranslated(key));
        }
    });
    for key in texts
        .fallback
        .keys()
        .filter(|key| !used.contains(*key) && !complete(key))
    {
        let at = pointer::join(&pointer::join("/localization", default), key);
        findings.add(Code::UntranslatedText, &at, || texts.untranslated(key));
    }
    for (locale, others) in &texts.others {
        for key in others.keys().filter(|key| !texts.fallback.contains_key(*key)) {
            let at = pointer::join(&pointer::join("/localization", locale), key);
            findings.add(Code::MissingText, &at, || missing(default, key));
        }
    }
}

fn missing(default: &str, key: &str) -> String {
    format!("The default locale `{default}` has no text `{key}`.")
}

/// The texts of the default locale, and those of the other listed ones.
struct Localized<'d> {
    fallback: &'d BTreeMap<&'d str, &'d str>,
    others: Vec<(&'d str, &'d BTreeMap<&'d str, &'d str>)>,
}

impl Localized<'_> {
    fn untranslated(&self, key: &str) -> String {
        let lacking: Vec<_> = self
            .others
            .iter()
            .filter(|(_, texts)| !texts.contains_key(key))
            .collect();
        let list: Vec<_> = lacking
            .iter()
            .take(10)
            .map(|(locale, _)| format!("`{locale}`"))
            .collect();
        let more = if lacking.len() > 10 { " and others" } else { "" };
        format!(
            "There is no such text in {}{more}; the default locale's is used.",
            list.join(", ")
        )
    }
}

fn sendable(draft: &Draft<'_>, findings: &mut Findings) {
    for (_, _, at, step) in draft.steps() {
        match step {
            Step::Reply(reply) if reply.media.is_some() => {
                for (locale, text) in resolved(draft, &reply.text) {
                    let length = least_length(text);
                    if length > CAPTION_CODE_POINTS {
                        findings.add(Code::CaptionTooLong, &format!("{at}/text"), || {
                            let place = locale.map(|locale| format!(" in `{locale}`")).unwrap_or_default();
                            format!("The caption has at least {length} code points{place}; at most {CAPTION_CODE_POINTS} are allowed.")
                        });
                    }
                }
            }
            Step::Reply(reply) => not_empty(draft, &format!("{at}/text"), &reply.text, findings),
            Step::Ask(ask) => not_empty(draft, &format!("{at}/text"), &ask.text, findings),
            Step::Validate(validate) => {
                not_empty(
                    draft,
                    &format!("{at}/onFail/text"),
                    &validate.on_fail.text,
                    findings,
                );
            }
            Step::Save(_) | Step::ApiCall(_) | Step::Goto(_) => {}
        }
        let buttons = match step {
            Step::Reply(reply) => &reply.quick_replies,
            Step::Ask(ask) => &ask.quick_replies,
            _ => continue,
        };
        for (index, button) in buttons.iter().enumerate() {
            not_empty(
                draft,
                &format!("{at}/quickReplies/{index}/text"),
                &button.text,
                findings,
            );
        }
    }
}

fn not_empty(draft: &Draft<'_>, at: &str, text: &Text, findings: &mut Findings) {
    let empty = resolved(draft, text)
        .into_iter()
        .find(|(_, text)| text.trim().is_empty());
    if let Some((locale, _)) = empty {
        findings.add(Code::EmptyText, at, || {
            let place = locale.map(|locale| format!(" in `{locale}`")).unwrap_or_default();
            format!("The text is empty{place}; Telegram refuses that.")
        });
    }
}

/// Code points of a text when every placeholder is empty.
fn least_length(text: &str) -> usize {
    let Ok(segments) = template::parse(text) else {
        return 0;
    };
    segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => text.chars().count(),
            Segment::Placeholder { .. } => 0,
        })
        .sum()
}
