//! What Telegram is to show of a bot, from its spec.

use botloom_spec::check;
use botloom_spec::profile::{self, Profile};
use serde_json::{Value, json};

use crate::support::{accepted, minimal, pizza};

fn of(spec: &Value) -> Profile {
    profile::of(&accepted(&spec.to_string()).spec)
}

/// A spec of these locales whose descriptions are `hi`, which says in each locale what the locale is.
fn speaking(locales: &[&str], default: &str) -> Value {
    let mut spec = minimal();
    spec["meta"]["locales"] = json!(locales);
    spec["meta"]["defaultLocale"] = json!(default);
    spec["meta"]["description"] = json!({"key": "hi"});
    for locale in locales {
        spec["localization"][locale]["hi"] = json!(locale);
    }
    spec
}

/// Languages and what is said in them.
fn described(spec: &Value) -> String {
    let said = of(spec).description;
    let said: Vec<String> = said
        .iter()
        .map(|(language, text)| format!("{language}={text}"))
        .collect();
    said.join(" ")
}

#[test]
fn each_language_has_one_voice() {
    for (locales, default, expected) in [
        ("en", "en", "=en"),
        ("en de", "de", "=de en=en"),
        // The plain language speaks for it, wherever it is listed.
        ("en pt-BR pt pt-PT", "en", "=en pt=pt"),
        // Then the default, so that nothing need be said to its language.
        ("pt-PT pt-BR", "pt-BR", "=pt-BR"),
        ("en-US en", "en-US", "=en-US en=en"),
        // Then the first.
        ("en zh-Hant zh-Hans", "en", "=en zh=zh-Hant"),
        // No two letters, no way to tell Telegram.
        ("en fil x-own", "en", "=en"),
        ("fil DE-at", "fil", "=fil de=DE-at"),
    ] {
        let listed: Vec<&str> = locales.split(' ').collect();
        assert_eq!(described(&speaking(&listed, default)), expected, "{locales}");
    }
}

#[test]
fn what_is_the_same_for_all_is_said_once() {
    let mut spec = speaking(&["en", "de", "fr"], "en");
    spec["localization"]["de"]["hi"] = json!("en");
    spec["localization"]["fr"] = json!({});
    spec["meta"]["shortDescription"] = json!("A text");
    assert_eq!(described(&spec), "=en");
    assert_eq!(of(&spec).short_description.len(), 1);
}

#[test]
fn only_described_commands_are_listed_and_placeholders_are_left_out() {
    let mut spec = speaking(&["en", "de"], "en");
    spec["localization"]["de"]["hi"] = json!("Hallo {{context.user.firstName}} ");
    spec["commands"] = json!([
        {"command": "/start", "flow": "main", "description": {"key": "hi"}},
        {"command": "/help", "flow": "main"},
        {"command": "/me", "flow": "main", "description": "{{ context.user.firstName }}"},
    ]);
    let menus = of(&spec).commands;
    let listed: Vec<_> = menus
        .iter()
        .flat_map(|(language, menu)| {
            menu.iter().map(move |entry| {
                (
                    language.as_str(),
                    entry.command.as_str(),
                    entry.description.as_str(),
                )
            })
        })
        .collect();
    assert_eq!(listed, [("", "start", "en"), ("de", "start", "Hallo")]);
}

#[test]
fn a_spec_that_says_nothing_wants_nothing() {
    let mut spec = minimal();
    assert_eq!(of(&spec), Profile::default());
    let silent = accepted(&spec.to_string());
    assert!(
        !silent.canonical.contains("escription"),
        "hashes of specs without stay"
    );
    // The empty text is a wish: to show nothing.
    spec["meta"]["description"] = json!("");
    assert_eq!(described(&spec), "=");
    assert!(!of(&pizza()).commands.is_empty());
}

#[test]
fn lengths_are_those_that_telegram_takes() {
    for (field, most) in [("description", 512), ("shortDescription", 120)] {
        for length in [0, most, most + 1] {
            let mut spec = speaking(&["en", "de"], "en");
            spec["meta"][field] = json!({"key": "about"});
            spec["localization"]["en"]["about"] = json!("x");
            spec["localization"]["de"]["about"] = json!("ä".repeat(length));
            let found = check(spec.to_string().as_bytes()).findings;
            let found: Vec<_> = found
                .iter()
                .filter(|found| found.code.as_str() == "description-length")
                .map(|found| found.pointer.clone())
                .collect();
            let expected = if length > most {
                vec![format!("/meta/{field}")]
            } else {
                Vec::new()
            };
            assert_eq!(found, expected, "{field} of {length}");
        }
    }
}
