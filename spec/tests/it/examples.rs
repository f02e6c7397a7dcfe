//! The example bots are good, and show every step kind.

use std::collections::BTreeSet;

use botloom_spec::script::{Entry, Script};
use botloom_spec::step::KINDS;
use botloom_spec::{check, json};
use serde_json::Value;

use crate::support::{accepted, path, read};

fn bots() -> Vec<String> {
    let folders = std::fs::read_dir(path("examples")).unwrap().map(Result::unwrap);
    let mut bots: Vec<String> = folders
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    bots.sort();
    bots
}

#[test]
fn every_example_is_accepted_without_a_warning() {
    let mut kinds = BTreeSet::new();
    let bots = bots();
    assert!(bots.len() >= 5);
    for bot in bots {
        let text = std::fs::read_to_string(path(&format!("examples/{bot}/spec.json"))).unwrap();
        let checked = check(text.as_bytes());
        let warnings: Vec<_> = checked
            .findings
            .iter()
            .map(|found| (found.code.as_str(), found.pointer.as_str()))
            .collect();
        // The pizza bot lacks one Russian text on purpose.
        let expected: &[_] = if bot == "pizza-demo" {
            &[("untranslated-text", "/flows/3/steps/8/text/key")]
        } else {
            &[]
        };
        assert_eq!(warnings, expected, "{bot}");
        let spec = accepted(&text).spec;
        assert_eq!(spec.meta.bot_id, bot);
        kinds.extend(
            spec.flows
                .iter()
                .flat_map(|flow| &flow.steps)
                .map(botloom_spec::step::Step::kind),
        );
    }
    assert_eq!(kinds, KINDS.into_iter().collect());
}

#[test]
fn every_example_has_a_conversation() {
    for bot in bots() {
        let value = read(&format!("examples/{bot}/chat.json"));
        let script: Script =
            serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{bot}: {error}"));
        assert_eq!(script.bot, bot);
        assert!(
            script
                .script
                .iter()
                .any(|entry| matches!(entry, Entry::Expect(list) if !list.is_empty())),
            "{bot}"
        );
        assert!(
            !matches!(script.script.last(), Some(Entry::Send { .. })),
            "{bot}: the last message must be judged"
        );
        // Absent optional fields aside, a script says what was written.
        let again: Script = serde_json::from_value(serde_json::to_value(&script).unwrap()).unwrap();
        assert_eq!(again, script);
    }
}

#[test]
fn an_entry_is_one_thing() {
    for wrong in [
        r#"{"bot":"b","script":[{"send":"a","wait":1}]}"#,
        r#"{"bot":"b","script":[{}]}"#,
        r#"{"bot":"b","script":[{"say":"a"}]}"#,
        r#"{"bot":"b","script":[{"expect":[{"txt":"a"}]}]}"#,
    ] {
        assert!(serde_json::from_str::<Script>(wrong).is_err(), "{wrong}");
    }
}

/// Every field of the format stands in some example (placeholders and all): a parity test of examples and schema.
#[test]
fn the_examples_use_the_fields_of_steps() {
    let mut used = BTreeSet::new();
    for bot in bots() {
        let spec = read(&format!("examples/{bot}/spec.json"));
        for step in spec["flows"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|flow| flow["steps"].as_array().unwrap())
        {
            let kind = step["type"].as_str().unwrap();
            used.extend(
                step.as_object()
                    .unwrap()
                    .keys()
                    .map(|field| format!("{kind}.{field}")),
            );
        }
    }
    let schema: Value = serde_json::from_str(botloom_spec::schema_json()).unwrap();
    for kind in KINDS {
        let mut name = kind.to_owned();
        name[..1].make_ascii_uppercase();
        for field in schema["$defs"][&name]["properties"].as_object().unwrap().keys() {
            assert!(
                used.contains(&format!("{kind}.{field}")),
                "no example uses {kind}.{field}"
            );
        }
    }
}

#[test]
fn canonical_json_of_an_example_is_accepted_as_itself() {
    for bot in bots() {
        let text = std::fs::read_to_string(path(&format!("examples/{bot}/spec.json"))).unwrap();
        let first = accepted(&text);
        assert_eq!(accepted(&first.canonical), first, "{bot}");
        let value: Value = serde_json::from_str(&first.canonical).unwrap();
        assert_eq!(json::canonical(&value), first.canonical);
    }
}
