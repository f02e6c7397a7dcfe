//! Locales are language tags and listed; the time zone exists.

use crate::code::Code;
use crate::draft::Draft;
use crate::finding::Findings;
use crate::pointer;

pub(super) fn check(draft: &Draft<'_>, findings: &mut Findings) {
    if let Some(zone) = draft.meta.as_ref().map(|meta| meta.timezone.as_str())
        && jiff::tz::TimeZone::get(zone).is_err()
    {
        findings.add_hinted(Code::UnknownTimeZone, "/meta/timezone", || {
            (
                format!("`{zone}` is no IANA time zone."),
                Some("Use a name such as `Europe/Berlin`.".to_owned()),
            )
        });
    }
    let Some(locales) = draft.locales.as_ref().filter(|locales| !locales.is_empty()) else {
        return;
    };
    for (index, tag) in locales {
        if !is_language_tag(tag) {
            findings.add_hinted(
                Code::InvalidLocale,
                &pointer::index("/meta/locales", *index),
                || {
                    (
                        format!("`{tag}` is no language tag."),
                        Some("Use a tag such as `en` or `pt-BR`.".to_owned()),
                    )
                },
            );
        }
    }
    let mut known = |tag: &str, at: &str| {
        if !locales.iter().any(|(_, listed)| *listed == tag) {
            let hint = findings.suggest(tag, locales.iter().map(|(_, listed)| *listed));
            findings.add_hinted(Code::UnknownLocale, at, || {
                (format!("`{tag}` is not in `meta.locales`."), hint)
            });
        }
    };
    if let Some(tag) = draft.default_locale {
        known(tag, "/meta/defaultLocale");
    }
    for part in draft.intents.iter().flatten() {
        for tag in part.value.keywords.keys() {
            known(tag, &pointer::join(&format!("{}/keywords", part.pointer), tag));
        }
    }
    for tag in draft.localization.iter().flatten().map(|(tag, _)| tag) {
        known(tag, &pointer::join("/localization", tag));
    }
}

/// The form of a BCP 47 tag (RFC 5646, section 2.1), without grandfathered tags: whether its subtags are registered
/// does not matter to a bot, which only compares them.
fn is_language_tag(tag: &str) -> bool {
    let alpha = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
    };
    let alphanumeric = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let mut rest = tag.split('-').peekable();
    let Some(language) = rest.next() else { return false };
    let private = language.eq_ignore_ascii_case("x");
    if !private {
        if !alpha(language, 2..=8) {
            return false;
        }
        if language.len() <= 3 {
            for _ in 0..3 {
                rest.next_if(|text| alpha(text, 3..=3));
            }
        }
        rest.next_if(|text| alpha(text, 4..=4));
        rest.next_if(|text| {
            alpha(text, 2..=2) || (text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit()))
        });
        while rest
            .next_if(|text| {
                alphanumeric(text, 5..=8)
                    || (alphanumeric(text, 4..=4) && text.as_bytes()[0].is_ascii_digit())
            })
            .is_some()
        {}
        while rest
            .next_if(|text| alphanumeric(text, 1..=1) && !text.eq_ignore_ascii_case("x"))
            .is_some()
        {
            let mut any = false;
            while rest.next_if(|text| alphanumeric(text, 2..=8)).is_some() {
                any = true;
            }
            if !any {
                return false;
            }
        }
    }
    if private || rest.next_if(|text| text.eq_ignore_ascii_case("x")).is_some() {
        let mut any = false;
        while rest.next_if(|text| alphanumeric(text, 1..=8)).is_some() {
            any = true;
        }
        if !any {
            return false;
        }
    }
    rest.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::is_language_tag;

    #[test]
    fn tells_language_tags() {
        for tag in [
            "en",
            "pt-BR",
            "zh-Hant-TW",
            "es-419",
            "sr-Latn",
            "de-CH-1996",
            "sl-rozaj-biske",
            "zh-yue-HK",
            "en-US-u-hc-h12",
            "de-x-team",
            "x-own",
            "EN-us",
        ] {
            assert!(is_language_tag(tag), "{tag}");
        }
        for tag in [
            "",
            "e",
            "en_US",
            "en-",
            "-en",
            "en--US",
            "english-language-x",
            "en-u",
            "de-x",
            "x",
            "12",
            "en US",
            "ä",
        ] {
            assert!(!is_language_tag(tag), "{tag}");
        }
    }
}
