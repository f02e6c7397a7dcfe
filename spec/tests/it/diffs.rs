//! What changed between two specs.

use botloom_spec::{Diff, PatchOp, diff};
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
    let mut patched = normal(from);
    apply(&mut patched, &diff.patch);
    assert_eq!(patched, normal(to));
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
    let words: Vec<_> = diff
        .changes
        .iter()
        .map(|change| format!("{}: {}", change.pointer, change.message))
        .collect();
    insta::assert_snapshot!(words.join("\n"));
    insta::assert_json_snapshot!(diff.patch);
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
        seeds in prop::collection::vec((0_usize..1000, 0_usize..6), 0..12),
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
