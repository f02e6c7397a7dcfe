//! The arrows between crates, and who may know which outside package.

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

/// Outside packages that only these crates may use, outside of tests.
const OWNED: &[(&str, &[&str])] = &[
    ("sqlx", &["backends"]),
    ("rusqlite", &["backends"]),
    ("redis", &["backends"]),
    ("aws-sdk-s3", &["backends"]),
    ("clickhouse", &["backends"]),
    ("rquickjs", &["runtime"]),
    ("seccompiler", &["runtime"]),
    ("oxc", &["generator"]),
    ("schemars", &["spec"]),
    ("jsonschema", &["spec", "runtime"]),
    ("clap", &["server", "bench"]),
    ("metrics-exporter-prometheus", &["server"]),
    ("tracing-subscriber", &["server", "bench"]),
    ("utoipa", &["control-plane"]),
    ("argon2", &["control-plane"]),
    ("chacha20poly1305", &["core"]),
    (
        "axum",
        &["bench", "control-plane", "runtime", "server", "telegram"],
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
            .filter(|dependency| dependency.kind == DependencyKind::Normal);
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
    for (name, uses) in dependencies() {
        for (package, owners) in OWNED {
            let used = uses.contains(*package);
            assert!(
                !used || owners.contains(&name.as_str()),
                "{package} belongs to {owners:?}, not to {name}"
            );
        }
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
