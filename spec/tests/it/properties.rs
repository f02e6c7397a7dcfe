//! What holds for every document.

use botloom_spec::{Severity, accept, check, json};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::support::{accepted, found, object_pointers, pizza, read};

/// Any JSON, with names that the format knows among others.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        prop::sample::select(vec![
            "meta",
            "flows",
            "steps",
            "id",
            "type",
            "text",
            "key",
            "when",
            "all",
            "any",
            "not",
            "path",
            "op",
            "value",
            "commands",
            "state",
            "keys",
            "localization",
            "security",
            "allowDomains",
            "intents",
            "keywords",
            "telemetry",
            "events",
            "schema",
            "regex",
            "onFail",
            "goto",
            "url",
            "map",
            "quickReplies",
            "$ref",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        name.clone().prop_map(Value::from),
        prop::sample::select(vec![
            "{{state.a}}",
            "{{",
            "#/$defs/a",
            "#",
            "(",
            "https://",
            "*.",
            "~",
            "reply",
            "goto",
            "validate"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An example with some of its values replaced by others, of the same document or not.
fn mutated() -> impl Strategy<Value = Value> {
    let bots = vec![
        "pizza-demo",
        "weather",
        "quiz-night",
        "gallery",
        "appointments",
        "support-desk",
    ];
    (
        prop::sample::select(bots),
        prop::collection::vec((any::<prop::sample::Index>(), any_json(), 0_u8..4), 1..6),
    )
        .prop_map(|(bot, changes)| {
            let mut spec = read(&format!("examples/{bot}/spec.json"));
            for (index, value, how) in changes {
                let pointers = pointers(&spec);
                let pointer = &pointers[index.index(pointers.len())];
                let donor = spec
                    .pointer(&pointers[index.index(pointers.len() / 2 + 1)])
                    .cloned();
                let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", ""));
                match (how, spec.pointer_mut(parent)) {
                    (0, Some(Value::Object(members))) => drop(members.remove(name)),
                    (1, Some(Value::Object(members))) => drop(members.insert("extra".to_owned(), value)),
                    (2, _) => {
                        if let (Some(place), Some(donor)) = (spec.pointer_mut(pointer), donor) {
                            *place = donor;
                        }
                    }
                    _ => {
                        if let Some(place) = spec.pointer_mut(pointer) {
                            *place = value;
                        }
                    }
                }
            }
            spec
        })
}

fn pointers(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, out: &mut Vec<String>) {
        out.push(at.to_owned());
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    walk(member, &botloom_spec::pointer::join(at, name), out);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &botloom_spec::pointer::index(at, index), out);
                }
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(value, "", &mut out);
    out
}

/// The same document with its members in another order.
fn reordered(value: &Value, turn: usize) -> Value {
    match value {
        Value::Object(members) => {
            let mut list: Vec<_> = members.iter().collect();
            let length = list.len().max(1);
            list.rotate_left(turn % length);
            if turn % 2 == 1 {
                list.reverse();
            }
            Value::Object(
                list.into_iter()
                    .map(|(name, member)| (name.clone(), reordered(member, turn)))
                    .collect::<Map<_, _>>(),
            )
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| reordered(item, turn)).collect()),
        other => other.clone(),
    }
}

/// The same document with every character of its strings escaped, and integers with an exponent.
fn spelled(value: &Value) -> String {
    let quote = |text: &str| {
        let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{}\"", units.concat())
    };
    match value {
        Value::String(text) => quote(text),
        Value::Number(number) if number.is_i64() => format!("{number}.0E+0"),
        Value::Array(items) => format!(
            "[ {} ]",
            items.iter().map(spelled).collect::<Vec<_>>().join(" ,\n")
        ),
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, member)| format!("{}\t:{}", quote(name), spelled(member)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        other => other.to_string(),
    }
}

/// What holds of every outcome.
fn assert_sound(document: &[u8]) {
    let checked = check(document);
    let refused = checked
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    assert_eq!(checked.spec.is_none(), refused);
    let value: Option<Value> = serde_json::from_slice(document).ok();
    for finding in &checked.findings {
        assert!(
            botloom_spec::pointer::is_valid(&finding.pointer),
            "{}",
            finding.pointer
        );
        assert!(finding.message.len() < 2000);
        assert_ne!(
            finding.code,
            botloom_spec::Code::InvalidValue,
            "types and schema disagree: {finding:?}"
        );
        // A pointer leads somewhere, or to a member that is not there (a section that is missing).
        if let Some(value) = &value {
            let parent = finding.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            assert!(value.pointer(parent).is_some(), "{finding:?}");
        }
    }
    if let Some(accepted) = checked.spec {
        let again = check(accepted.canonical.as_bytes())
            .spec
            .expect("the canonical form is accepted");
        assert_eq!(again, accepted);
        assert_eq!(accept(accepted.spec.clone()), accepted);
    }
    assert_eq!(check(document).findings, checked.findings, "the same every time");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_sound(&bytes);
    }

    #[test]
    fn any_json_is_judged(value in any_json()) {
        assert_sound(value.to_string().as_bytes());
    }

    #[test]
    fn changed_examples_are_judged(value in mutated()) {
        assert_sound(value.to_string().as_bytes());
    }

    #[test]
    fn an_unknown_field_hides_nothing_in_changed_examples(value in mutated(), index in any::<prop::sample::Index>()) {
        let mut objects = Vec::new();
        object_pointers(&value, "", &mut objects);
        prop_assume!(!objects.is_empty());
        let at = &objects[index.index(objects.len())];
        let mut more = value.clone();
        more.pointer_mut(at).unwrap()["unheardOf"] = Value::Bool(true);
        let after = found(&more);
        // Two equal objects of a list are no longer equal.
        let hidden: Vec<_> = found(&value)
            .into_iter()
            .filter(|finding| finding.0 != "duplicate-item" && !after.contains(finding))
            .collect();
        prop_assert!(hidden.is_empty(), "{}: {:#?}", at, hidden);
    }

    #[test]
    fn cut_and_spliced_examples_are_judged(cut in any::<prop::sample::Index>(), insert in any::<Vec<u8>>()) {
        let mut text = pizza().to_string().into_bytes();
        let at = cut.index(text.len());
        text.splice(at..at, insert);
        assert_sound(&text);
        text.truncate(at);
        assert_sound(&text);
    }

    #[test]
    fn the_hash_knows_no_order_and_no_spelling(turn in 0_usize..50, bot in prop::sample::select(vec!["pizza-demo", "weather", "appointments"])) {
        let value = read(&format!("examples/{bot}/spec.json"));
        let plain = accepted(&value.to_string());
        let turned = reordered(&value, turn);
        prop_assert_eq!(&accepted(&turned.to_string()).canonical, &plain.canonical);
        prop_assert_eq!(&accepted(&spelled(&turned)).hash, &plain.hash);
    }

    #[test]
    fn canonical_json_is_a_fixpoint(value in any_json()) {
        let canonical = json::canonical(&value);
        let again: Value = serde_json::from_str(&canonical).unwrap();
        prop_assert_eq!(json::canonical(&again), canonical);
    }

    #[test]
    fn canonical_numbers_read_back(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        prop_assume!(number.is_finite());
        let printed = json::canonical(&Value::from(number));
        let again: f64 = printed.parse().unwrap();
        // Minus zero is zero.
        prop_assert!(again.to_bits() == (number + 0.0).to_bits(), "{}", printed);
    }
}
