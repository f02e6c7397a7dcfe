//! The published schema is the types' schema.

use botloom_spec::{Severity, check};
use serde_json::json;

use crate::support::{minimal, path};

/// `BOTLOOM_REGEN=1` writes the file; otherwise a difference fails.
#[test]
fn the_committed_schema_is_the_one_of_the_types() {
    let mut text = serde_json::to_string_pretty(&botloom_spec::generate_schema()).unwrap();
    text.push('\n');
    if std::env::var_os("BOTLOOM_REGEN").is_some() {
        std::fs::write(path("schema/botspec.v1.json"), &text).unwrap();
    } else {
        assert!(
            text == botloom_spec::schema_json(),
            "run with BOTLOOM_REGEN=1 to write schema/botspec.v1.json"
        );
    }
}

#[test]
fn the_schema_is_valid() {
    let schema = serde_json::from_str(botloom_spec::schema_json()).unwrap();
    assert!(jsonschema::draft202012::meta::validate(&schema).is_ok());
}

/// Whatever is wrong in a step, a text or a condition is told for the form that was meant.
#[test]
fn mistakes_in_unions_are_told_as_themselves() {
    for (steps, expected) in [
        (
            json!([{"id": "a", "type": "replay", "text": "x"}]),
            vec![("unknown-value", "/flows/0/steps/0/type")],
        ),
        (
            json!([{"id": "a", "text": "x"}]),
            vec![("missing-field", "/flows/0/steps/0")],
        ),
        (json!(["reply"]), vec![("wrong-type", "/flows/0/steps/0")]),
        (
            json!([{"id": "a", "type": "reply", "text": 5, "txt": "x"}]),
            vec![
                ("wrong-type", "/flows/0/steps/0/text"),
                ("unknown-field", "/flows/0/steps/0/txt"),
            ],
        ),
        (
            json!([{"id": "a", "type": "reply", "text": {"kye": "x"}}]),
            vec![
                ("missing-field", "/flows/0/steps/0/text"),
                ("unknown-field", "/flows/0/steps/0/text/kye"),
            ],
        ),
        (
            json!([{"id": "a", "type": "goto", "step": "a", "when": {"any": [{"path": "context.input", "op": "is"}]}}]),
            vec![("unknown-value", "/flows/0/steps/0/when/any/0/op")],
        ),
        (
            json!([{"id": "a", "type": "goto", "step": "a", "when": {"all": [], "any": []}}]),
            vec![("unknown-field", "/flows/0/steps/0/when/any")],
        ),
        (
            json!([{"id": "a", "type": "goto"}]),
            vec![("at-least-one", "/flows/0/steps/0")],
        ),
        (
            json!([{"id": "a", "type": "validate", "onFail": {"text": "x"}}]),
            vec![("exactly-one", "/flows/0/steps/0")],
        ),
        (
            json!([{"id": "a", "type": "validate", "regex": "a", "schema": {}, "onFail": {"text": "x"}}]),
            vec![("exactly-one", "/flows/0/steps/0")],
        ),
        (
            json!([{"id": "a", "type": "reply", "text": "x", "media": null}]),
            vec![("wrong-type", "/flows/0/steps/0/media")],
        ),
    ] {
        let mut spec = minimal();
        spec["flows"][0]["steps"] = steps.clone();
        let found = check(spec.to_string().as_bytes()).findings;
        let errors: Vec<_> = found
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .map(|finding| (finding.code.as_str(), finding.pointer.as_str()))
            .collect();
        assert_eq!(errors, expected, "{steps}");
    }
}
