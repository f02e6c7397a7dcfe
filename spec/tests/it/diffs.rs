//! What changed between two specs.

use botloom_spec::{Change, Diff, PatchOp, diff};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{accepted, minimal, pizza, read};

fn compare(from: &Value, to: &Value) -> Diff {
    diff(&accepted(&from.to_string()).spec, &accepted(&to.to_string()).spec)
}

/// RFC 6902, as far as the patches go.
fn apply(document: &mut Value, patch: &[PatchOp]) {
    for op in patch {
        let (path, value) = match op {
            PatchOp::Add { path, value } | PatchOp::Replace { path, value } => (path, Some(value)),
            PatchOp::Remove { path } => (path, None),
        };
        let (parent, name) = path.rsplit_once('/').expect("the root is never replaced");
        let name = name.replace("~1", "/").replace("~0", "~");
        match (document.pointer_mut(parent).expect(path), op, value) {
            (Value::Object(members), PatchOp::Add { .. }, Some(value)) => {
                assert!(members.insert(name, value.clone()).is_none(), "{path}");
            }
            (Value::Object(members), PatchOp::Replace { .. }, Some(value)) => {
                assert!(members.insert(name, value.clone()).is_some(), "{path}");
            }
            (Value::Object(members), ..) => assert!(members.remove(&name).is_some(), "{path}"),
            (Value::Array(items), PatchOp::Add { .. }, Some(value)) => {
                items.insert(name.parse().unwrap(), value.clone());
            }
            (Value::Array(items), PatchOp::Replace { .. }, Some(value)) => {
                items[name.parse::<usize>().unwrap()] = value.clone();
            }
            (Value::Array(items), ..) => {
                items.remove(name.parse().unwrap());
            }
            (other, ..) => panic!("{path} in {other}"),
        }
    }
}

fn assert_patches(from: &Value, to: &Value) -> Diff {
    let diff = compare(from, to);
    let normal = |value: &Value| serde_json::to_value(accepted(&value.to_string()).spec).unwrap();
    let (mut patched, to) = (normal(from), normal(to));
    apply(&mut patched, &diff.patch);
    assert_eq!(patched, to);
    assert_eq!(diff.changes.is_empty(), diff.patch.is_empty(), "{diff:?}");
    // Nothing changes unsaid: every section that is patched has a sentence.
    for op in &diff.patch {
        let (PatchOp::Add { path, .. } | PatchOp::Replace { path, .. } | PatchOp::Remove { path }) = op;
        let section = format!("/{}", path.split('/').nth(1).unwrap());
        let said = diff
            .changes
            .iter()
            .any(|change| change.pointer.starts_with(&section));
        assert!(said, "nothing is said about {path}: {diff:?}");
    }
    // A sentence points at something, in the second spec or in the first.
    let from = normal(from);
    for Change { pointer, message } in &diff.changes {
        assert!(
            to.pointer(pointer).or_else(|| from.pointer(pointer)).is_some(),
            "{pointer}: {message}"
        );
    }
    diff
}

#[test]
fn changes_in_words() {
    let from = pizza();
    let mut to = from.clone();
    let flows = to["flows"].as_array_mut().unwrap();
    let steps = flows[3]["steps"].as_array_mut().unwrap();
    steps[0]["quickReplies"][1]["text"] = json!("45");
    steps[6]["timeoutMs"] = json!(1000);
    steps.insert(1, json!({"id": "note", "type": "reply", "text": "One moment"}));
    to["localization"]["en"]["hello"] = json!("Hi!");
    to["state"]["keys"]["size"]
        .as_object_mut()
        .unwrap()
        .remove("ttlSec");
    to["commands"].as_array_mut().unwrap().swap(1, 2);
    to["intents"].as_array_mut().unwrap().remove(1);
    to["meta"]["locales"] = json!(["en", "ru", "de"]);
    let diff = assert_patches(&from, &to);
    insta::assert_snapshot!(words(&diff));
    insta::assert_json_snapshot!(diff.patch);
}

fn words(diff: &Diff) -> String {
    let lines: Vec<_> = diff
        .changes
        .iter()
        .map(|change| format!("{}: {}", change.pointer, change.message))
        .collect();
    lines.join("\n")
}

/// Every section, and everything that can happen in it.
#[test]
fn every_section_has_words_of_its_own() {
    let from = pizza();
    let mut to = from.clone();
    to["meta"]["name"] = json!("Pizza & Pasta");
    to["meta"]["timezone"] = json!("Europe/Berlin");
    to["meta"]["defaultLocale"] = json!("ru");
    to["meta"]["retention"]["stateDays"] = json!(7);
    to["commands"][0]["flow"] = json!("order");
    to["commands"][1]["description"] = json!({"key": "hello"});
    to["intents"][0]["keywords"]["en"] = json!(["calzone"]);
    to["intents"][0]["priority"] = json!(77);
    let flows = to["flows"].as_array_mut().unwrap();
    flows.push(json!({"id": "bye", "steps": [{"id": "a", "type": "reply", "text": "Bye"}]}));
    to["commands"]
        .as_array_mut()
        .unwrap()
        .push(json!({"command": "/bye", "flow": "bye"}));
    let steps = to["flows"][3]["steps"].as_array_mut().unwrap();
    let last = steps.pop().unwrap();
    steps.insert(1, last);
    steps[2] = json!({"id": steps[2]["id"], "type": "reply", "text": "Now a reply"});
    to["state"]["keys"]["note"] = json!({"type": "string", "maxBytes": 100});
    to["state"]["keys"]["size"]["pii"] = json!(true);
    to["state"]["maxKB"] = json!(32);
    to["localization"]["en"]["bye"] = json!("Bye!");
    to["localization"]["ru"]["bye"] = json!("Пока!");
    to["localization"]["ru"]["hello"] = json!("Привет!");
    to["localization"]["ru"]["party"] = json!("Вечеринка?");
    to["telemetry"]["events"] = json!(["flow_completed"]);
    to["security"]["allowDomains"]
        .as_array_mut()
        .unwrap()
        .push(json!("*.example.org"));
    to["security"]["maxApiResponseKB"] = json!(8);
    insta::assert_snapshot!(words(&assert_patches(&from, &to)));
    insta::assert_snapshot!(words(&assert_patches(&to, &from)));
}

#[test]
fn equal_specs_have_no_changes() {
    let mut spelled = minimal();
    spelled["meta"]["timezone"] = json!("UTC");
    assert_eq!(compare(&minimal(), &spelled), Diff::default());
}

/// A large list is compared in bounded time, and still exactly.
#[test]
fn long_lists_are_patched() {
    let body = |shift: usize| {
        let mut spec = minimal();
        let numbers: Vec<usize> = (shift..shift + 3000).map(|n| n * 7919 % 3001).collect();
        spec["flows"][0]["steps"] = json!([{"id": "s", "type": "save", "key": "a", "value": numbers}]);
        spec["state"] = json!({"keys": {"a": {"type": "array"}}});
        spec
    };
    assert_patches(&body(0), &body(1500));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_patch_makes_the_second_of_the_first(
        seeds in prop::collection::vec((0_usize..1000, 0_usize..11), 0..12),
        start in prop::sample::select(vec!["pizza-demo", "weather", "quiz-night", "gallery"]),
    ) {
        let from = read(&format!("examples/{start}/spec.json"));
        let mut to = from.clone();
        for (seed, kind) in seeds {
            change(&mut to, seed, kind);
        }
        assert_patches(&from, &to);
    }
}

/// A change that keeps a spec good.
fn change(spec: &mut Value, seed: usize, kind: usize) {
    let flows = spec["flows"].as_array_mut().unwrap();
    let flow = seed % flows.len();
    let steps = flows[flow]["steps"].as_array_mut().unwrap();
    let at = seed % (steps.len() + 1);
    match kind {
        0 if steps.len() < 50 => steps.insert(
            at,
            json!({"id": format!("n{}-{seed}", steps.len()), "type": "reply", "text": "new"}),
        ),
        1 => {
            if let Some(step) = steps.get_mut(at).filter(|step| step["type"] == "reply") {
                step["text"] = json!(format!("text {seed}"));
            }
        }
        2 => steps.retain(|step| step["text"] != "new"),
        3 => {
            if let Some(step) = steps.get_mut(at).filter(|step| step["type"] == "reply") {
                step["quickReplies"] = json!([{"text": format!("{seed}")}, {"text": "b", "value": "c/d~e"}]);
            }
        }
        4 => flows.rotate_left(1),
        5 => spec["meta"]["name"] = json!(format!("Name {seed}")),
        6 => {
            let last_reply = steps.iter().rposition(|step| step["type"] == "reply");
            if let Some(step) = last_reply.map(|index| steps.remove(index)) {
                steps.insert(at.min(steps.len()), step);
            }
        }
        7 => spec["commands"].as_array_mut().unwrap().rotate_right(1),
        8 => {
            let locale = spec["meta"]["defaultLocale"].as_str().unwrap().to_owned();
            spec["localization"][locale][format!("added/{}~", seed % 3)] = json!(format!("text {seed}"));
        }
        9 => spec["state"]["keys"][format!("k{}", seed % 3)] = json!({"type": "number", "ttlSec": seed + 1}),
        10 => {
            let events = &["flow_started", "api_ok"][..seed % 3];
            spec["telemetry"] = json!({"events": events});
        }
        _ => {}
    }
    // Ids stay unique.
    for flow in spec["flows"].as_array_mut().unwrap() {
        let mut seen = std::collections::HashSet::new();
        flow["steps"]
            .as_array_mut()
            .unwrap()
            .retain(|step| seen.insert(step["id"].as_str().unwrap().to_owned()));
    }
}
