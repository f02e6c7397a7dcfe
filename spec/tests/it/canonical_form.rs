//! One content, one hash.

use serde_json::{Value, json};

use crate::support::{accepted, minimal, pizza};

#[test]
fn spelling_does_not_matter() {
    let plain = minimal().to_string();
    let hash = accepted(&plain).hash;
    assert!(hash.starts_with("sha256:") && hash.len() == 71, "{hash}");
    for same in [
        plain.replace("\"Hi\"", "\"\\u0048i\""),
        plain.replace("\"schema_ver\":1", "\"schema_ver\":1.0"),
        plain.replace("\"schema_ver\":1", "\"schema_ver\":1e0"),
        plain.replace(',', " ,\n\t"),
        plain.replace(
            "\"commands\":",
            "\"intents\":[],\"localization\":{},\"commands\":",
        ),
    ] {
        assert_ne!(same, plain);
        assert_eq!(accepted(&same).hash, hash, "{same}");
    }
}

#[test]
fn a_default_spelled_out_is_the_default() {
    let hash = accepted(&minimal().to_string()).hash;
    let mut spec = minimal();
    spec["meta"]["timezone"] = json!("UTC");
    spec["meta"]["retention"] = json!({"analyticsDays": 90});
    spec["meta"]["pii_policy"] = json!("mask");
    spec["flows"][0]["steps"][0]["quickReplies"] = json!([]);
    spec["state"] = json!({"keys": {}, "maxKB": 64});
    spec["telemetry"] = json!({"events": []});
    spec["security"] = json!({"allowDomains": [], "maxApiResponseKB": 64});
    assert_eq!(accepted(&spec.to_string()).hash, hash);
    let mut spec = pizza();
    let hash = accepted(&spec.to_string()).hash;
    let steps = &mut spec["flows"][3]["steps"];
    steps[2]["value"] = json!("{{context.input}}");
    steps[4]["onFail"]["maxAttempts"] = json!(3);
    steps[6]["query"] = json!({});
    assert_eq!(accepted(&spec.to_string()).hash, hash);
}

#[test]
fn meaning_does() {
    let hash = accepted(&minimal().to_string()).hash;
    let changes: [fn(&mut Value); 5] = [
        |spec| spec["meta"]["name"] = json!("mini"),
        // No Unicode normalisation: these are two texts.
        |spec| spec["flows"][0]["steps"][0]["text"] = json!("e\u{301}"),
        |spec| spec["flows"][0]["steps"][0]["text"] = json!("\u{e9}"),
        |spec| spec["commands"].as_array_mut().unwrap().reverse(),
        |spec| spec["state"] = json!({"maxKB": 63}),
    ];
    let mut seen = vec![hash];
    for change in changes {
        let mut spec = minimal();
        change(&mut spec);
        let hash = accepted(&spec.to_string()).hash;
        assert!(!seen.contains(&hash), "{spec}");
        seen.push(hash);
    }
}

/// The hash is what other systems store: it must not move.
#[test]
fn the_canonical_form_of_the_pizza_bot() {
    let accepted = accepted(&pizza().to_string());
    insta::assert_snapshot!(format!("{}\n{}", accepted.hash, accepted.canonical));
}
