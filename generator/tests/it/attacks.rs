//! Every file of `tests/attacks` is refused, by the rule its `// rule:` line names. A new file is a new test.

use std::fs;

use crate::support::here;

#[test]
fn every_attack_is_refused_by_the_rule_it_names() {
    let allowed = ["api.example.org".to_owned()];
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
        seen += 1;
        let violations = botloom_generator::filter(&source, &allowed)
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
