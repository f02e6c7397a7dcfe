//! What names a revision, and what stands in its passport.

use botloom_core::model::RevJson;
use botloom_core::{BotId, Coded, Sha256Hash, TimestampMs};
use botloom_generator::{BuildError, BuildInputs, COMPILER, build, compile, rev_hash};
use botloom_spec::{Accepted, accept};
use serde_json::json;

fn bot(text: &str) -> Accepted {
    accept(crate::support::spec(
        json!([{"id": "main", "steps": [{"id": "r", "type": "reply", "text": text}]}]),
        json!({"security": {"allowDomains": ["api.example.org"], "maxApiResponseKB": 16}}),
    ))
}

fn inputs() -> BuildInputs {
    BuildInputs {
        model: COMPILER.to_owned(),
        seed: 0,
        bot_id: BotId::new("test-bot").unwrap(),
        spec_version: 3,
        author: Some("ada@example.org".to_owned()),
        built_at: TimestampMs(1_767_268_800_000),
    }
}

#[test]
fn the_name_depends_on_what_decides_the_program_and_on_nothing_else() {
    let first = build(&bot("hi"), &inputs()).unwrap();
    let later = BuildInputs {
        spec_version: 9,
        author: None,
        built_at: TimestampMs(1),
        ..inputs()
    };
    let later = build(&bot("hi"), &later).unwrap();
    assert_eq!(first.rev_hash, later.rev_hash);
    assert_eq!(
        (&first.bot_js, &first.spec_json),
        (&later.bot_js, &later.spec_json)
    );
    assert_ne!(first.rev_json, later.rev_json);
    assert_eq!(first.rev_hash, rev_hash(&bot("hi"), COMPILER, 0));

    let other_seed = build(
        &bot("hi"),
        &BuildInputs {
            seed: u64::MAX,
            ..inputs()
        },
    )
    .unwrap();
    let almost = build(
        &bot("hi"),
        &BuildInputs {
            seed: u64::MAX - 1,
            ..inputs()
        },
    )
    .unwrap();
    let other_text = build(&bot("ho"), &inputs()).unwrap();
    let names = [
        first.rev_hash,
        other_seed.rev_hash,
        almost.rev_hash,
        other_text.rev_hash,
    ];
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name));
    }
}

#[test]
fn the_passport_says_where_a_revision_comes_from() {
    let built = build(&bot("hi"), &inputs()).unwrap();
    assert_eq!(built.bot_js, compile(&bot("hi").spec));
    assert_eq!(built.spec_json, bot("hi").canonical);
    assert_eq!(
        serde_json::from_str::<RevJson>(&built.rev_json).unwrap(),
        built.rev
    );
    assert_eq!(built.digests.bot_js, Sha256Hash::of(&built.bot_js));
    assert_eq!(built.digests.spec_json, Sha256Hash::of(&built.spec_json));
    assert_eq!(built.digests.rev_json, Sha256Hash::of(&built.rev_json));
    assert_eq!(built.rev.hashes["botJsSha256"], built.digests.bot_js);
    assert_eq!(built.rev.sizes["botJs"], built.bot_js.len() as u64);

    let mut passport = serde_json::to_value(&built.rev).unwrap();
    // What changes with every version of the SDK and of the compiler.
    passport["revHash"] = json!("[hash]");
    passport["hashes"]["botJsSha256"] = json!("[hash]");
    passport["sizes"]["botJs"] = json!("[bytes]");
    for version in [
        "sdkVersion",
        "astRulesVersion",
        "compilerVersion",
        "generatorGitSha",
    ] {
        passport["build"][version] = json!("[version]");
    }
    insta::assert_json_snapshot!(passport);
}

#[test]
fn what_cannot_be_built_is_refused_with_a_reason() {
    let code = |result: Result<_, BuildError>| result.err().map(|error| error.code());
    let model = BuildInputs {
        model: "dreamer".to_owned(),
        ..inputs()
    };
    assert_eq!(code(build(&bot("hi"), &model)), Some("unsupported-model"));
    let other = BuildInputs {
        bot_id: BotId::new("other-bot").unwrap(),
        ..inputs()
    };
    assert_eq!(code(build(&bot("hi"), &other)), Some("wrong-bot"));
    // One character of the spec, six of JavaScript.
    assert_eq!(
        code(build(&bot(&"\u{2028}".repeat(100_000)), &inputs())),
        Some("program-too-large")
    );
    let mut unsafe_spec = bot("hi").spec;
    unsafe_spec.flows = serde_json::from_value(json!([{"id": "main", "steps": [
        {"id": "a", "type": "apiCall", "method": "GET", "url": "https://evil.example.net/"}]}]))
    .unwrap();
    assert_eq!(
        code(build(&accept(unsafe_spec), &inputs())),
        Some("unsafe-program")
    );
}

#[test]
fn every_code_has_a_page() {
    for code in [
        "build-timeout",
        "program-too-large",
        "unsafe-program",
        "unsupported-model",
        "wrong-bot",
    ] {
        assert!(
            crate::support::here()
                .join(format!("../docs/errors/{code}.md"))
                .exists(),
            "{code}"
        );
    }
}
