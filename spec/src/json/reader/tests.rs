//! What the reader takes and refuses.

use super::*;
use serde_json::json;

fn codes(text: &[u8]) -> Vec<(Code, String)> {
    let mut findings = Findings::default();
    read(text, &mut findings);
    findings
        .finish()
        .into_iter()
        .map(|finding| (finding.code, finding.pointer))
        .collect()
}

fn value(text: &str) -> Value {
    let mut findings = Findings::default();
    let value = read(text.as_bytes(), &mut findings).expect(text);
    assert_eq!(findings.finish(), [], "{text}");
    value
}

#[test]
fn one_value_has_one_reading() {
    assert_eq!(
        value(r#"{"a":[1.0,1e2,-0,-0.0,1.5,"\u0041\/\ud83c\udf55"]}"#),
        json!({"a": [1, 100, 0, 0, 1.5, "A/🍕"]})
    );
    assert_eq!(value(" [ ] "), json!([]));
    assert_eq!(value("9007199254740991"), json!(9_007_199_254_740_991_i64));
    assert_eq!(value("0.1e-400"), json!(0));
}

#[test]
fn syntax_errors_have_a_place() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "[1 2]",
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "tru",
        "'a'",
        "\"a",
        "\"\t\"",
        r#""\x""#,
        r#""\u12g4""#,
        "NaN",
        "[1}",
        "{\"a\" 1}",
        "//x\n1",
        r#""\u12"#,
        "\"\\",
    ] {
        let found = codes(text.as_bytes());
        assert_eq!(found.len(), 1, "{text:?} {found:?}");
        assert_eq!(found[0].0, Code::JsonSyntax, "{text:?}");
    }
    let mut findings = Findings::default();
    read("{\n \"ä\": [true,\n  x]}".as_bytes(), &mut findings);
    let found = findings.finish();
    assert_eq!(found[0].message, "A value was expected at line 3, column 3.");
    assert_eq!(found[0].pointer, "/ä/1");
}

#[test]
fn everything_a_hash_must_not_see() {
    for (text, code, pointer) in [
        (&b"\xef\xbb\xbf{}"[..], Code::ByteOrderMark, ""),
        (b"{} {}", Code::TrailingBytes, ""),
        (b"{\"a\xff\":1}", Code::InvalidUtf8, ""),
        (b"{\x00}", Code::JsonSyntax, ""),
        (br#"{"a":{"b":1,"\u0062":2}}"#, Code::DuplicateKey, "/a/b"),
        (br#"["\ud800"]"#, Code::LoneSurrogate, "/0"),
        (br#"["\udc00x"]"#, Code::LoneSurrogate, "/0"),
        (br#"["\ud800\u0041"]"#, Code::LoneSurrogate, "/0"),
        (br#"["\u0000"]"#, Code::NulCharacter, "/0"),
        (b"[9007199254740992]", Code::NumberOutOfRange, "/0"),
        (b"[-9007199254740993]", Code::NumberOutOfRange, "/0"),
        (b"[1e16]", Code::NumberOutOfRange, "/0"),
        (b"[1e400]", Code::NumberOutOfRange, "/0"),
    ] {
        assert_eq!(codes(text), [(code, pointer.to_owned())], "{text:?}");
    }
}

#[test]
fn faults_that_can_be_passed_are_all_reported() {
    let found = codes(br#"{"a":"\ud800","a":1e99,"b":["\u0000",{"c":1,"c":2}]} x"#);
    let codes: Vec<_> = found.iter().map(|(code, _)| *code).collect();
    use Code::{DuplicateKey, LoneSurrogate, NulCharacter, NumberOutOfRange, TrailingBytes};
    assert_eq!(
        codes,
        [
            TrailingBytes,
            DuplicateKey,
            NumberOutOfRange,
            LoneSurrogate,
            NulCharacter,
            DuplicateKey
        ]
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(codes(nested(64).as_bytes()), []);
    assert_eq!(codes(nested(65).as_bytes())[0].0, Code::JsonTooDeep);
    assert_eq!(codes("[".repeat(500_000).as_bytes())[0].0, Code::JsonTooDeep);
    assert_eq!(
        codes(" ".repeat(limits::SPEC_BYTES + 1).as_bytes())[0].0,
        Code::SpecTooLarge
    );
}
