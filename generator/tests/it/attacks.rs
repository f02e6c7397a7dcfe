//! Every file of `tests/attacks` is refused, by the rule its `// rule:` line names. A new file is a new test.

use std::fs;

use botloom_spec::model::BotSpec;
use serde_json::json;

use crate::support::{here, spec};

/// A bot with every step kind, so that its program carries the whole SDK.
fn example() -> BotSpec {
    let steps = json!([
        {"id": "a", "type": "reply", "text": "x"}, {"id": "b", "type": "ask", "text": "x"},
        {"id": "c", "type": "validate", "regex": "x", "onFail": {"text": "x"}}, {"id": "d", "type": "save", "key": "k"},
        {"id": "e", "type": "apiCall", "method": "GET", "url": "https://api.example.org/"},
        {"id": "f", "type": "goto", "step": "a"},
    ]);
    spec(json!([{"id": "main", "steps": steps}]), json!({}))
}

#[test]
fn every_attack_is_refused_by_the_rule_it_names() {
    let allowed = ["api.example.org".to_owned()];
    let program = botloom_generator::compile(&example());
    let sdk = &program[program.find("\n// --- sdk: ").unwrap()..];
    let mut seen = 0;
    let mut passed = Vec::new();
    for entry in fs::read_dir(here().join("tests/attacks")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = fs::read_to_string(&path).unwrap();
        let rule = source
            .lines()
            .find_map(|line| line.strip_prefix("// rule: "))
            .expect(&name);
        let sdk = if source.contains("\n// with the sdk\n") {
            sdk
        } else {
            ""
        };
        seen += 1;
        let violations = botloom_generator::filter(&format!("{source}{sdk}"), &allowed)
            .err()
            .unwrap_or_default();
        if !violations.iter().any(|violation| violation.rule == rule) {
            passed.push(format!("{name} wants {rule}: {violations:?}"));
        }
    }
    assert!(seen >= 60, "{seen} attacks");
    assert!(
        passed.is_empty(),
        "{} of {seen}:\n{}",
        passed.len(),
        passed.join("\n")
    );
}
