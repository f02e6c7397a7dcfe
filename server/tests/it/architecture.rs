//! The arrows between crates, and which outside packages each may know: the databases only `backends`, QuickJS only
//! `runtime`, the JavaScript parser only `generator`. A new dependency has to be written down here.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// What each crate may use of the workspace, outside of tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("spec", &[]),
    ("telegram", &[]),
    ("generator", &["core", "spec"]),
    ("deployer", &["core", "generator"]),
    ("control-plane", &["core", "generator", "spec", "telegram"]),
    ("runtime", &["core", "telegram"]),
    ("backends", &["core"]),
    (
        "server",
        &[
            "backends",
            "control-plane",
            "core",
            "deployer",
            "generator",
            "runtime",
            "spec",
            "telegram",
        ],
    ),
    (
        "bench",
        &["backends", "core", "generator", "runtime", "spec", "telegram"],
    ),
];

/// Outside packages that each crate may use, outside of tests; build scripts use none.
const OUTSIDE: &[(&str, &str)] = &[
    (
        "backends",
        "async-trait aws-sdk-s3 aws-smithy-http-client base64 bytes clickhouse futures-util metrics \
         percent-encoding redis rusqlite serde serde_json sha2 sqlx thiserror tokio tokio-util tracing url uuid",
    ),
    (
        "bench",
        "axum bytes clap http http-body-util hyper-util serde_json tempfile tokio tokio-util url",
    ),
    (
        "control-plane",
        "argon2 async-trait axum base64 bytes chrono futures-util governor http http-body-util \
         hyper-rustls hyper-util metrics moka openidconnect rand rustls serde serde_json subtle thiserror \
         tokio tokio-stream tokio-util tracing url utoipa utoipa-axum uuid webpki-roots",
    ),
    (
        "core",
        "async-trait base64 bytes chacha20poly1305 jiff rand serde serde_json sha2 tempfile thiserror \
         tokio tracing uuid zeroize",
    ),
    ("deployer", "bytes metrics serde_json tokio tokio-util tracing"),
    (
        "generator",
        "bytes metrics oxc serde_json thiserror tokio tokio-util tracing url",
    ),
    (
        "runtime",
        "async-trait axum bytes futures-util governor http http-body-util hyper hyper-rustls \
         hyper-util jiff jsonschema libc metrics moka opentelemetry rand regex rquickjs rustix rustls \
         seccompiler serde serde_json sha2 subtle thiserror tokio tokio-util tower tracing \
         tracing-opentelemetry url uuid",
    ),
    (
        "server",
        "async-trait axum bytes clap clap_complete http http-body-util hyper hyper-rustls hyper-util ipnet \
         metrics metrics-exporter-prometheus opentelemetry opentelemetry-http opentelemetry-otlp \
         opentelemetry_sdk rustix serde serde_json thiserror tokio tokio-util toml tower tracing \
         tracing-opentelemetry tracing-subscriber url uuid",
    ),
    (
        "spec",
        "jiff jsonschema regex schemars serde serde_json sha2 thiserror url",
    ),
    (
        "telegram",
        "axum bytes futures-util http http-body-util hyper hyper-rustls hyper-util rand rustls serde \
         serde_json thiserror tokio tokio-util tower tracing url zeroize",
    ),
];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .other_options(vec!["--offline".into()])
        .exec()
        .unwrap()
}

/// Direct dependencies by crate, without those of tests and build scripts.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let normal = |package: &cargo_metadata::Package| {
        let kept = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development);
        kept.map(|dependency| dependency.name.clone()).collect()
    };
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| {
            (
                package.name.trim_start_matches("botloom-").to_owned(),
                normal(package),
            )
        })
        .collect()
}

#[test]
fn crates_use_only_what_the_design_lets_them() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let found = dependencies();
    assert_eq!(
        found.keys().map(String::as_str).collect::<Vec<_>>(),
        allowed.keys().copied().collect::<Vec<_>>()
    );
    for (name, uses) in &found {
        let inside = uses.iter().filter_map(|used| used.strip_prefix("botloom-"));
        let wrong: Vec<&str> = inside
            .filter(|used| !allowed[name.as_str()].contains(used))
            .collect();
        assert!(wrong.is_empty(), "{name} must not use {wrong:?}");
    }
}

#[test]
fn outside_packages_stay_with_their_owners() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = OUTSIDE
        .iter()
        .map(|(name, uses)| (*name, uses.split_whitespace().collect()))
        .collect();
    for (name, uses) in dependencies() {
        let outside: BTreeSet<&str> = uses
            .iter()
            .map(String::as_str)
            .filter(|used| !used.starts_with("botloom-"))
            .collect();
        assert_eq!(outside, allowed[name.as_str()], "outside packages of {name}");
    }
}

#[test]
fn one_file_names_backends() {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut stack = vec![src.clone()];
    let mut naming = Vec::new();
    while let Some(dir) = stack.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                stack.push(path);
            } else if std::fs::read_to_string(&path)
                .unwrap()
                .contains("botloom_backends")
            {
                naming.push(path.strip_prefix(&src).unwrap().display().to_string());
            }
        }
    }
    assert_eq!(naming, ["wiring.rs"]);
}
