//! Every code has a page and a document that it is found in.

use std::fmt::Write as _;

use botloom_spec::{Code, Severity, check};
use serde_json::{Value, json};

use crate::support::{minimal, path};

/// The failing document of a code: a file, or made here where the file would be large.
fn document(code: Code) -> Vec<u8> {
    let mut spec = minimal();
    match code {
        Code::SpecTooLarge => return vec![b' '; 512 * 1024 + 1],
        Code::TooManyFindings => {
            let events: Vec<Value> = (0..2000)
                .map(|n| json!({"command": format!("/c{n}"), "flow": "none"}))
                .collect();
            spec["commands"] = Value::Array(events);
        }
        Code::LongChain => {
            let flow = |n: usize| {
                let mut steps: Vec<Value> = (0..49)
                    .map(|step| json!({"id": format!("s{step}"), "type": "reply", "text": "x"}))
                    .collect();
                steps.push(json!({"id": "next", "type": "goto", "flow": format!("f{}", n + 1)}));
                json!({"id": format!("f{n}"), "steps": steps})
            };
            let mut flows: Vec<Value> = (0..4).map(flow).collect();
            flows.push(json!({"id": "f4", "steps": [{"id": "end", "type": "reply", "text": "x"}]}));
            spec["flows"] = Value::Array(flows);
            spec["commands"] =
                json!([{"command": "/start", "flow": "f0"}, {"command": "/help", "flow": "f4"}]);
        }
        Code::PatternBudget => {
            let step = |flow: usize, n: usize| {
                let regex = format!("^\\w{{{}}}$", n + flow * 50 + 1);
                json!({"id": format!("v{n}"), "type": "validate", "regex": regex, "onFail": {"text": "x"}})
            };
            let flow = |flow: usize| {
                let mut steps = vec![json!({"id": "q", "type": "ask", "text": "x"})];
                steps.extend((0..49).map(|n| step(flow, n)));
                json!({"id": format!("f{flow}"), "steps": steps})
            };
            spec["flows"] = (0..3).map(flow).collect();
        }
        // Only a disagreement of types and schema is reported so; the reader of parts has a test for it.
        Code::InvalidValue => return b"[]".to_vec(),
        _ => {
            let file = path(&format!("tests/invalid/{code}.json"));
            return std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        }
    }
    spec.to_string().into_bytes()
}

#[test]
fn every_code_is_found() {
    let mut listing = String::new();
    for code in Code::ALL {
        let checked = check(&document(*code));
        let found: Vec<_> = checked
            .findings
            .iter()
            .filter(|finding| finding.code == *code)
            .collect();
        if *code == Code::InvalidValue {
            assert!(found.is_empty(), "the schema covers what the types refuse");
            continue;
        }
        assert!(!found.is_empty(), "{code}: {:#?}", checked.findings);
        assert_eq!(
            checked.spec.is_some(),
            code.severity() == Severity::Warning && !found_error(&checked),
            "{code}"
        );
        for finding in found.iter().take(2) {
            let hint = finding
                .hint
                .as_deref()
                .map(|hint| format!(" [{hint}]"))
                .unwrap_or_default();
            writeln!(
                listing,
                "{code} {:?} {}: {}{hint}",
                finding.severity, finding.pointer, finding.message
            )
            .unwrap();
        }
    }
    insta::assert_snapshot!(listing);
}

fn found_error(checked: &botloom_spec::Checked) -> bool {
    checked
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
}

/// A document made to show one fault shows no other: the rules do not report each other's faults.
#[test]
fn a_fault_is_reported_once() {
    for code in Code::ALL {
        let file = path(&format!("tests/invalid/{code}.json"));
        let Ok(document) = std::fs::read(&file) else {
            continue;
        };
        let others: Vec<_> = check(&document)
            .findings
            .into_iter()
            .filter(|finding| finding.code != *code && finding.severity == Severity::Error)
            .collect();
        assert!(others.is_empty(), "{code}: {others:#?}");
    }
}

#[test]
fn every_code_has_a_page() {
    let pages = path("../docs/errors");
    for code in Code::ALL {
        let page = pages.join(format!("{code}.md"));
        let text =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(text.starts_with(&format!("# {code}\n")), "{}", page.display());
        assert!(text.contains(code.meaning()), "{}", page.display());
        assert!(text.contains("**What to do.**"), "{}", page.display());
    }
}
