//! Updates of every kind, as Telegram writes them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use botloom_telegram::update::{Kind, Known, ParseError, Routed, Text};
use proptest::prelude::*;

fn samples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/updates");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    files
        .iter()
        .map(|path| (name(path), fs::read_to_string(path).unwrap()))
        .collect()
}

fn sample(number: usize) -> String {
    samples().swap_remove(number - 1).1
}

/// One line per sample: what routing sees of it.
#[test]
fn every_sample() {
    let mut lines = Vec::new();
    let mut kinds = BTreeSet::new();
    for (name, json) in samples() {
        let update = Routed::parse(&json).unwrap();
        kinds.insert(update.kind.as_str().to_owned());
        let chat = update.chat.as_ref().map_or("-", |chat| &chat.kind);
        let from = update
            .from
            .as_ref()
            .map_or("-".into(), |user| user.first_name.0.clone());
        let text: String = update.text().chars().take(20).collect();
        let command = update
            .command()
            .map(|c| format!(" /{} {:?} {:?}", c.name, c.target, c.args));
        let line = format!(
            "{name}: {} {} key={} chat={chat} from={from} text={text:?}{}",
            update.update_id,
            update.kind.as_str(),
            update.chat_key(),
            command.unwrap_or_default(),
        );
        lines.push(line);
    }
    assert_eq!(kinds.len(), Known::ALL.len(), "every kind has a sample");
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_is_read_of_a_message() {
    let json = sample(3);
    let update = Routed::parse(&json).unwrap();
    assert_eq!(update.kind, Kind::Known(Known::Message));
    let command = update.command().unwrap();
    assert_eq!((command.name, command.args), ("start", "ref_8f3a-autumn"));
    let from = update.from.as_ref().unwrap();
    assert_eq!((from.id, &*from.first_name), (5_000_000_101, "Mira"));
    assert_eq!(from.language_code.as_deref(), Some("en"));
    assert!(
        matches!(from.first_name.0, Cow::Borrowed(_)),
        "no copy where there is no escape"
    );
    assert!(update.message.as_ref().unwrap().date > 1_795_000_000);

    let other = sample(5);
    let other = Routed::parse(&other).unwrap();
    assert!(!other.command().unwrap().is_for(Some("flow_demo_bot")));
    let ours = sample(4);
    assert!(
        Routed::parse(&ours)
            .unwrap()
            .command()
            .unwrap()
            .is_for(Some("FLOW_demo_bot"))
    );
}

#[test]
fn presses_members_and_migration() {
    let press = sample(7);
    let press = Routed::parse(&press).unwrap();
    assert!(press.callback.as_ref().unwrap().data.is_some());
    assert_eq!(press.text(), "", "the text under the button is the bot's own");
    let inline = sample(9);
    let inline = Routed::parse(&inline).unwrap();
    assert!(inline.callback.as_ref().unwrap().inline_message_id.is_some());
    assert_eq!(
        inline.chat_key(),
        format!("u:{}", inline.from.as_ref().unwrap().id)
    );
    let blocked = sample(40);
    assert_eq!(
        Routed::parse(&blocked).unwrap().member_status.as_deref(),
        Some("kicked")
    );
    let old = sample(30);
    assert!(
        Routed::parse(&old)
            .unwrap()
            .message
            .unwrap()
            .migrate_to_chat_id
            .is_some()
    );
    let new = sample(31);
    assert!(
        Routed::parse(&new)
            .unwrap()
            .message
            .unwrap()
            .migrate_from_chat_id
            .is_some()
    );
}

#[test]
fn lifetimes() {
    let secs = |json: &str| Routed::parse(json).unwrap().kind.ttl().as_secs();
    assert_eq!(
        secs(r#"{"update_id":1,"callback_query":{"id":"1","from":{"id":1,"first_name":"A"}}}"#),
        150
    );
    assert_eq!(
        secs(r#"{"update_id":1,"inline_query":{"id":"1","from":{"id":1,"first_name":"A"}}}"#),
        30
    );
    assert_eq!(secs(r#"{"update_id":1,"from_the_future":{}}"#), 86_400);
}

#[test]
fn kinds_and_fields_of_the_future() {
    let json = r#"{"update_id":7,"moon_landing":{"chat":{"id":-5,"type":"crater","new":1},"from":{"id":9,"first_name":"B"}},"x":1}"#;
    let update = Routed::parse(json).unwrap();
    assert_eq!(update.kind, Kind::Unknown(Text(Cow::Borrowed("moon_landing"))));
    assert_eq!(update.chat_key(), "-5");
    for (payload, key) in [
        (r#"{"chat":"a text now","from":[]}"#, "-"),
        (r#"{"user":{"id":3,"first_name":"C"}}"#, "u:3"),
        (
            r#"{"message":{"message_id":1,"chat":{"id":4,"type":"private"}}}"#,
            "4",
        ),
        ("17", "-"),
    ] {
        let json = format!(r#"{{"moon_landing":{payload},"update_id":7}}"#);
        assert_eq!(Routed::parse(&json).unwrap().chat_key(), key, "{payload}");
    }
    assert_eq!(Routed::parse(r#"{"update_id":8}"#).unwrap().chat_key(), "-");
    let known = r#"{"update_id":1,"message":{"message_id":1,"chat":{"id":2,"type":"private","zone":{}},"date":3,"moon":[]}}"#;
    assert_eq!(Routed::parse(known).unwrap().chat_key(), "2");
}

#[test]
fn poll_ids_make_clean_keys() {
    let key = |id: &str| {
        let json = format!(
            r#"{{"update_id":1,"poll":{{"id":{}}}}}"#,
            serde_json::to_string(id).unwrap()
        );
        Routed::parse(&json).unwrap().chat_key()
    };
    assert_eq!(key("5881234500011122233"), "p:5881234500011122233");
    assert_eq!(key("a b"), "-");
    assert_eq!(key(&"9".repeat(61)), "-");
}

#[test]
fn what_is_no_update() {
    for json in [
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"x\"",
        r#"{"update_id":"1"}"#,
        r#"{"update_id":1,"message":[]}"#,
    ] {
        assert!(
            matches!(Routed::parse(json), Err(ParseError::Malformed(_))),
            "{json}"
        );
    }
    assert_eq!(Routed::parse(r#"{"message":{}}"#), Err(ParseError::NoUpdateId));
    let deep = format!(
        r#"{{"update_id":1,"message":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(Routed::parse(&deep).is_err());
}

proptest! {
    /// No input breaks the reader, and every key is one that fits a chat id column.
    #[test]
    fn any_text(text in r#"(\{|\}|\[|\]|"|:|,|update_id|message|chat|id|from|poll|[0-9]|\PC){0,60}"#) {
        if let Ok(update) = Routed::parse(&text) {
            let key = update.chat_key();
            prop_assert!(key.len() <= 64 && key.bytes().all(|b| b.is_ascii_graphic()));
        }
    }

    /// A cut sample is an error, never a panic.
    #[test]
    fn cut_samples(number in 1_usize..=80, cut in any::<proptest::sample::Index>()) {
        let json = sample(number);
        let at = cut.index(json.trim_end().len());
        if json.is_char_boundary(at) {
            prop_assert!(Routed::parse(&json[..at]).is_err());
        }
    }
}
