//! What the filter reports, and what it lets pass.

use std::fmt::Write as _;

use botloom_generator::filter;

fn rules(source: &str) -> Vec<String> {
    let violations = filter(source, &[]).err().unwrap_or_default();
    violations
        .iter()
        .map(|v| format!("{} {}:{}", v.rule, v.line, v.column))
        .collect()
}

#[test]
fn harmless_programs_pass() {
    let source = r#"
const greeting = "hello";
const limits = -1;

function answer(event) {
  const words = event.text.split(" ");
  let longest = "";
  for (const part of ["a", "b"]) {
    if (words.includes(part)) longest = part;
  }
  for (let i = 0; i < 10; i += 1) {
    longest += words[0] ?? "";
  }
  switch (longest) {
    case "a":
      return { text: "https://example.org/ is only text" };
    default:
      return { text: longest.trim() === "" ? greeting : longest };
  }
}

export function handle({ event, state }) {
  const reply = answer(event);
  return { state: state ?? null, actions: [{ method: "sendMessage", params: reply }], telemetry: [] };
}
"#;
    assert_eq!(rules(source), [""; 0]);
}

#[test]
fn a_violation_has_its_place_in_code_points() {
    assert_eq!(
        rules("export function handle(input) {\n  return [\"🍕\", eval(input)];\n}\n"),
        ["global 2:16"]
    );
}

#[test]
fn all_violations_are_reported_and_no_flood_of_them() {
    let mut source =
        "export function handle(input) {\n  eval(1);\n  while (true) {}\n  return input.constructor;\n}\n"
            .to_owned();
    assert_eq!(rules(&source), ["global 2:3", "loop 3:3", "member-name 4:16"]);
    for _ in 0..200 {
        source.push_str("eval(1);\n");
    }
    assert_eq!(rules(&source).len(), 100);
}

#[test]
fn programs_that_are_too_large_are_not_read() {
    let mut source = "export function handle(input) {\n  return null;\n}\n".to_owned();
    while source.len() <= 512 * 1024 {
        let _ = writeln!(source, "// {}", "x".repeat(4096));
    }
    assert_eq!(rules(&source), ["too-large 1:1"]);
}

#[test]
fn nesting_just_within_the_limit_is_read() {
    let nested = |n: usize| {
        format!(
            "export function handle(input) {{\n  return {}1{};\n}}\n",
            "[".repeat(n),
            "]".repeat(n)
        )
    };
    assert_eq!(rules(&nested(98)), [""; 0]);
    assert_eq!(rules(&nested(99)).len(), 1);
    let chained = |n: usize| {
        format!(
            "export function handle(input) {{\n  return {}1;\n}}\n",
            "!".repeat(n)
        )
    };
    assert_eq!(rules(&chained(590)), [""; 0]);
}

#[test]
fn a_section_of_the_sdk_is_recognised_only_at_the_top_level_and_whole() {
    let spec = crate::support::spec(
        serde_json::json!([{"id": "main", "steps": []}]),
        serde_json::json!({}),
    );
    let program = botloom_generator::compile(&spec);
    assert!(filter(&program, &[]).is_ok());
    let marker = program.find("// --- sdk: ").unwrap();
    for (what, changed) in [
        (
            "in a block",
            format!("{}\nif (1) {{\n{}}}\n", &program[..marker], &program[marker..]),
        ),
        (
            "as the rest of an expression",
            format!("{}const x = 1 +\n{}", &program[..marker], &program[marker..]),
        ),
        (
            "in a comment",
            format!("{}/*\n{}*/", &program[..marker], &program[marker..]),
        ),
        ("changed", program.replace("Object.hasOwn(table, name) ?", "")),
        (
            "with code after it",
            format!("{program}\nfunction spin() {{\n  for (;;) {{}}\n}}\n"),
        ),
    ] {
        assert!(filter(&changed, &[]).is_err(), "{what}");
    }
}
